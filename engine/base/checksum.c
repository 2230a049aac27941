/*
 * Checksums: XXH3 of the packaged xxHash, inlined so that no other library is linked.
 */
#include "engine/base/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const void *bytes_or_nothing(slice bytes)
{
    return bytes.data != NULL ? (const void *)bytes.data : "";
}

uint64_t checksum64(slice bytes)
{
    return XXH3_64bits(bytes_or_nothing(bytes), bytes.size);
}

uint64_t checksum64_of_part(slice bytes, uint64_t place)
{
    return XXH3_64bits_withSeed(bytes_or_nothing(bytes), bytes.size, place);
}

uint32_t checksum32_of_part(slice bytes, uint64_t place)
{
    return (uint32_t)checksum64_of_part(bytes, place);
}

/*
 * Checksums of what is stored and sent: XXH3, whole or truncated.
 */
#ifndef ENGINE_BASE_CHECKSUM_H
#define ENGINE_BASE_CHECKSUM_H

#include "engine/base/bytes.h"

uint64_t checksum64(slice bytes);

/* The checksum of bytes that belong to something: the same bytes elsewhere have another one. */
uint64_t checksum64_of_part(slice bytes, uint64_t place);
uint32_t checksum32_of_part(slice bytes, uint64_t place);

#endif

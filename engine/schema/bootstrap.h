/*
 * The first schema of a cluster: version 1, with its tables.
 */
#ifndef ENGINE_SCHEMA_BOOTSTRAP_H
#define ENGINE_SCHEMA_BOOTSTRAP_H

#include "engine/schema/definitions.h"

/* Write `m schema-version` = 1 and the tables' rows, unless there is a schema already.  Every
 * server may call it at its start; one of them does it.  ENGINE_OK: there is a schema now. */
engine_status schema_bootstrap(cluster *of, const table_definition *tables, uint32_t count,
                               sb_scope *scope);

#endif

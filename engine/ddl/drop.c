/*
 * DROP INDEX: see drop.h.
 */
#include "engine/ddl/drop.h"

#include "engine/ddl/delete_ranges.h"

/* The index is looked up by its name, and loses its readers. */
static engine_status step_first(job_worker *of, const job_row *seen)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    failure cause = FAILURE_NONE;
    status = step_find_index(&step, &cause, &of->scope);
    if (status == ENGINE_OK && cause != FAILURE_NONE) {
        SOMETIMES(true, "drop-of-an-unknown-index");
        step.row.state = JOB_ROLLINGBACK;
        step.row.cause = cause;
    } else if (status == ENGINE_OK) {
        status = step_schema(&step, SCHEMA_WRITE_ONLY, BACKFILL_INAPPLICABLE, &of->scope);
    }
    return step_end(&step, status, &of->scope);
}

static engine_status step_back(job_worker *of, const job_row *seen)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    status = step_schema(&step, SCHEMA_DELETE_ONLY, BACKFILL_INAPPLICABLE, &of->scope);
    return step_end(&step, status, &of->scope);
}

engine_status drop_step(job_worker *of, const job_row *seen)
{
    if (!job_is_dropping(seen)) {
        return step_first(of, seen);
    }
    switch (job_schema(seen)) {
    case SCHEMA_WRITE_ONLY:
        return step_back(of, seen);
    case SCHEMA_DELETE_ONLY:
        return delete_ranges_note(of, seen);
    default:
        sb_assert(job_schema(seen) == SCHEMA_NONE);
        return delete_ranges_step(of, seen, JOB_DONE);
    }
}

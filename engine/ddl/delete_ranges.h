/*
 * What a job leaves behind, to be deleted for ever: the indexes it has given up, or the temporary
 * indexes it has merged.
 *
 * The ranges are noted in the row `m delete-range job`, in the transaction that takes them out of
 * the schema.  They are deleted when every live server has that schema, so that nobody writes there
 * any more; the row goes with the job.  Each of these steps can be found half-way, and done again,
 * by the next owner.
 */
#ifndef ENGINE_DDL_DELETE_RANGES_H
#define ENGINE_DDL_DELETE_RANGES_H

#include "engine/ddl/step.h"

typedef enum removal {
    REMOVE_INDEXES,          /* of the job, with their temporary indexes */
    REMOVE_TEMPORARY_INDEXES /* alone: the indexes are public */
} removal;

/* Note in the step's transaction what is to be deleted. */
void delete_ranges_put(job_step *step, removal what);

/* The step that takes the job's indexes out of the schema, and notes them. */
engine_status delete_ranges_note(job_worker *of, const job_row *seen);

/* The job's last step: delete what it has noted, in every region, then forget the note and go to
 * the final state.  Nothing noted: nothing to delete. */
engine_status delete_ranges_step(job_worker *of, const job_row *seen, job_state to);

/* The value of the row.  Encoding clears `into` first; decoded spans borrow from the value, and
 * spans has room for DELETE_RANGES_MAX. */
#define DELETE_RANGES_MAX (2u * JOB_INDEXES_MAX)
typedef struct key_span {
    slice start, end;
} key_span;
void delete_ranges_encode(const key_span *spans, uint32_t count, buffer *into);
bool delete_ranges_decode(slice value, key_span *spans, uint32_t *count);

#endif

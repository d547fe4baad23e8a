/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.h - the store's own threads: encoders, and one for the disk (store.h, store_threads)
 *
 * Everything that a caller asks for is a job. Jobs of one call keep their order:
 * they go through the call's encoder (chunks become bytes there), then to the
 * disk's thread, which alone touches writer, catalog, open.db, the list of calls
 * and what of a call is about chunks on disk. All functions: the caller's thread.
 */
#ifndef PIPE_H
#define PIPE_H

#include "store/store_internal.h"

/* As the store_* function without threads; sc is checked. */
int pipe_open(struct store_call *sc); /* -ENOMEM: sc is still the caller's */
int pipe_append(struct store_call *sc, unsigned leg, const struct chunk *c);
void pipe_note(struct store_call *sc, const struct store_call_now *now);
int pipe_end(struct store_call *sc, const struct store_call_result *r);
int pipe_leave(struct store_call *sc);
void pipe_abort(struct store_call *sc);
/* Chunks under this key that are not coded yet come to nothing; afterwards nobody uses the key. */
struct partkey;
void pipe_forget_part(struct store_call *sc, const struct partkey *key);
int pipe_denied(struct store *st, const struct store_call_meta *meta, const struct store_call_result *r);
int pipe_settle(struct store *st);
int pipe_sync(struct store *st);
/* For sync_here, in the disk's thread. */
bool pipe_before_rows(struct store *st); /* rows may become durable */
void pipe_rows_durable(struct store *st);
/* Does what is queued, ends the threads; afterwards everything is in the caller's again. */
void pipe_stop(struct store *st);
void pipe_figures(const struct store *st, struct store_figures *ret); /* adds what only the pipe knows */

#endif

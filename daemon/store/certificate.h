/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * certificate.h - the proof that a call was deleted, for who has neither the store nor a reason to trust its keeper
 *
 * For each purpose that had a key of the call: the line of the evidence log that says under which controller's bucket of which day
 * the key was stored (key.commit), and the line that says that it was destroyed (key.destroy or call.destroy of the call,
 * or bucket.destroy of that controller, purpose and day), and the line with the call's outcome, which says how many key.commits it had,
 * each with its path to the signed root of its day. And what this machine's disk holds now, which is only what the program saw.
 *
 * Reads only, beside a running daemon. One thread.
 */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include "base/uid.h"
#include "store/evlog.h"
#include "store/merkle.h"
#include "store/store.h"

enum certificate_state {
	CERTIFICATE_PROVEN,
	CERTIFICATE_ALIVE,    /* not deleted: text says of which purpose, or that it is on hold or in progress */
	CERTIFICATE_NEVER,    /* nothing of it was ever kept */
	CERTIFICATE_UNSIGNED, /* deleted, and the root of the day that says so is not signed yet */
	CERTIFICATE_UNPROVEN, /* the log does not say enough: events of older versions, or of days that are gone */
	CERTIFICATE_UNKNOWN,  /* the log has no such call */
};

/* A line of the log with its way to the root of its day. */
struct certificate_line {
	int32_t day;
	size_t root;	/* of struct certificate's roots */
	uint64_t index; /* in the day, from 0 */
	char line[EVLOG_LINE_MAX]; /* without LF, with a zero */
	unsigned hashes;
	uint8_t hash[MERKLE_DEPTH][32]; /* lowest first */
};

enum certificate_disk { CERTIFICATE_GONE, CERTIFICATE_DESTROYED, CERTIFICATE_LIVE };

struct certificate_purpose {
	bool had; /* the call had a key for it */
	char controller[EVLOG_NAME];
	uint64_t day; /* YYYYMMDD, of the bucket */
	struct certificate_line committed, destroyed;
	bool by_bucket; /* the whole bucket was; then held calls of it, by its event, were kept alive */
	uint64_t held;
	/* on this disk, now */
	enum certificate_disk bucket; /* the key of the bucket: its file gone, destroyed, live */
	bool slot; /* a slot of the bucket names the call; without the bucket's key nobody can open it */
	bool hold; /* a slot of held calls does */
};

struct certificate {
	enum certificate_state state;
	char text[256]; /* one line: what it is, or why it is none */
	uint8_t store[16];
	uint64_t made_ns;
	char *public_key; /* root.pub */
	char **root;	  /* texts of the roots of all days with a log, from the first that is needed to the newest */
	size_t roots;
	struct certificate_line ended; /* call.kept or call.gap */
	bool counted; /* it says how many keys there were; older logs do not */
	struct certificate_purpose purpose[STORE_PURPOSES];
};

/*
 * 0: made, see its state; only with CERTIFICATE_PROVEN are roots and lines in it. -ENOENT no evidence log, -EBADMSG the log is
 * damaged or its days do not have what their roots say: nothing is certified from it. why (size n) gets one line.
 */
int certificate_make(const char *store_dir, const struct uid *call, struct certificate **ret, char *why, size_t n);
void certificate_free(struct certificate *c); /* NULL-tolerant */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simulate_capture.c - captures instead of past calls: what a policy would make of them
 *
 * The recorder itself runs over the files, without writing audio (record.h, no_audio), into a store
 * that lives in memory where the system has such a place, whose private keys are gone before the
 * first packet, and which is removed at the end, also when interrupted. One thread.
 */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "capture/pcap.h"
#include "evidence.h"
#include "policies_kept.h"
#include "record.h"
#include "simulate.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static void remove_tree(const char *dir)
{
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		cli_err("'%s': cannot be removed: %s", dir, strerror(errno));
}

void sim_capture_end(struct sim *s)
{
	if (*s->scratch)
		remove_tree(s->scratch);
	*s->scratch = 0;
}

/* Where the user wants temporary files; else memory, if there is some to be had. */
static int scratch(struct sim *s)
{
	const char *tmp = getenv("TMPDIR");
	const char *const places[] = { tmp && *tmp == '/' ? tmp : "/dev/shm", "/tmp" };

	for (size_t i = 0; i < 2; i++) {
		snprintf(s->scratch, sizeof(s->scratch), "%s/optag-simulate.XXXXXX", places[i]);
		if (mkdtemp(s->scratch))
			return 0;
	}
	cli_err("'%s': %s", s->scratch, strerror(errno));
	*s->scratch = 0;
	return -EIO;
}

static int make_store(struct sim *s, struct store **ret)
{
	char keys[sizeof(s->scratch) + 8], why[512] = "", *text = NULL;
	size_t n;
	int e = scratch(s);

	if (e)
		return e;
	snprintf(s->scratch_store, sizeof(s->scratch_store), "%s/s", s->scratch);
	snprintf(keys, sizeof(keys), "%s/k", s->scratch);
	e = store_create(s->scratch_store, keys, NULL, NULL, why, sizeof(why));
	if (!e)
		remove_tree(keys); /* nobody can open anything that comes into it */
	if (!e)
		e = policy_text(s->policy, &text, &n);
	if (!e)
		e = policy_keep(s->scratch_store, s->policy, text, n, why, sizeof(why));
	free(text);
	if (!e)
		e = store_open(s->scratch_store, STORE_RW, ret, why, sizeof(why));
	if (e)
		cli_err("%s", *why ? why : strerror(-e));
	return e;
}

static int one_file(struct recorder *r, struct evidence *ev, const char *path)
{
	struct pcap_packet p;
	struct pcap_file *f;
	char why[512] = "";
	uint64_t n = 0;
	int e = pcap_file_open(path, &f, why, sizeof(why));

	if (e) {
		cli_err("%s", why);
		return -EIO;
	}
	while (!interrupted && (e = pcap_file_next(f, &p, why, sizeof(why))) == 1) {
		e = recorder_packet(r, &p, 0);
		if (e)
			break;
		if ((++n & 0xffff) == 0)
			(void)evidence_work(
				ev, clock_now_ns()); /* said there; until it works nothing begins */
	}
	if (e == -EBADMSG) {
		cli_err("%s; what came before it counts", why);
		e = 0;
	} else if (e < 0) {
		cli_err("'%s': %s", path, strerror(-e));
	}
	pcap_file_close(f);
	return e < 0 ? e : 0;
}

static int record(struct sim *s, struct store *st, struct evidence *ev, char **files, int n)
{
	struct recorder_settings set;
	struct recorder_figures fig;
	struct recorder *r = NULL;
	int e, e2;

	recorder_default_settings(&set);
	set.store = st;
	set.policy = s->policy;
	set.evidence = ev;
	set.no_audio = true;
	e = recorder_new(&set, &r);
	for (int i = 0; i < n && !e && !interrupted; i++)
		e = one_file(r, ev, files[i]);
	e2 = r ? recorder_finish(r) : 0;
	if (r) {
		recorder_figures(r, &fig);
		s->nomatch_captures = fig.table.unmatched;
	}
	recorder_free(r);
	return e ? e : e2;
}

int sim_capture(struct sim *s, char **files, int n)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct evidence *ev = NULL;
	struct store *st = NULL;
	char why[512] = "";
	int e;

	log_init("optag policy simulate", LOG_L_WARN);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	e = make_store(s, &st);
	if (!e)
		e = evidence_new(&(struct evidence_settings){.dir = s->scratch_store}, &ev, why,
				 sizeof(why));
	if (!e)
		e = evidence_start(ev, why, sizeof(why));
	if (*why)
		cli_err("%s", why);
	if (!e)
		e = record(s, st, ev, files, n);
	if (ev && evidence_finish(ev) && !e)
		e = -EIO; /* said there */
	evidence_free(ev);
	store_close(st);
	clock_set_ns(0);
	s->store = s->scratch_store;
	if (interrupted)
		cli_err("interrupted");
	return e || interrupted ? CLI_FAILED : CLI_OK;
}

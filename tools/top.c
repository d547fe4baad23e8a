/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.c - `optag top`: a dashboard of the daemon in the terminal
 *
 * Asks the control socket each second and draws with plain ANSI sequences, no
 * library. Rates are differences between two answers over the daemon's own
 * clock. The alternate screen is left again however the program ends, except
 * by SIGKILL. Without a terminal, or with --once, frames are plain text.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "cli_ctl.h"

static const char *opt_socket = CLI_CTL_PATH;
static bool opt_once;
static uint64_t opt_interval = NS_PER_S;

static const struct cli_opt opts[] = {
	CLI_OPT_CONTROL('S', &opt_socket),
	CLI_OPT('i', "interval", CLI_DURATION, &opt_interval, "TIME", "how often to refresh (default 1s)"),
	CLI_OPT('1', "once", CLI_FLAG, &opt_once, NULL, "two samples, one frame as plain text"),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag top",
	.summary = "terminal dashboard of the daemon",
	.opts = opts,
	.notes = "q ends it.",
};

static volatile sig_atomic_t stop;
static struct termios saved;
static bool on_screen;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* ---- the terminal ---- */

static void leave_screen(void)
{
	static const char seq[] = "\033[?25h\033[?1049l";

	if (!on_screen)
		return;
	on_screen = false;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved); /* nothing can be done about it */
	(void)!write(STDOUT_FILENO, seq, sizeof(seq) - 1);
}

static void enter_screen(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	raw = saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		return;
	on_screen = true;
	atexit(leave_screen);
	fputs("\033[?1049h\033[?25l", stdout);
}

static unsigned columns(void)
{
	struct winsize w;

	return on_screen && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 80;
}

static void heading(const char *text)
{
	printf(on_screen ? "\033[1m%-10s\033[0m " : "%-10s ", text);
}

/* The rest of a line of the last frame is wiped with its end. */
static void end_line(void)
{
	fputs(on_screen ? "\033[K\n" : "\n", stdout);
}

/* 12.3k, 4.56M: four characters and a unit, so that columns stand still. */
static const char *si(double v, char out[16])
{
	static const char unit[] = " kMGTP";
	unsigned i = 0;

	while (fabs(v) >= 999.5 && i + 2 < sizeof(unit)) {
		v /= 1000;
		i++;
	}
	if (i == 0)
		snprintf(out, 16, "%.0f", v);
	else
		snprintf(out, 16, v < 9.995 ? "%.2f%c" : v < 99.95 ? "%.1f%c" : "%.0f%c", v, unit[i]);
	return out;
}

static void bar(double share, unsigned width)
{
	unsigned full;

	share = share < 0 ? 0 : share > 1 ? 1 : share;
	full = (unsigned)(share * width + 0.5);
	if (on_screen)
		fputs(share > 0.9 ? "\033[31m" : share > 0.6 ? "\033[33m" : "\033[32m", stdout);
	putchar('[');
	for (unsigned i = 0; i < width; i++)
		putchar(i < full ? '#' : '.');
	putchar(']');
	if (on_screen)
		fputs("\033[0m", stdout);
	printf(" %3.0f %%", share * 100);
}

/* ---- two answers ---- */

struct sample {
	json_t *o;
	double t; /* seconds, the daemon's clock */
};

static double total(const json_t *o, const char *list, const char *field)
{
	double sum = 0;
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(o, list), i, e) sum += cli_ctl_num(e, field);
	return sum;
}

/* Per second; a daemon that was started anew counts from 0: no negative rate. */
static double rate(const struct sample *a, const struct sample *b, double va, double vb)
{
	return b->t > a->t && vb >= va ? (vb - va) / (b->t - a->t) : 0;
}

static double rate_of(const struct sample *a, const struct sample *b, const char *path)
{
	return rate(a, b, cli_ctl_num(a->o, path), cli_ctl_num(b->o, path));
}

#define N(path) cli_ctl_num(b->o, path)

static void draw_head(const struct sample *a, const struct sample *b)
{
	char r[16], p[16];
	double bits = 8 * rate(a, b, total(a->o, "interfaces", "rx_bytes"), total(b->o, "interfaces", "rx_bytes"));
	const json_t *f;
	size_t i;

	heading("optagd");
	printf("%s  pid %.0f  %.19s  policy %.12s, %.0f rules", cli_ctl_str(b->o, "version"), N("pid"), cli_ctl_str(b->o, "now"),
	       cli_ctl_str(b->o, "policy.hash"), N("policy.rules"));
	end_line();
	heading("network");
	printf("%.3f Gbit/s  %s packets/s  CPU %.0f %%  memory %.0f MB ", bits / 1e9, si(rate_of(a, b, "packets.seen"), p),
	       100 * rate_of(a, b, "process.cpu_seconds"), N("process.rss_bytes") / 1e6);
	json_array_foreach(json_object_get(b->o, "interfaces"), i, f)
	{
		putchar(' ');
		cli_text(stdout, cli_ctl_str(f, "name"), 15, false);
		printf(" (%s%s)", cli_ctl_str(f, "mode"), json_is_false(json_object_get(f, "attached")) ? ", GONE" :
		       json_is_true(json_object_get(f, "up")) ? "" : ", DOWN");
	}
	end_line();
	heading("packets/s");
	printf("audio %s  ", si(rate_of(a, b, "packets.audio"), r));
	printf("keys %s  ", si(rate_of(a, b, "packets.events"), r));
	if (rate_of(a, b, "packets.inspected") > 0)
		printf("inspected %s  ", si(rate_of(a, b, "packets.inspected"), r));
	printf("blocked %s  ", si(rate_of(a, b, "packets.blocked") + rate_of(a, b, "packets.gated"), r));
	printf("signalling %s  ", si(rate_of(a, b, "packets.signalling"), r));
	printf("SIP messages %s", si(rate_of(a, b, "signalling.messages"), r));
	end_line();
}

static void draw_calls(const struct sample *a, const struct sample *b)
{
	char r[16];

	heading("calls");
	bar(N("calls.limit") > 0 ? N("calls.active") / N("calls.limit") : 0, 20);
	printf("  %.0f active: %.0f setup, %.0f answered, %.0f hold, %.0f ending", N("calls.active"), N("calls.setup"),
	       N("calls.answered"), N("calls.hold"), N("calls.ending"));
	end_line();
	heading("");
	printf("%.0f recording, %s new/s; ended: %.0f kept, %.0f denied, %.0f gaps", N("calls.recording"),
	       si(rate_of(a, b, "calls.total"), r), N("calls.kept"), N("calls.denied"), N("calls.gaps"));
	end_line();
}

static void draw_decisions(const struct sample *b, unsigned width)
{
	const json_t *d;
	size_t i;

	heading("decisions");
	if (json_array_size(json_object_get(b->o, "decisions")) == 0)
		printf("none yet");
	end_line();
	json_array_foreach(json_object_get(b->o, "decisions"), i, d)
	{
		if (i == 10) {
			printf("  ... and %zu more (optag status)", json_array_size(json_object_get(b->o, "decisions")) - i);
			end_line();
			break;
		}
		printf("  %-14s %-10s %9.0f  ", cli_ctl_str(d, "purpose"), cli_ctl_str(d, "state"), cli_ctl_num(d, "calls"));
		cli_text(stdout, cli_ctl_str(d, "reason"), width > 50 ? width - 42 : 8, false);
		end_line();
	}
}

/* Red what is being lost right now; what was lost before stays in the sum. */
static void draw_losses(const struct sample *a, const struct sample *b)
{
	const json_t *v, *all = json_object_get(b->o, "losses");
	const char *name;
	double sum = 0;
	char r[16];

	json_object_foreach((json_t *)(uintptr_t)all, name, v) sum += json_number_value(v);
	heading("lost");
	if (sum == 0)
		printf("nothing");
	json_object_foreach((json_t *)(uintptr_t)all, name, v)
	{
		double before = json_number_value(json_object_get(json_object_get(a->o, "losses"), name));
		double now = json_number_value(v), per_s = rate(a, b, before, now);

		if (now == 0)
			continue;
		printf("%s%s %.0f (%s/s)%s  ", per_s > 0 && on_screen ? "\033[31m" : "", name, now, si(per_s, r),
		       per_s > 0 && on_screen ? "\033[0m" : "");
	}
	end_line();
}

static void draw_rings(const struct sample *b)
{
	const json_t *f, *rings = json_object_get(b->o, "rings");
	double worst = 0, peak = 0, sig = 0;
	size_t i, n = 0;

	json_array_foreach(rings, i, f)
	{
		double size = cli_ctl_num(f, "size"), used = size > 0 ? cli_ctl_num(f, "used") / size : 0;

		if (cli_ctl_num(f, "cpu") < 0) {
			sig = used;
			continue;
		}
		n++;
		worst = fmax(worst, used);
		peak = fmax(peak, size > 0 ? cli_ctl_num(f, "peak") / size : 0);
	}
	heading("rings");
	bar(worst, 20);
	printf(" fullest of %zu (peak %.0f %%), signalling %.0f %%, flow table %.0f of %.0f", n, 100 * peak, 100 * sig,
	       N("flow.used"), N("flow.capacity"));
	end_line();
}

static void draw_store(const struct sample *a, const struct sample *b)
{
	double size = N("store.disk_bytes"), in = N("store.payload_bytes"), out = N("store.stored_bytes");
	char r[16];

	heading("disk");
	bar(size > 0 ? 1 - N("store.disk_free") / size : 0, 20);
	printf(" full  %sB/s written, %.2f:1, queue %.1f MB (most %.1f of %.0f), sync %.0f ms (most %.0f)",
	       si(rate_of(a, b, "store.stored_bytes"), r), out > 0 ? in / out : 0, N("store.queue_bytes") / 1e6,
	       N("store.queue_max") / 1e6, N("store.queue_limit") / 1e6,
	       N("store.sync_ms_last"), N("store.sync_ms_max"));
	if (N("store.errors") > 0)
		printf("  %.0f writes failed", N("store.errors"));
	end_line();
}

static void draw(const struct sample *a, const struct sample *b)
{
	if (on_screen)
		fputs("\033[H", stdout);
	draw_head(a, b);
	draw_calls(a, b);
	draw_losses(a, b);
	draw_rings(b);
	draw_store(a, b);
	draw_decisions(b, columns());
	if (on_screen)
		fputs("\033[J", stdout);
	fflush(stdout);
}

/* ---- the loop ---- */

/* On failure the reason was said on the screen that goes away: it is said again after it. */
static int take(struct cli_ctl *c, struct sample *s)
{
	bool was = on_screen;
	uint64_t ns;
	int e = cli_ctl_ask(c, json_pack("{s:s}", "do", "status"), &s->o);

	if (e && was) {
		leave_screen();
		cli_err("the daemon is gone: %s", strerror(-e));
	}

	if (e)
		return e;
	s->t = clock_parse(cli_ctl_str(s->o, "now"), &ns) ? 0 : (double)ns / 1e9;
	return 0;
}

/* Until the next frame; a key of the terminal ends it. */
static void pause_for(uint64_t ns)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	int n = poll(on_screen ? &p : NULL, on_screen ? 1 : 0, (int)(ns / NS_PER_MS));
	char key;

	if (n > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 3))
		stop = 1;
}

static int run(struct cli_ctl *c)
{
	struct sample a = { 0 }, b = { 0 };
	int e = take(c, &a);

	if (!e && !opt_once && isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1)
		enter_screen();
	while (!e && !stop) {
		pause_for(opt_interval);
		if (stop)
			break;
		e = take(c, &b);
		if (e)
			break;
		draw(&a, &b);
		json_decref(a.o);
		a = b;
		b.o = NULL;
		if (opt_once || ferror(stdout))
			break;
	}
	json_decref(a.o);
	json_decref(b.o);
	return e;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct cli_args args;
	struct cli_ctl *c = NULL;
	int rc = cli_parse(&cli, argc, argv, &args), e;

	if (rc != CLI_GO_ON)
		return rc;
	if (opt_interval < NS_PER_S || opt_interval > 3600 * NS_PER_S)
		return cli_usage("--interval: from 1s to 1h");
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	e = cli_ctl_open(opt_socket, &c);
	if (!e)
		e = run(c);
	leave_screen();
	cli_ctl_close(c);
	return cli_finish(e ? CLI_FAILED : CLI_OK);
}

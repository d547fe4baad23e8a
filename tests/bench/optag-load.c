/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * optag-load.c - calls by the thousand on an interface, and what exactly was sent
 *
 *	optag-load --interface tx0 --calls 10000 --rate 500 --duration 30 [options]
 *
 * Each call is a whole SIP dialog by UDP (INVITE, 100, 180, 200, ACK, BYE, 200; offer
 * and answer) and two G.711 voices of 50 packets a second, in real time: every
 * millisecond sends what is due in it, and how late it was is told at the end. Calls
 * begin at --rate a second until --calls are in progress, last --hold seconds (0: to
 * the end), and are followed by new ones. After --duration, or SIGTERM, all hang up.
 *
 * stdout gets one JSON object when all is over; --truth a line per call, fields
 * divided by tabs: SIP Call-ID, kind, packets of caller and callee, key-press packets,
 * and with --sha the SHA-256 of each voice's payloads. --sound N:LEG:FILE writes the
 * first hour of one voice of call number N as they will be sent, before the calls begin.
 *
 * CPU seconds are this thread's and include what the receiving end of a veth does in
 * it: subtract what `--sink` shows, the same load into a program that drops all.
 */
#include <getopt.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <openssl/evp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "load_probe.h"
#include "tests/gen/gencap_audio.h"

#define LATE_BUCKETS 20000 /* of 10 us */

struct ended { /* one line of the truth */
	uint64_t number;
	uint32_t kind, packets[2], events, at[2];
};

struct opts {
	const char *interface, *sink, *gro, *truth, *speech, *probe, *probe_kind, *sound, *pool;
	uint32_t calls, rate, duration_s, vlan, batch, end_s;
	double hold_s;
	uint64_t total;
	int cpu, fifo;
	bool packet, fast, sha;
};

static struct opts opt = { .calls = 100, .rate = 100, .duration_s = 10, .batch = WIRE_BATCH, .end_s = 2, .cpu = -1 };
static struct load load = { .ring_ms = 40, .first_rtp_ms = 20, .pt = 8, .seed = 1 };
static struct probe *probe;
static struct ended *ended;
static uint64_t nended;
static uint32_t late[LATE_BUCKETS];
static uint64_t late_max_ns, late_ticks;
static volatile sig_atomic_t stop;

/* ---- what is asked for ---- */

static double number(const char *s, double min, double max, const char *what)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !(v >= min && v <= max))
		errx(2, "%s: '%s' is not a number from %g to %g", what, s, min, max);
	return v;
}

/* NAME:SHARE:FROM:TO[:DIGIT@MS] */
static void add_kind(const char *text)
{
	struct kind *k = &load.kind[load.nkind];
	char digit = 0;
	int n;

	if (load.nkind++ == KINDS_MAX)
		errx(2, "--kind: at most %d", KINDS_MAX);
	k->key = -1;
	n = sscanf(text, "%15[^:]:%u:%23[^:]:%23[^:]:%c@%" SCNu32, k->name, &k->share, k->from, k->to, &digit, &k->key_ms);
	if ((n != 4 && n != 6) || !k->share)
		errx(2, "--kind: '%s' is not NAME:SHARE:FROM:TO or NAME:SHARE:FROM:TO:DIGIT@MILLISECONDS", text);
	if (n == 6) {
		const char *all = "0123456789*#ABCD", *at = strchr(all, digit);

		if (!at)
			errx(2, "--kind: '%c' is no key", digit);
		k->key = (int)(at - all);
	}
	load.share_sum += k->share;
}

static const char usage[] =
	"usage: optag-load --interface IF [options]\n"
	"  --calls N         in progress at once (100)\n"
	"  --rate N          new calls a second (100)\n"
	"  --hold S          length of a call, 0: to the end (0)\n"
	"  --duration S      from the first call until no more begin (10)\n"
	"  --end S           in how many seconds all hang up then, without --hold (2)\n"
	"  --total N         start no more than so many calls\n"
	"  --kind K          NAME:SHARE:FROM:TO[:DIGIT@MS], several; '#' in a number is a digit of the call's\n"
	"  --first-rtp MS    from the answer to the first packet of both voices (20)\n"
	"  --ulaw            PCMU instead of PCMA\n"
	"  --speech DIR      sound of wav files (8 kHz, 16 bit, mono) instead of synthetic\n"
	"  --vlan ID         tag all frames\n"
	"  --packet          by AF_PACKET instead of live frames\n"
	"  --batch N         live frames at a time, to 256 (64)\n"
	"  --fast            do not wait: a millisecond is over when its packets are sent\n"
	"  --net N           voices have other addresses, to 5: for several at once, with --seed and --packet (0)\n"
	"  --seed N          another run: identifiers, and where in the sound voices begin (1)\n"
	"  --truth FILE      a line per call; --sha adds digests\n"
	"  --sound N:LEG:FILE  what voice LEG (0, 1) of call N will say; --pool FILE all sound of which voices are pieces\n"
	"  --probe DIR       time until flow entries are open, by the maps pinned there; --probe-kind NAME of these calls\n"
	"  --sink IF         drop everything at this interface by XDP meanwhile\n"
	"  --gro IF          switch GRO on there: what live frames need at an end without XDP\n"
	"  --cpu N           run there; --fifo N with this real-time priority\n";

enum { O_IF = 1, O_CALLS, O_RATE, O_HOLD, O_DURATION, O_END, O_TOTAL, O_KIND, O_FIRST, O_ULAW, O_SPEECH, O_VLAN,
       O_PACKET, O_BATCH, O_FAST, O_NET, O_SEED, O_TRUTH, O_SHA, O_SOUND, O_POOL, O_PROBE, O_PROBE_KIND, O_SINK, O_GRO, O_CPU, O_FIFO, O_HELP };

static const struct option longs[] = {
	{ "interface", 1, NULL, O_IF },	  { "calls", 1, NULL, O_CALLS },     { "rate", 1, NULL, O_RATE },
	{ "hold", 1, NULL, O_HOLD },	  { "duration", 1, NULL, O_DURATION }, { "end", 1, NULL, O_END },
	{ "total", 1, NULL, O_TOTAL },	  { "kind", 1, NULL, O_KIND },	     { "first-rtp", 1, NULL, O_FIRST },
	{ "ulaw", 0, NULL, O_ULAW },	  { "speech", 1, NULL, O_SPEECH },   { "vlan", 1, NULL, O_VLAN },
	{ "packet", 0, NULL, O_PACKET },  { "batch", 1, NULL, O_BATCH },     { "fast", 0, NULL, O_FAST },
	{ "net", 1, NULL, O_NET },	  { "seed", 1, NULL, O_SEED },	  { "truth", 1, NULL, O_TRUTH },     { "sha", 0, NULL, O_SHA },
	{ "pool", 1, NULL, O_POOL },	  { "sound", 1, NULL, O_SOUND },	  { "probe", 1, NULL, O_PROBE },     { "probe-kind", 1, NULL, O_PROBE_KIND },
	{ "sink", 1, NULL, O_SINK },	  { "gro", 1, NULL, O_GRO },	     { "cpu", 1, NULL, O_CPU },	     { "fifo", 1, NULL, O_FIFO },
	{ "help", 0, NULL, O_HELP },	  { NULL, 0, NULL, 0 },
};

static void option(int o, const char *s)
{
	switch (o) {
	case O_IF: opt.interface = s; break;
	case O_CALLS: opt.calls = (uint32_t)number(s, 1, 200000, "--calls"); break;
	case O_RATE: opt.rate = (uint32_t)number(s, 1, 100000, "--rate"); break;
	case O_HOLD: opt.hold_s = number(s, 0, 86400, "--hold"); break;
	case O_DURATION: opt.duration_s = (uint32_t)number(s, 1, 86400, "--duration"); break;
	case O_END: opt.end_s = (uint32_t)number(s, 0, 3600, "--end"); break;
	case O_TOTAL: opt.total = (uint64_t)number(s, 1, 1e9, "--total"); break;
	case O_KIND: add_kind(s); break;
	case O_FIRST: load.first_rtp_ms = (uint32_t)number(s, 0, 3600000, "--first-rtp"); break;
	case O_ULAW: load.pt = 0; break;
	case O_SPEECH: opt.speech = s; break;
	case O_VLAN: opt.vlan = (uint32_t)number(s, 1, 4094, "--vlan"); break;
	case O_PACKET: opt.packet = true; break;
	case O_BATCH: opt.batch = (uint32_t)number(s, 1, 256, "--batch"); break;
	case O_FAST: opt.fast = true; break;
	case O_NET: load.net = (uint32_t)number(s, 0, 5, "--net"); break;
	case O_SEED: load.seed = (uint64_t)number(s, 0, 1e15, "--seed"); break;
	case O_TRUTH: opt.truth = s; break;
	case O_SHA: opt.sha = true; break;
	case O_POOL: opt.pool = s; break;
	case O_SOUND: opt.sound = s; break;
	case O_PROBE: opt.probe = s; break;
	case O_PROBE_KIND: opt.probe_kind = s; break;
	case O_SINK: opt.sink = s; break;
	case O_GRO: opt.gro = s; break;
	case O_CPU: opt.cpu = (int)number(s, 0, 1023, "--cpu"); break;
	case O_FIFO: opt.fifo = (int)number(s, 1, 99, "--fifo"); break;
	case O_HELP: fputs(usage, stdout); exit(0);
	default: exit(2);
	}
}

/* ---- what happened ---- */

static void on_answer(struct load *l, const struct lcall *c)
{
	if (probe && (!opt.probe_kind || !strcmp(opt.probe_kind, c->kind->name)))
		probe_call(probe, &l->wire.streams[(c - l->call) * 2]);
}

static void on_end(struct load *l, const struct lcall *c)
{
	const struct load_stream *s = &l->wire.streams[(c - l->call) * 2];
	struct ended *e;

	if (!opt.truth)
		return;
	if (!(nended & (nended - 1)) && nended >= 4096) {
		ended = realloc(ended, nended * 2 * sizeof(*ended));
		if (!ended)
			err(1, NULL);
	}
	e = &ended[nended++];
	*e = (struct ended){ c->number, (uint32_t)(c->kind - l->kind), { s[0].sent, s[1].sent }, c->key_packet,
			     { c->at0[0], c->at0[1] } };
}

static void sha_of(uint32_t at, uint32_t packets, char ret[65])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char d[32];

	if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		errx(1, "SHA-256");
	for (; packets--; at += LOAD_PAYLOAD)
		EVP_DigestUpdate(md, load.wire.pool + at % LOAD_POOL, LOAD_PAYLOAD);
	EVP_DigestFinal_ex(md, d, NULL);
	EVP_MD_CTX_free(md);
	for (int i = 0; i < 32; i++)
		snprintf(ret + 2 * i, 3, "%02x", d[i]);
}

static void write_truth(void)
{
	FILE *f = fopen(opt.truth, "w");

	if (!f)
		err(1, "%s", opt.truth);
	for (uint64_t i = 0; i < nended; i++) {
		const struct ended *e = &ended[i];
		char id[64], sha[2][65];

		call_id(&load, e->number, id);
		fprintf(f, "%s\t%s\t%u\t%u\t%u", id, load.kind[e->kind].name, e->packets[0], e->packets[1], e->events);
		for (int k = 0; opt.sha && k < 2; k++) {
			sha_of(e->at[k], e->packets[k], sha[k]);
			fprintf(f, "\t%s", sha[k]);
		}
		fputc('\n', f);
	}
	if (fclose(f))
		err(1, "%s", opt.truth);
}

static uint32_t late_at(double share)
{
	uint64_t sum = 0, want = (uint64_t)(share * (double)load.tick);

	for (uint32_t i = 0; i < LATE_BUCKETS; i++) {
		sum += late[i];
		if (sum > want)
			return i * 10;
	}
	return LATE_BUCKETS * 10;
}

static double cpu_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void report(const struct rusage *before, double wall_s)
{
	uint64_t rtp[2] = { 0, 0 };
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	printf("{\"sender\":\"%s\",\"calls\":{\"started\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"ended\":%" PRIu64
	       ",\"peak\":%u},\"kinds\":{",
	       opt.packet ? "packet" : "live", load.started, load.answered, load.ended, load.peak);
	for (unsigned i = 0; i < load.nkind; i++) {
		const struct kind *k = &load.kind[i];

		printf("%s\"%s\":{\"calls\":%" PRIu64 ",\"caller\":%" PRIu64 ",\"callee\":%" PRIu64 ",\"events\":%" PRIu64 "}",
		       i ? "," : "", k->name, k->calls, k->rtp[0], k->rtp[1], k->events);
		rtp[0] += k->rtp[0];
		rtp[1] += k->rtp[1];
	}
	printf("},\"rtp\":{\"sent\":%" PRIu64 ",\"caller\":%" PRIu64 ",\"callee\":%" PRIu64 ",\"events\":%" PRIu64
	       "},\"sip\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"errors\":%" PRIu64,
	       load.wire.rtp, rtp[0], rtp[1], load.wire.events, load.wire.messages,
	       load.wire.rtp + load.wire.messages + load.wire.events, load.wire.errors);
	printf(",\"ticks\":{\"all\":%" PRIu64 ",\"late\":%" PRIu64 ",\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%" PRIu64
	       "},\"seconds\":%.3f,\"cpu\":{\"user\":%.4f,\"system\":%.4f}",
	       load.tick, late_ticks, late_at(0.5), late_at(0.99), late_max_ns / 1000, wall_s,
	       cpu_of(ru.ru_utime) - cpu_of(before->ru_utime), cpu_of(ru.ru_stime) - cpu_of(before->ru_stime));
	if (probe)
		probe_end(probe);
	printf("}\n");
}

/* ---- running ---- */

/* Late is a tick whose turn comes a millisecond or more after its time. */
static void keep_time(uint64_t start_ns)
{
	uint64_t due = start_ns + load.tick * 1000000, now = mono_ns(), by;
	struct timespec t = { (time_t)(due / 1000000000), (long)(due % 1000000000) };

	if (now < due) {
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR && !stop)
			;
		now = mono_ns();
	}
	by = now > due ? now - due : 0;
	late[by / 10000 < LATE_BUCKETS ? by / 10000 : LATE_BUCKETS - 1]++;
	late_ticks += by >= 1000000;
	if (by > late_max_ns)
		late_max_ns = by;
}

static void start_calls(void)
{
	uint64_t credit = (load.tick + 1) * opt.rate / 1000 - load.tick * opt.rate / 1000;

	while (credit-- && load.active < opt.calls && (!opt.total || load.started < opt.total)) {
		if (!call_start(&load))
			break;
	}
}

static void run_calls(void)
{
	uint64_t start_ns = mono_ns(), last = (uint64_t)opt.duration_s * 1000;
	bool ending = false, told = false;
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	for (; !ending || load.active; load.tick++) {
		if (!opt.fast)
			keep_time(start_ns);
		if (load.tick >= last || stop)
			ending = true;
		if (ending && !told && (stop == SIGTERM || !load.hold_ms)) {
			told = true;
			load_end(&load, opt.end_s * 1000);
		}
		if (!ending)
			start_calls();
		load_tick(&load);
		if (opt.total && load.ended == opt.total)
			ending = true;
	}
	report(&ru, (double)(mono_ns() - start_ns) / 1e9);
}

static void make_sound(void)
{
	struct audio a;

	audio_init(&a, opt.speech, 1);
	audio_copy(&a, load.pt == 8, 0, load.wire.pool, LOAD_POOL);
	memcpy(load.wire.pool + LOAD_POOL, load.wire.pool, 4096);
	free(a.law[0]);
	free(a.law[1]);
}

#define SOUND_PACKETS (3600 * 50)

static void write_sound(void)
{
	static struct lcall c;
	unsigned leg;
	char path[4096];
	FILE *f;

	if (sscanf(opt.sound, "%" SCNu64 ":%u:%4095s", &c.number, &leg, path) != 3 || leg > 1)
		errx(2, "--sound: '%s' is not N:LEG:FILE", opt.sound);
	call_sound(&load, c.number, c.at0);
	f = fopen(path, "w");
	for (uint64_t i = 0; f && i < SOUND_PACKETS; i++)
		fwrite(load.wire.pool + (uint32_t)(c.at0[leg] + i * LOAD_PAYLOAD) % LOAD_POOL, 1, LOAD_PAYLOAD, f);
	if (!f || fclose(f))
		err(1, "%s", path);
}

static void write_pool(void)
{
	FILE *f = fopen(opt.pool, "w");

	if (!f || fwrite(load.wire.pool, 1, LOAD_POOL + LOAD_PAYLOAD, f) != LOAD_POOL + LOAD_PAYLOAD || fclose(f))
		err(1, "%s", opt.pool);
}

static void on_signal(int sig)
{
	stop = sig;
}

static void pin(void)
{
	struct sched_param sp = { .sched_priority = opt.fifo };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)opt.cpu, &set);
	if (opt.cpu >= 0 && sched_setaffinity(0, sizeof(set), &set))
		err(1, "--cpu %d", opt.cpu);
	if (opt.probe)
		probe = probe_start(opt.probe); /* on the same CPU, without the priority */
	if (opt.fifo && sched_setscheduler(0, SCHED_FIFO, &sp))
		err(1, "--fifo %d", opt.fifo);
}

static int sink_open(const char *ifname)
{
	struct bpf_object *o = load_object(2, 2, 14);
	int fd = bpf_program__fd(bpf_object__find_program_by_name(o, "load_sink")), link;

	link = bpf_link_create(fd, (int)if_nametoindex(ifname), BPF_XDP, NULL);
	if (link < 0)
		err(1, "%s: no XDP program", ifname);
	bpf_object__close(o);
	return link; /* detached when we end */
}

static void gro_on(const char *ifname)
{
	struct ethtool_value v = { ETHTOOL_SGRO, 1 };
	struct ifreq r = { .ifr_data = (void *)&v };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &r))
		err(1, "--gro %s", ifname);
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t places;
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
		option(o, optarg);
	if (optind < argc || !opt.interface) {
		fputs(usage, stderr);
		return 2;
	}
	if (!load.nkind)
		add_kind("kept:1:+4520######:+45701020##");
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	load.hold_ms = (uint32_t)(opt.hold_s * 1000);
	load.on_answer = on_answer;
	load.on_end = on_end;
	load.real_time = !opt.fast;
	/* Four seconds before an address comes back. */
	places = (uint64_t)opt.calls + (opt.hold_s > 0 ? 4 * (uint64_t)opt.rate : 0) + 1;
	load_places(&load, (uint32_t)places);
	load.wire.batch = opt.batch;
	if (opt.sink)
		sink_open(opt.sink);
	if (opt.gro)
		gro_on(opt.gro);
	wire_open(&load.wire, opt.interface, !opt.packet, opt.vlan, (uint32_t)places * 2);
	make_sound();
	if (opt.sound)
		write_sound();
	if (opt.pool)
		write_pool();
	ended = malloc(4096 * sizeof(*ended));
	if (!ended)
		err(1, NULL);
	pin();
	run_calls();
	if (opt.truth)
		write_truth();
	wire_close(&load.wire);
	free(ended);
	free(load.call);
	return load.wire.errors ? 1 : 0;
}

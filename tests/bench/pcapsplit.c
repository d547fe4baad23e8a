/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapsplit.c - the bench's peer: one plain capture file per call
 *
 *   pcapsplit IN.pcap OUTDIR
 *
 * What pcapsipdump does, in its simplest form: SIP over UDP port 5060 on Ethernet
 * names the call (Call-ID) and its media addresses (c= and m=audio), packets from
 * or to these go to the call's file. No compression, no encryption, no order, no
 * duplicates removed, no decision. Uses no code of the daemon, so that the bench
 * compares with something of its own. A call buffers BUFFER bytes and opens its
 * file only to append them, so one file is open at a time.
 *
 * Last line: calls, packets read, packets written.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER 65536
#define SLOTS  (1u << 18)
#define PROBES 64

struct call {
	struct call *next;
	uint64_t hash;
	uint32_t number;
	size_t idlen, n;
	char id[256];
	uint8_t b[BUFFER];
};

struct place { /* of media */
	uint8_t ip[16];
	uint16_t port; /* 0: free */
	struct call *call;
};

struct packet {
	const uint8_t *src, *dst; /* iplen bytes */
	size_t iplen;
	uint16_t sport, dport;
	const uint8_t *p;
	size_t n;
};

static struct call *calls[SLOTS];
static struct place *places;
static uint32_t ncalls;
static uint64_t nread, nwritten;
static const char *dir;
static uint8_t file_head[24];

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint64_t hash(const void *p, size_t n, uint64_t h)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return h ^ h >> 29;
}

/* ---- files ---- */

static void flush(struct call *c)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%08u.pcap", dir, c->number);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || write(fd, c->b, c->n) != (ssize_t)c->n || close(fd))
		err(1, "%s", path);
	c->n = 0;
}

static void put(struct call *c, const struct pcap_pkthdr *h, const uint8_t *p)
{
	uint32_t head[4] = {(uint32_t)h->ts.tv_sec, (uint32_t)h->ts.tv_usec, h->caplen, h->len};

	if (h->caplen > BUFFER - sizeof(head))
		return;
	if (c->n + sizeof(head) + h->caplen > BUFFER)
		flush(c);
	memcpy(c->b + c->n, head, sizeof(head));
	memcpy(c->b + c->n + sizeof(head), p, h->caplen);
	c->n += sizeof(head) + h->caplen;
	nwritten++;
}

/* ---- calls and places ---- */

static struct call *call_get(const char *id, size_t n)
{
	uint64_t h = hash(id, n, 1);
	struct call *c;

	for (c = calls[h % SLOTS]; c; c = c->next) {
		if (c->hash == h && c->idlen == n && !memcmp(c->id, id, n))
			return c;
	}
	c = malloc(sizeof(*c));
	if (!c)
		err(1, NULL);
	c->hash = h;
	c->number = ncalls++;
	c->idlen = n;
	memcpy(c->id, id, n);
	memcpy(c->b, file_head, sizeof(file_head));
	c->n = sizeof(file_head);
	c->next = calls[h % SLOTS];
	calls[h % SLOTS] = c;
	return c;
}

/* NULL: not there; add: make one, or NULL when the neighbourhood is full. */
static struct place *place(const uint8_t *ip, size_t iplen, uint16_t port, bool add)
{
	uint64_t h = hash(&port, 2, hash(ip, iplen, 2));

	for (unsigned i = 0; i < PROBES; i++) {
		struct place *p = &places[(h + i) % SLOTS];

		if (p->port == port && !memcmp(p->ip, ip, iplen))
			return p;
		if (p->port)
			continue;
		if (!add)
			return NULL;
		memcpy(p->ip, ip, iplen);
		p->port = port;
		return p;
	}
	return NULL;
}

/* ---- SIP ---- */

/* The rest of the line that begins with `name`, or NULL. */
static const char *line(const uint8_t *p, size_t n, const char *name, size_t *ret_n)
{
	size_t k = strlen(name);
	const uint8_t *end = p + n, *q, *eol;

	for (q = p; q && (size_t)(end - q) > k; q = memchr(q, '\n', (size_t)(end - q)), q += !!q) {
		if (strncasecmp((const char *)q, name, k))
			continue;
		eol = memchr(q, '\n', (size_t)(end - q));
		eol = eol ? eol : end;
		while (eol > q + k && eol[-1] <= ' ')
			eol--;
		for (q += k; q < eol && *q == ' '; q++)
			;
		*ret_n = (size_t)(eol - q);
		return (const char *)q;
	}
	return NULL;
}

static void media(struct call *c, const struct packet *k)
{
	size_t n, m;
	const char *at = line(k->p, k->n, "c=IN IP", &n), *audio = line(k->p, k->n, "m=audio ", &m);
	char text[64], number[8] = "";
	uint8_t ip[16];
	struct place *p;

	if (!at || !audio || n < 3 || n - 2 >= sizeof(text))
		return;
	memcpy(text, at + 2, n - 2);
	text[n - 2] = 0;
	if (inet_pton(*at == '6' ? AF_INET6 : AF_INET, text, ip) != 1)
		return;
	memcpy(number, audio, m < 7 ? m : 7);
	if (!atoi(number))
		return;
	p = place(ip, *at == '6' ? 16 : 4, (uint16_t)atoi(number), true);
	if (p)
		p->call = c;
}

static struct call *sip(const struct packet *k)
{
	struct call *c;
	const char *id;
	size_t n;

	id = line(k->p, k->n, "Call-ID:", &n);
	if (!id)
		id = line(k->p, k->n, "i:", &n);
	if (!id || n >= sizeof(c->id))
		return NULL;
	c = call_get(id, n);
	media(c, k);
	return c;
}

/* ---- packets ---- */

static bool udp(const uint8_t *p, size_t n, struct packet *ret)
{
	uint16_t type;
	size_t head;

	if (n < 14)
		return false;
	type = be16(p + 12);
	p += 14;
	n -= 14;
	if (type == 0x0800 && n >= 20) {
		head = (size_t)(p[0] & 15) * 4;
		if (p[9] != 17 || be16(p + 6) & 0x1fff)
			return false;
		ret->src = p + 12;
		ret->dst = p + 16;
		ret->iplen = 4;
	} else if (type == 0x86dd && n >= 40 && p[6] == 17) {
		head = 40;
		ret->src = p + 8;
		ret->dst = p + 24;
		ret->iplen = 16;
	} else {
		return false;
	}
	if (head < 20 || n < head + 8)
		return false;
	ret->sport = be16(p + head);
	ret->dport = be16(p + head + 2);
	ret->p = p + head + 8;
	ret->n = n - head - 8;
	return true;
}

static void packet(const struct pcap_pkthdr *h, const uint8_t *p)
{
	struct place *at;
	struct packet k;
	struct call *c;

	nread++;
	if (!udp(p, h->caplen, &k))
		return;
	if (k.sport == 5060 || k.dport == 5060) {
		c = sip(&k);
	} else {
		at = place(k.dst, k.iplen, k.dport, false);
		if (!at)
			at = place(k.src, k.iplen, k.sport, false);
		c = at ? at->call : NULL;
	}
	if (c)
		put(c, h, p);
}

int main(int argc, char **argv)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 262144, DLT_EN10MB};
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *p;
	pcap_t *in;
	int ret;

	if (argc != 3) {
		fprintf(stderr, "usage: pcapsplit IN.pcap OUTDIR\n");
		return 2;
	}
	dir = argv[2];
	memcpy(file_head, head, sizeof(head));
	places = calloc(SLOTS, sizeof(*places));
	in = pcap_open_offline(argv[1], why);
	if (!in || !places)
		errx(1, "%s", in ? "out of memory" : why);
	if (pcap_datalink(in) != DLT_EN10MB)
		errx(1, "%s: not Ethernet", argv[1]);
	while ((ret = pcap_next_ex(in, &h, &p)) == 1)
		packet(h, p);
	if (ret == PCAP_ERROR)
		errx(1, "%s: %s", argv[1], pcap_geterr(in));
	pcap_close(in);
	for (unsigned i = 0; i < SLOTS; i++) {
		while (calls[i]) {
			struct call *c = calls[i];

			calls[i] = c->next;
			flush(c);
			free(c);
		}
	}
	free(places);
	printf("%u calls, %" PRIu64 " packets read, %" PRIu64 " written\n", ncalls, nread, nwritten);
	return 0;
}

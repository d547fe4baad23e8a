/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pcap.c - capture files written here: link types, byte orders, resolutions, cut at every byte */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/le.h"
#include "capture/pcap.h"

#define SEC 1700000000U

struct file {
	uint8_t b[4096];
	size_t n;
	bool big;
};

static char dir[] = "/tmp/optag-test-pcap.XXXXXX";
static char path[sizeof(dir) + 16];

static void put16(struct file *f, uint16_t v)
{
	(f->big ? be16enc : le16enc)(f->b + f->n, v);
	f->n += 2;
}

static void put32(struct file *f, uint32_t v)
{
	(f->big ? be32enc : le32enc)(f->b + f->n, v);
	f->n += 4;
}

static void put(struct file *f, const void *p, size_t n)
{
	memcpy(f->b + f->n, p, n);
	f->n += n;
}

static void pcap_head(struct file *f, bool big, bool ns, uint32_t linktype)
{
	f->n = 0;
	f->big = big;
	put32(f, ns ? 0xa1b23c4d : 0xa1b2c3d4);
	put16(f, 2);
	put16(f, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, 65535);
	put32(f, linktype);
}

static void pcap_rec(struct file *f, uint32_t frac, const void *p, uint32_t n, uint32_t wire)
{
	put32(f, SEC);
	put32(f, frac);
	put32(f, n);
	put32(f, wire);
	put(f, p, n);
}

static void ng_head(struct file *f)
{
	f->n = 0;
	f->big = false;
	put32(f, 0x0a0d0d0a);
	put32(f, 28);
	put32(f, 0x1a2b3c4d);
	put16(f, 1);
	put16(f, 0);
	put32(f, 0xffffffff);
	put32(f, 0xffffffff);
	put32(f, 28);
}

/* tsresol: 6 or 9, the power of ten of the interface's timestamps. */
static void ng_interface(struct file *f, uint16_t linktype, uint8_t tsresol)
{
	put32(f, 1);
	put32(f, 32);
	put16(f, linktype);
	put16(f, 0);
	put32(f, 65535);
	put16(f, 9);
	put16(f, 1);
	put32(f, tsresol);
	put32(f, 0);
	put32(f, 32);
}

static void ng_packet(struct file *f, uint32_t interface, uint64_t ts, const void *p, uint32_t n)
{
	uint32_t padded = (n + 3) / 4 * 4;

	put32(f, 6);
	put32(f, 32 + padded);
	put32(f, interface);
	put32(f, (uint32_t)(ts >> 32));
	put32(f, (uint32_t)ts);
	put32(f, n);
	put32(f, n);
	put(f, p, n);
	memset(f->b + f->n, 0, padded - n);
	f->n += padded - n;
	put32(f, 32 + padded);
}

static void save(const struct file *f, size_t n)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(f->b, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
}

static struct pcap_file *opened(const struct file *f)
{
	struct pcap_file *p = NULL;
	char why[256];

	save(f, f->n);
	assert_int_equal(pcap_file_open(path, &p, why, sizeof(why)), 0);
	return p;
}

static const uint8_t ip4[] = { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 };

/* ---- link types ---- */

struct link_case {
	const char *name;
	uint32_t linktype;
	uint8_t head[24];
	size_t n, strip;
	enum classify_link want;
	uint16_t ethertype;
	bool skipped;
};

static const struct link_case links[] = {
	{ "ethernet", 1, { [12] = 8 }, 14, 0, CLASSIFY_ETHERNET, 0, false },
	{ "raw", 101, { 0 }, 0, 0, CLASSIFY_IP, 0, false },
	{ "ipv4", 228, { 0 }, 0, 0, CLASSIFY_IPV4, 0, false },
	{ "ipv6", 229, { 0 }, 0, 0, CLASSIFY_IPV6, 0, false },
	{ "cooked", 113, { [3] = 1, [14] = 8 }, 16, 16, CLASSIFY_ETHERTYPE, 0x0800, false },
	{ "cooked vlan", 113, { [3] = 1, [14] = 0x81 }, 16, 16, CLASSIFY_ETHERTYPE, 0x8100, false },
	{ "cooked netlink", 113, { [2] = 824 >> 8, [3] = 824 & 255 }, 16, 0, 0, 0, true },
	{ "cooked 2", 276, { [0] = 0x86, [1] = 0xdd, [9] = 1 }, 20, 20, CLASSIFY_ETHERTYPE, 0x86dd, false },
	{ "cooked 2 netlink", 276, { [0] = 8, [8] = 824 >> 8, [9] = 824 & 255 }, 20, 0, 0, 0, true },
	{ "null little", 0, { 2 }, 4, 4, CLASSIFY_IPV4, 0, false },
	{ "null big", 0, { [3] = 2 }, 4, 4, CLASSIFY_IPV4, 0, false },
	{ "null little 30", 0, { 30 }, 4, 4, CLASSIFY_IPV6, 0, false },
	{ "null big 28", 0, { [3] = 28 }, 4, 4, CLASSIFY_IPV6, 0, false },
	{ "null 24", 0, { 24 }, 4, 4, CLASSIFY_IPV6, 0, false },
	{ "null 10", 0, { 10 }, 4, 4, CLASSIFY_IPV6, 0, false },
	{ "null other", 0, { 7 }, 4, 0, 0, 0, true },
	{ "loop", 108, { [3] = 2 }, 4, 4, CLASSIFY_IPV4, 0, false },
	{ "loop 24", 108, { [3] = 24 }, 4, 4, CLASSIFY_IPV6, 0, false },
};

static void check_link(const struct link_case *c, bool big, bool ns)
{
	uint8_t frame[64];
	struct file f;
	struct pcap_file *p;
	struct pcap_packet k;
	char why[256];

	memcpy(frame, c->head, c->n);
	memcpy(frame + c->n, ip4, sizeof(ip4));
	pcap_head(&f, big, ns, c->linktype);
	pcap_rec(&f, 123456, frame, (uint32_t)(c->n + sizeof(ip4)), (uint32_t)(c->n + 100));
	p = opened(&f);
	if (c->skipped) {
		assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 0);
		assert_int_equal(pcap_file_skipped(p), 1);
		pcap_file_close(p);
		return;
	}
	if (pcap_file_next(p, &k, why, sizeof(why)) != 1)
		fail_msg("%s: no packet", c->name);
	assert_int_equal(k.link, c->want);
	assert_int_equal(k.caplen, c->n - c->strip + sizeof(ip4));
	assert_int_equal(k.wire_len, c->n - c->strip + 100);
	assert_memory_equal(k.data + c->n - c->strip, ip4, sizeof(ip4));
	assert_int_equal(k.ts_ns, SEC * 1000000000ULL + (ns ? 123456 : 123456000));
	if (c->want == CLASSIFY_ETHERTYPE)
		assert_int_equal(k.ethertype, c->ethertype);
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 0);
	assert_int_equal(pcap_file_skipped(p), 0);
	pcap_file_close(p);
}

static void test_link_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		for (int how = 0; how < 4; how++)
			check_link(&links[i], how & 1, how & 2);
}

/* Every link header cut at every byte is skipped and counted, never read beyond. */
static void test_short_link_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		for (size_t n = 0; n < links[i].strip; n++) {
			struct file f;
			struct pcap_file *p;
			struct pcap_packet k;
			char why[256];

			pcap_head(&f, false, false, links[i].linktype);
			pcap_rec(&f, 0, links[i].head, (uint32_t)n, 100);
			p = opened(&f);
			assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 0);
			assert_int_equal(pcap_file_skipped(p), 1);
			pcap_file_close(p);
		}
}

/* ---- pcapng ---- */

static void test_pcapng(void **state)
{
	struct file f;
	struct pcap_file *p;
	struct pcap_packet k;
	char why[256];

	(void)state;
	ng_head(&f);
	ng_interface(&f, 1, 6);
	ng_interface(&f, 1, 9);
	ng_packet(&f, 0, SEC * 1000000ULL + 7, ip4, sizeof(ip4));
	ng_packet(&f, 1, SEC * 1000000000ULL + 7, ip4, sizeof(ip4) - 1);
	p = opened(&f);
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 1);
	assert_int_equal(k.link, CLASSIFY_ETHERNET);
	assert_int_equal(k.ts_ns, SEC * 1000000000ULL + 7000);
	assert_int_equal(k.caplen, sizeof(ip4));
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 1);
	assert_int_equal(k.ts_ns, SEC * 1000000000ULL + 7);
	assert_int_equal(k.caplen, sizeof(ip4) - 1);
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 0);
	pcap_file_close(p);
}

static void test_mixed_link_types(void **state)
{
	struct file f;
	struct pcap_file *p;
	struct pcap_packet k;
	char why[256] = "";

	(void)state;
	ng_head(&f);
	ng_interface(&f, 101, 6);
	ng_packet(&f, 0, 1, ip4, sizeof(ip4));
	ng_interface(&f, 1, 6);
	ng_packet(&f, 1, 1, ip4, sizeof(ip4));
	p = opened(&f);
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 1);
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "type"));
	pcap_file_close(p);
}

/* ---- cut files ---- */

static void check_cut(const struct file *f, size_t n, const size_t *ends, size_t packets)
{
	struct pcap_file *p = NULL;
	struct pcap_packet k;
	char why[256] = "";
	size_t got = 0, want = 0;
	int r;

	save(f, n);
	while (want < packets && ends[want + 1] <= n)
		want++;
	r = pcap_file_open(path, &p, why, sizeof(why));
	if (r < 0) {
		assert_int_equal(r, -EBADMSG);
		assert_true(n < ends[0]);
		assert_true(!strncmp(why, path, strlen(path)) && !strchr(why, '\n'));
		return;
	}
	while ((r = pcap_file_next(p, &k, why, sizeof(why))) == 1)
		got++;
	assert_int_equal(got, want);
	assert_int_equal(r, n == ends[want] ? 0 : -EBADMSG);
	if (r < 0) {
		assert_true(!strncmp(why, path, strlen(path)) && !strchr(why, '\n'));
		/* it stays where it is */
		assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), -EBADMSG);
	}
	pcap_file_close(p);
}

/* What came before the cut is delivered, a clean end is no damage, all else is named. */
static void test_cut_at_every_byte(void **state)
{
	struct file f;
	size_t ends[4];

	(void)state;
	pcap_head(&f, false, false, 101);
	ends[0] = f.n;
	for (int i = 0; i < 3; i++) {
		pcap_rec(&f, 0, ip4, sizeof(ip4), sizeof(ip4));
		ends[i + 1] = f.n;
	}
	for (size_t n = 0; n <= f.n; n++)
		check_cut(&f, n, ends, 3);
	ng_head(&f);
	ng_interface(&f, 101, 6);
	ends[0] = f.n;
	for (int i = 0; i < 3; i++) {
		ng_packet(&f, 0, 1, ip4, sizeof(ip4));
		ends[i + 1] = f.n;
	}
	for (size_t n = 0; n <= f.n; n++)
		check_cut(&f, n, ends, 3);
}

/* ---- not a capture ---- */

static int open_error(const char *name, const char *expect)
{
	struct pcap_file *p = NULL;
	char why[256] = "";
	int r = pcap_file_open(name, &p, why, sizeof(why));

	assert_true(r < 0);
	assert_null(p);
	assert_true(!strncmp(why, name, strlen(name)) && !strchr(why, '\n'));
	if (!strstr(why, expect))
		fail_msg("'%s' does not say '%s'", why, expect);
	return r;
}

static void test_refused(void **state)
{
	struct file f = { .n = 0 };

	(void)state;
	assert_int_equal(open_error("/nonexistent/x.pcap", "No such file"), -ENOENT);
	assert_int_equal(open_error(dir, "directory"), -EISDIR);
	save(&f, 0);
	assert_int_equal(open_error(path, "empty file"), -EBADMSG);
	put(&f, "this is a text and no capture of anything", 40);
	save(&f, f.n);
	assert_int_equal(open_error(path, "not a capture file"), -EBADMSG);
	pcap_head(&f, false, false, 105); /* 802.11 */
	save(&f, f.n);
	assert_int_equal(open_error(path, "IEEE802_11"), -ENOTSUP);
	if (geteuid()) {
		pcap_head(&f, false, false, 1);
		save(&f, f.n);
		assert_int_equal(chmod(path, 0), 0);
		assert_int_equal(open_error(path, "Permission denied"), -EACCES);
		assert_int_equal(chmod(path, 0600), 0);
	}
}

static void test_short_why(void **state)
{
	struct pcap_file *p = NULL;
	char why[8];

	(void)state;
	memset(why, 'x', sizeof(why));
	assert_int_equal(pcap_file_open("/nonexistent/x.pcap", &p, why, sizeof(why)), -ENOENT);
	assert_int_equal(why[7], 0);
	pcap_file_close(NULL);
}

/* ---- stdin and progress ---- */

static void test_stdin_and_progress(void **state)
{
	struct pcap_file *p = NULL;
	struct pcap_packet k;
	struct file f;
	uint64_t done, size;
	char why[256];
	int keep = dup(STDIN_FILENO), fds[2];

	(void)state;
	pcap_head(&f, true, true, 101);
	pcap_rec(&f, 1, ip4, sizeof(ip4), sizeof(ip4));
	p = opened(&f);
	while (pcap_file_next(p, &k, why, sizeof(why)) == 1)
		;
	pcap_file_progress(p, &done, &size);
	assert_int_equal(done, f.n);
	assert_int_equal(size, f.n);
	pcap_file_close(p);

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], f.b, f.n), f.n);
	close(fds[1]);
	assert_true(dup2(fds[0], STDIN_FILENO) == STDIN_FILENO);
	close(fds[0]);
	assert_int_equal(pcap_file_open("-", &p, why, sizeof(why)), 0);
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 1);
	assert_int_equal(k.ts_ns, SEC * 1000000000ULL + 1);
	assert_int_equal(pcap_file_next(p, &k, why, sizeof(why)), 0);
	pcap_file_progress(p, &done, &size);
	assert_int_equal(size, 0);
	pcap_file_close(p);
	if (keep >= 0) {
		assert_true(dup2(keep, STDIN_FILENO) == STDIN_FILENO);
		close(keep);
	}
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/x.pcap", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_types),
		cmocka_unit_test(test_short_link_headers),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_mixed_link_types),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_short_why),
		cmocka_unit_test(test_stdin_and_progress),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

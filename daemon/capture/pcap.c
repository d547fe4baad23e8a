/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap.c - capture files through libpcap
 *
 * libpcap reads the container; this file opens it with clear errors, asks for
 * nanoseconds, and takes the cooked and loopback headers off. One thread a file.
 */
#include "capture/pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/le.h"
#include "capture/pcap_internal.h"

#define READ_BUFFER 1048576 /* a quarter of the read(2) time of stdio's 4 KiB on large files */

struct pcap_file {
	pcap_t *p;
	char *name;
	int linktype;
	uint64_t size, skipped, packets;
	bool regular, damaged;
};

/* ---- opening ---- */

static int why_errno(int err, const char *name, char *why, size_t n)
{
	snprintf(why, n, "%s: %s", name, strerror(err));
	return -err;
}

static int open_stream(const char *path, const char *name, FILE **ret, struct stat *st, char *why,
		       size_t n)
{
	bool in = !strcmp(path, "-");
	int fd = in ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC), err;
	FILE *f;

	if (fd < 0)
		return why_errno(errno, name, why, n);
	if (fstat(fd, st) < 0)
		goto fail;
	if (S_ISDIR(st->st_mode)) {
		errno = EISDIR;
		goto fail;
	}
	f = fdopen(fd, "rb");
	if (!f)
		goto fail;
	*ret = f;
	return 0;
fail:
	err = errno;
	close(fd);
	return why_errno(err, name, why, n);
}

bool pcap_link_supported(int linktype)
{
	switch (linktype) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_NULL:
	case DLT_LOOP:
		return true;
	default:
		return false;
	}
}

static int refuse_linktype(int linktype, const char *name, char *why, size_t n)
{
	const char *text = pcap_datalink_val_to_name(linktype);

	snprintf(why, n, "%s: link type %d (%s) is not supported", name, linktype,
		 text ? text : "unknown");
	return -ENOTSUP;
}

static int start(struct pcap_file *f, FILE *in, char *why, size_t n)
{
	char err[PCAP_ERRBUF_SIZE] = "";

	/* Its failure only means smaller reads. */
	(void)setvbuf(in, NULL, _IOFBF, READ_BUFFER);
	f->p = pcap_fopen_offline_with_tstamp_precision(in, PCAP_TSTAMP_PRECISION_NANO, err);
	if (!f->p) {
		fclose(in);
		snprintf(why, n, "%s: not a capture file: %s", f->name, err);
		return -EBADMSG;
	}
	f->linktype = pcap_datalink(f->p);
	return pcap_link_supported(f->linktype) ? 0 : refuse_linktype(f->linktype, f->name, why, n);
}

int pcap_file_open(const char *path, struct pcap_file **ret, char *why, size_t n)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	struct pcap_file *f;
	struct stat st = { 0 };
	FILE *in = NULL;
	int r = open_stream(path, name, &in, &st, why, n);

	if (r < 0)
		return r;
	f = calloc(1, sizeof(*f));
	if (!f || !(f->name = strdup(name))) {
		fclose(in);
		pcap_file_close(f);
		return why_errno(ENOMEM, name, why, n);
	}
	f->regular = S_ISREG(st.st_mode);
	f->size = f->regular ? (uint64_t)st.st_size : 0;
	if (f->regular && !f->size) {
		snprintf(why, n, "%s: empty file, not a capture", name);
		fclose(in);
		r = -EBADMSG;
	} else {
		r = start(f, in, why, n);
	}
	if (r < 0) {
		pcap_file_close(f);
		return r;
	}
	*ret = f;
	return 0;
}

void pcap_file_close(struct pcap_file *f)
{
	if (!f)
		return;
	if (f->p)
		pcap_close(f->p);
	free(f->name);
	free(f);
}

/* ---- link headers ---- */

static bool take(struct pcap_packet *p, size_t n)
{
	if (p->caplen < n || p->wire_len < n)
		return false;
	p->data += n;
	p->caplen -= n;
	p->wire_len -= n;
	return true;
}

/* Netlink and bare 802.11 use the protocol field for numbers of their own. */
static bool cooked_is_ethertype(uint16_t arphrd)
{
	return arphrd != 824 && (arphrd < 801 || arphrd > 803);
}

static bool cooked1(struct pcap_packet *p)
{
	const uint8_t *h = p->data;

	p->link = CLASSIFY_ETHERTYPE;
	if (!take(p, 16) || !cooked_is_ethertype(be16dec(h + 2)))
		return false;
	p->ethertype = be16dec(h + 14);
	return true;
}

static bool cooked2(struct pcap_packet *p)
{
	const uint8_t *h = p->data;

	p->link = CLASSIFY_ETHERTYPE;
	if (!take(p, 20) || !cooked_is_ethertype(be16dec(h + 8)))
		return false;
	p->ethertype = be16dec(h);
	return true;
}

/*
 * The address family in the byte order of whoever captured (NULL) or big-endian
 * (LOOP): 2 is IPv4 everywhere, IPv6 is 10 (Linux), 24 (NetBSD, OpenBSD), 28
 * (FreeBSD) or 30 (macOS). All are below 256, so the zero bytes tell the order.
 */
static bool loopback(struct pcap_packet *p)
{
	const uint8_t *h = p->data;
	uint32_t family;

	if (!take(p, 4))
		return false;
	family = be32dec(h);
	if (family > 0xffff)
		family = le32dec(h);
	switch (family) {
	case 2:
		p->link = CLASSIFY_IPV4;
		return true;
	case 10:
	case 24:
	case 28:
	case 30:
		p->link = CLASSIFY_IPV6;
		return true;
	default:
		return false;
	}
}

bool pcap_link_strip(int linktype, struct pcap_packet *p)
{
	switch (linktype) {
	case DLT_EN10MB:
		p->link = CLASSIFY_ETHERNET;
		return true;
	case DLT_LINUX_SLL:
		return cooked1(p);
	case DLT_LINUX_SLL2:
		return cooked2(p);
	case DLT_RAW:
		p->link = CLASSIFY_IP;
		return true;
	case DLT_IPV4:
		p->link = CLASSIFY_IPV4;
		return true;
	case DLT_IPV6:
		p->link = CLASSIFY_IPV6;
		return true;
	default:
		return loopback(p);
	}
}

/* ---- packets ---- */

/* The file's number, whatever it is, as nanoseconds that do not overflow. */
uint64_t pcap_time_ns(const struct timeval *tv)
{
	uint64_t s = tv->tv_sec < 0 ? 0 : (uint64_t)tv->tv_sec;
	uint64_t frac = tv->tv_usec < 0 ? 0 : (uint64_t)tv->tv_usec;

	if (s > UINT64_MAX / NS_PER_S - 1)
		s = UINT64_MAX / NS_PER_S - 1;
	return s * NS_PER_S + (frac < NS_PER_S ? frac : NS_PER_S - 1);
}

static int stopped(struct pcap_file *f, char *why, size_t n)
{
	f->damaged = true;
	snprintf(why, n, "%s: damaged after packet %llu: %s", f->name,
		 (unsigned long long)f->packets, pcap_geterr(f->p));
	return -EBADMSG;
}

int pcap_file_next(struct pcap_file *f, struct pcap_packet *ret, char *why, size_t n)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int r;

	while (!f->damaged) {
		r = pcap_next_ex(f->p, &h, &data);
		if (r == PCAP_ERROR_BREAK)
			return 0;
		if (r != 1)
			break;
		f->packets++;
		*ret = (struct pcap_packet){ .data = data,
					     .caplen = h->caplen,
					     .wire_len = h->len,
					     .ts_ns = pcap_time_ns(&h->ts) };
		if (pcap_link_strip(f->linktype, ret))
			return 1;
		f->skipped++;
	}
	return stopped(f, why, n);
}

void pcap_file_progress(const struct pcap_file *f, uint64_t *ret_read, uint64_t *ret_size)
{
	off_t at = f->regular ? ftello(pcap_file(f->p)) : 0;

	*ret_read = at > 0 ? (uint64_t)at : 0;
	*ret_size = f->size;
}

uint64_t pcap_file_skipped(const struct pcap_file *f)
{
	return f->skipped;
}

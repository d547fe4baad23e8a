/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * play.c - sends the frames of a capture on an interface, at the times they have in it
 *
 *	play INTERFACE FILE.pcap
 *
 * Prints how many, and by how much the latest one came late (ms).
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void wait_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000ULL), (long)(ns % 1000000000ULL) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	char why[PCAP_ERRBUF_SIZE];
	uint64_t first = 0, begin = 0, late = 0, n = 0;
	struct pcap_pkthdr *h;
	const uint8_t *p;
	pcap_t *pc;
	ssize_t sent;
	int s;

	if (argc != 3)
		errx(2, "usage: play INTERFACE FILE.pcap");
	pc = pcap_open_offline_with_tstamp_precision(argv[2], PCAP_TSTAMP_PRECISION_NANO, why);
	if (!pc)
		errx(1, "%s", why);
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	s = socket(AF_PACKET, SOCK_RAW, 0);
	if (!to.sll_ifindex || s < 0 || bind(s, (struct sockaddr *)&to, sizeof(to)))
		err(1, "%s", argv[1]);
	while (pcap_next_ex(pc, &h, &p) == 1) {
		uint64_t t = (uint64_t)h->ts.tv_sec * 1000000000ULL + (uint64_t)h->ts.tv_usec, due, now;

		if (!n) {
			first = t;
			begin = now_ns();
		}
		due = begin + (t > first ? t - first : 0);
		now = now_ns();
		if (now < due)
			wait_until(due);
		else if (now - due > late)
			late = now - due;
		while ((sent = send(s, p, h->caplen, 0)) < 0 && errno == ENOBUFS)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL); /* others send there as well */
		if (sent != (ssize_t)h->caplen)
			err(1, "%s: frame %llu", argv[1], (unsigned long long)n);
		n++;
	}
	pcap_close(pc);
	close(s);
	printf("%llu frames, at most %llu ms late\n", (unsigned long long)n, (unsigned long long)(late / 1000000));
	return 0;
}

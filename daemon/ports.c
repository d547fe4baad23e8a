/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ports.c - interfaces: one daemon on each; those that are removed while it runs, and come back, see daemon.h
 *
 * Whether one is gone, its link tells: the kernel detaches the program from what
 * it removes. Whether it is back, netlink tells, by name: it has another index
 * then. Maps, flow table and calls outlive it; the other interfaces never notice.
 * Sockets are made before the system call filter; reading and asking is all that
 * happens later. (A driver's queues cannot be set then: that is said.)
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rtlink.h"
#include "capture/xdp.h"
#include "daemon.h"
#include "nic.h"

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t port_gone_ns(const struct port *p)
{
	return p->before_ns + (p->gone ? mono_ns() - p->since_ns : 0);
}

void ports_warn(const struct conf *c)
{
	for (size_t i = 0; i < c->ninterface; i++)
		if (c->interface[i].mirror && c->interface[i].xdp != CONF_XDP_NONE && rtlink_has_address(c->interface[i].name))
			log_warn("%s: it has an address, and what is sent to it is dropped there: a mirror port needs none, and what is "
				 "none needs 'mirror no'", c->interface[i].name);
}

/* Where it cannot be asked we go on: what it is for is a mistake, and not to record for it would be a greater one; two
 * XDP programs the kernel refuses by itself. */
int ports_own(struct daemon *d, char *why, size_t n)
{
	ports_warn(&d->conf);
	for (size_t i = 0; i < d->conf.ninterface; i++) {
		int e = nic_own(d->conf.interface[i].name, d->own[d->nown], why, n);

		if (!e)
			d->nown++;
		else if (e == -EBUSY || e == -ENODEV)
			return e;
		else
			log_warn("%s: another daemon would not be noticed", why);
		why[0] = '\0';
	}
	return 0;
}

/* ---- netlink ---- */

int ports_open(struct daemon *d)
{
	d->port_ask = rtlink_open(0);
	if (d->port_ask < 0 || !d->nxdp) /* libpcap's interface is not attached to again */
		return d->port_ask < 0 ? d->port_ask : 0;
	d->port_events = rtlink_open(RTMGRP_LINK);
	return d->port_events < 0 ? d->port_events : 0;
}

void ports_close(struct daemon *d)
{
	if (d->port_events >= 0)
		close(d->port_events);
	if (d->port_ask >= 0)
		close(d->port_ask);
	d->port_events = d->port_ask = -1;
	while (d->nown--)
		for (int i = 0; i < NIC_OWN; i++)
			close(d->own[d->nown][i]);
	d->nown = 0;
}

/* ---- what to do about it ---- */

static size_t attached(const struct daemon *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->nxdp; i++)
		n += !d->port[i].gone;
	return n;
}

static void went(struct daemon *d, size_t n)
{
	struct port *p = &d->port[n];
	size_t left;

	p->gone = true;
	*p->named = '\0';
	p->said = 0;
	p->times++;
	p->since_ns = mono_ns();
	left = attached(d);
	log_err("%s: the interface is gone: nothing of it is recorded until it is back%s", d->conf.interface[n].name,
		left ? "" : ", and there is no other: nothing is recorded at all");
	recorder_missed(d->rec, !left);
}

static void came(struct daemon *d, size_t n, uint32_t ifindex)
{
	const struct conf_interface *f = &d->conf.interface[n];
	struct port *p = &d->port[n];
	uint64_t away = mono_ns() - p->since_ns;

	p->gone = false;
	p->before_ns += away;
	d->ifindex[n] = ifindex;
	log_notice("%s: the interface is back after %llu.%03llu s (%s XDP)", f->name,
		   (unsigned long long)(away / NS_PER_S), (unsigned long long)(away % NS_PER_S / NS_PER_MS),
		   xdp_mode(d->xdp[n]) == XDP_NATIVE ? "native" : "generic");
	if (f->queues)
		log_warn("%s: its queues are as the driver made them, not %u, until the next start", f->name, f->queues);
}

static void try_again(struct daemon *d, size_t n)
{
	struct rtlink l;
	struct port *p = &d->port[n];
	char why[512];
	int e;

	if (rtlink_ask(d->port_ask, d->conf.interface[n].name, &l)) /* or it could not be asked: again, soon */
		return;
	e = xdp_reattach(d->xdp[n], l.index, why, sizeof(why));
	if (e == -ENODEV) /* gone again */
		return;
	if (*why && (!e || e != p->said))
		log_msg(e ? LOG_L_ERR : LOG_L_WARN, "%s", why);
	p->said = e;
	if (!e)
		came(d, n, l.index);
}

/* It is recorded from as before; whoever looks for it by the settings' name finds nothing, the next start included. */
static void look_for_name(struct daemon *d, size_t n)
{
	const char *name = d->conf.interface[n].name;
	struct port *p = &d->port[n];
	struct rtlink l;

	if (rtlink_ask_index(d->port_ask, d->ifindex[n], &l) || !strcmp(l.name, *p->named ? p->named : name))
		return;
	if (strcmp(l.name, name) != 0) {
		log_warn("%s: the interface is called %s now: it is recorded from, and after the next start if the settings say so, too", name,
			 l.name);
		memcpy(p->named, l.name, sizeof(p->named));
	} else {
		log_notice("%s: the interface has its name again", name);
		*p->named = '\0';
	}
}

void ports_run(struct daemon *d)
{
	if (d->port_events < 0)
		return;
	rtlink_drain(d->port_events); /* what happened does not matter, that something did: everything is looked at */
	for (size_t i = 0; i < d->nxdp; i++) {
		if (!d->port[i].gone && !xdp_attached(d->xdp[i]))
			went(d, i);
		if (d->port[i].gone)
			try_again(d, i);
		else
			look_for_name(d, i);
	}
}

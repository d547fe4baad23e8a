# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib-kinds.sh - a capture of every kind that gencap makes (fragments, TCP, encapsulations, link types, file formats), for
# scripts that define `judge NAME OPTIONS-OF-GENCAP...`

judge_kinds() {
	judge ipv6-fragments --calls 4 --seconds 2 --ip 6 --fragment 400
	judge fragments --calls 4 --seconds 2 --fragment 300
	judge tcp-retransmissions --calls 6 --seconds 2 --transport tcp --tcp-split 60 --tcp-retrans 0.2
	judge tcp-shared --calls 6 --seconds 2 --transport tcp --tcp-shared
	for e in vlan qinq mpls gre erspan2 erspan3 vxlan ipip; do
		judge $e --calls 2 --seconds 2 --encap $e
	done
	judge vxlan-6 --calls 2 --seconds 2 --encap vxlan --ip 6
	judge ipip-6 --calls 2 --seconds 2 --encap ipip --ip 6
	judge gre-fragments --calls 2 --seconds 2 --encap gre --fragment 400
	for l in sll sll2 raw null; do
		judge $l --calls 2 --seconds 2 --link $l
		judge $l-6 --calls 2 --seconds 2 --link $l --ip 6
	done
	judge nano --calls 2 --seconds 2 --nano
	judge pcapng --calls 2 --seconds 2 --pcapng
	judge pcapng-nano --calls 2 --seconds 2 --pcapng --nano
}

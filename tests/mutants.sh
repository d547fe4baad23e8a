#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Would the model tests notice? Breaks daemon/call/ in one place at a time and runs unit/test_model, or unit/test_model_talk:
# each of these faults must make it fail. Needs the tests built; `make fuzz` runs it. Exit 1: a fault that nobody noticed, or one that no longer
# fits the source.
set -u
SRC=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$SRC/build}
case $BUILD in /*) ;; *) BUILD=$SRC/$BUILD ;; esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
missed=0 n=0 test=test_model

mutant() { # NAME FILE SED-COMMAND
	local rc
	n=$((n + 1))
	sed "$3" "$SRC/daemon/call/$2" >"$work/$2"
	if cmp -s "$SRC/daemon/call/$2" "$work/$2"; then
		echo "STALE  $1: $2 has no such line"
		missed=$((missed + 1))
		return
	fi
	gcc -std=gnu11 -D_GNU_SOURCE -O1 -w -I"$SRC/bpf" -I"$SRC/daemon" -I"$SRC" -c -o "$work/m.o" "$work/$2" &&
		gcc -pthread -o "$work/test" "$BUILD/obj/tests/unit/$test.o" "$work/m.o" "$BUILD"/lib/lib{call,sip,base}.a -lcmocka -lsodium || exit 1
	MODEL_SEED=1 MODEL_SEQUENCES=20000 timeout 100 "$work/test" >"$work/out" 2>&1
	rc=$?
	if [ $rc = 0 ]; then
		echo "MISSED $1"
		missed=$((missed + 1))
	else
		echo "found  $1: $(sed -n 's/^shortest: //p' "$work/out")"
	fi
}

mutant "an opt-out during the call is not heard" purpose.c '/OO, S(GRANTED), E(OPT_OUT)/d'
mutant "silence is consent" purpose.c 's/CO, S(PENDING), E(WINDOW), S(DENIED), 0, "consent.none"/CO, S(PENDING), E(WINDOW), S(GRANTED), START, ""/'
mutant "lost packets are nothing" purpose.c '/OO, S(GRANTED), E(LOSS)/d'
mutant "a withdrawal destroys nothing" purpose.c 's/E(WITHDRAW), S(WITHDRAWN), DESTROY/E(WITHDRAW), S(WITHDRAWN), 0/'
mutant "a notice that is missing does not matter in D and G" purpose.c '/SP, S(PENDING), E(NO_NOTICE)/d'
mutant "a press alone stops D and G" purpose.c 's/SP, S(PENDING), E(NOTICE), S(GRANTED)/SP, S(GRANTED), E(OPT_OUT), S(OPTED_OUT), DESTROY, "optout" },\n	{ &/'
mutant "an objection pauses nothing" decide_audio.c 's/	return !c->decide.objected || /	return 1 || /'
mutant "who hangs up before the window is over is recorded" purpose.c 's/OO, S(PENDING), E(BYE), S(DENIED), DESTROY, "hangup"/OO, S(PENDING), E(BYE), S(GRANTED), START, ""/'
mutant "documentation without a notice is kept as if nothing were" purpose.c '/DO, S(GRANTED), E(NO_NOTICE)/d'
mutant "objection with grounds does not stop D and G" purpose.c '/SP, S(GRANTED), E(OBJECT_GROUNDS)/d'
mutant "the window never opens late" decide_notice.c 's/ && now >= d->window_from_ns\[p\] && now <= / \&\& now <= /'
mutant "the agent may consent" decide_key.c 's/		if (subject) {/		if (1) {/'
mutant "a consent counts without a notice" decide_notice.c 's/return (d->notice == CALL_NOTICE_PROVEN || d->hearing) && d->window_to_ns/return d->window_to_ns/; s/^	d->notice_due_ns = notice_due(c);$/&\n	d->window_from_ns[0] = d->window_from_ns[1] = 1; d->window_to_ns[0] = d->window_to_ns[1] = UINT64_MAX;/'
mutant "digits of a number consent" decide_key.c 's/	if (t->close >> /	if (0 \&\& t->close >> /'
mutant "a press from anywhere consents" decide_key.c 's/	if (!trusted || !by_consent/	if (!by_consent/'
mutant "the agent's loss counts" decide.c 's/leg != call_subject_leg(c) || ms < LOSS_HIDES_MS/ms < LOSS_HIDES_MS/'
mutant "what was lost in the classifier does not matter to silence" decide_notice.c 's/^		call_look_for_loss(cs, c, now);$/		;/'
mutant "what was lost in the classifier does not matter in the end" decide.c '/^	look_for_loss(cs, c, now_ns);$/d'
mutant "nobody listens for an opt-out where training is denied" decide_audio.c 's/	return listens_now(c, leg) || listens_for_later(c, leg);/	return listens_now(c, leg);/'
mutant "a window that a later policy made shorter stays open" decide_notice.c 's/^		d->window_to_ns\[p\] += .*/		;/'
mutant "a window that a later policy made longer stays open longer" call_policy.c 's/consent ? w->to_s < to : w->to_s > to/w->to_s != to/'
mutant "a smaller amount is nothing to who waits" call_policy.c 's/^		call_redrawn_out(cs, c, out);$/		;/'
mutant "59 ms hide a key" decide.c 's/ms < LOSS_HIDES_MS/ms < LOSS_HIDES_MS - 1/'
mutant "C waits in memory without a limit of time" decide_notice.c 's/		d->window_to_ns\[p\] = to;/&/; s/	if (!n \&\& !by_consent(c, p))/	if (0)/'
mutant "audio goes on in a pause" decide_audio.c 's/	return c->decide.paused || c->decide.pause_over;/	return c->decide.pause_over;/'
mutant "training is kept on a slot that may be lost" decide_audio.c 's/ || (p == POLICY_TRAINING && c->decide.sample_waits))/)/'
mutant "a consent that was taken back comes with the notice" decide_say.c 's/^	c->decide.consent_early\[p\] = 0;$//'
mutant "windows close after the call" decide.c 's/	if (over(cs, c, now_ns))$/	if (0)/'
mutant "what a policy stopped is written" decide_audio.c 's/	if (c->tight.stopped\[p\] || (p == POLICY_TRAINING/	if ((p == POLICY_TRAINING/'
mutant "the key goes after the log is told" call.c 's/	if (a.act & PURPOSE_D_DESTROY)$/	if (c->state[p] != PURPOSE_GRANTED) tell_state(cs, c, p, was, e);\n	if (a.act \& PURPOSE_D_DESTROY)/'
mutant "a crash forgets a pause" decide.c 's/d->header_seen | d->paused << 1/d->header_seen/'
mutant "a crash forgets that silence denied" decide.c 's/	buf_put8(out, (uint8_t)(d->timed_out\[i\]/	buf_put8(out, (uint8_t)(0/'
mutant "hold music is recorded" decide_audio.c 's/(!c->hold || (r->record_hold_music/(1 || (r->record_hold_music/'
mutant "training's opt-out ends documentation" decide_say.c 's/	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_OPT_OUT);/&\n	if (p) call_event(cs, c, 0, PURPOSE_E_OPT_OUT);/'
mutant "an agent's key on the caller's leg opts out" decide_key.c 's/subject ? b->optout_key\[i\] : b->optout_agent_key\[i\], subject ? M_OPT_OUT/subject ? b->optout_agent_key[i] : b->optout_agent_key[i], subject ? M_OPT_OUT/'
mutant "what began without proof is recorded" decide.c 's/	if (cs->sink.ready \&\& !cs->sink.ready(cs->sink.arg)) {/	if (0) {/'

# of conversations
test=test_model_talk
mutant "an opt-out stays in its call" group_bind.c '/group_spread(cs, c, e, NULL, false, now_ns);/d'
mutant "an opt-out where nothing is for training binds that call alone" group_bind.c 's/if (!o->ghost \&\& !o->peers->bound)/if (0)/'
mutant "an objection does not reach what was recorded before" group_bind.c '/cs->sink.unpark(cs->sink.arg, o, POLICY_DOCUMENTATION, e);/s/.*/;/'
mutant "an objection stops at the next call" group_bind.c 's/i < r.n; i++) {$/i < 1; i++) {/'
mutant "a pause does not reach what is tied later" group_bind.c 's/call_pause_goes_on(cs, to.*/;/'
mutant "a call that takes another one's place begins anew" group.c '/^\t\tgoes_on_for(c, o);/d'
mutant "a queue of nobody ends the conversation" group_keep.c 's/(o->matched || o->segment)/o->matched/'
mutant "another controller's call stays tied" segment.c 's/bool other = c->peers.*/bool other = false;/'
mutant "training goes on with a third party" segment.c '/^static void no_training/,/^}/s/call_event_why.*/;/'
echo "$n faults, $missed not found"
[ $missed = 0 ]

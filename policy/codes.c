/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codes.c - every code of the linter: what it is about, its reason, what to do
 *
 * A message may say both more exactly; what it leaves out is taken from here, so
 * that none comes without. optag-policy(5) has the same table for people, and
 * tests/cli/policy_codes.sh holds the two and the golden policies together.
 */
#include <string.h>

#include "internal.h"

static const struct code codes[] = {
	{"L-01", "", "what is not understood is never guessed.", "see optag-policy(5) for what can stand here."},
	{"L-02", "", "of two that say different things neither can be meant.", "keep one of the two."},
	{"L-03", "RX-1", "only calls to which the controller is a party are recorded.", "controller NAME side called"},
	{"L-04", "RX-1", "no rule matches everything.", "say which calls."},
	{"L-05", "N-01", "nothing is recorded without a purpose.", "documentation { ... } or training { ... }"},
	{"L-06", "N-04, N-39", "every purpose has its basis.", "basis consent, or basis interest."},
	{"L-07", "N-18, N-70", "somebody answers for each rule, and looks at it again within a year.",
	 "owner \"Head of ... <mail>\" and review DATE."},
	{"L-08", "R-04", "what a rule rests on must be there.", "correct the name, or write what it names."},
	{"L-09", "RX-1", "a rule names the controller's own numbers exactly.",
	 "write +45 7010 2030, +45 7010 20* or +45 8812 3400-8812 3499."},
	{"L-10", "", "times and deadlines are those of the controller's calendar.", "mon-fri 08:00-16:00"},
	{"L-11", "", "a call is decided at its first packet; the work is bounded.", "use fewer headers."},
	{"L-12", "", "the first rule that matches decides; a rule that never acts misleads.", "remove it, or move it."},
	{"L-13", "RX-2", "whose call it is must not follow from the order of rules.", "keep their numbers apart."},
	{"L-20", "N-20", "consent is an active act.", "consent-key 1, or consent-source api."},
	{"L-21", "N-19", "one key has one meaning.", "choose another key."},
	{"L-22", "N-19", "a consent is specific: one key, one purpose.", "give each purpose a key of its own."},
	{"L-23", "N-19", "a key that changes nothing misleads the caller.", "remove it, or use basis consent."},
	{"L-24", "N-21", "a press counts as an answer to the question, and soon after it.",
	 "window notice-start+3s to notice-end+10s"},
	{"L-25", "N-21", "silence or inactivity is no consent.", "remove it; ask for a consent-key."},
	{"L-26", "N-19", "whoever consents learns how to withdraw.", "say it, and name the element withdraw."},
	{"L-27", "", "there is no basis before the decision, and holding audio in memory is processing.",
	 "pre-decision block"},
	{"L-28", "R-41b", "the way to decide must exist.", "dtmf rfc4733 info"},
	{"L-30", "N-41", "without consent the caller must be able to opt out.",
	 "opt-out key 9, opt-out agent key *7, or opt-out agent api."},
	{"L-31", "N-41", "every path that is promised exists.", "opt-out agent key *7, or opt-out key 9."},
	{"L-32", "N-61", "the announcement says how to opt out, and what then happens.", "elements optout then"},
	{"L-33", "N-41", "an opt-out counts whenever it comes, before the call or in it.", "remove it."},
	{"L-34", "S-C, S-F", "where documentation goes on there is no call without recording.", "on-opt-out stop"},
	{"L-35", "N-44", "the exception is for few calls, on a ground that is written down and approved.",
	 "special-circumstances \"ground\" assessment NAME, on explicit numbers."},
	{"L-36", "N-43", "it would promise what is not given.", "remove it."},
	{"L-37", "N-39", "training rests on consent or interest.", "basis consent, or basis interest."},
	{"L-40", "N-07, N-10..N-15", "documentation without consent only where there is no other way.",
	 "no-other-way \"...\" and factor 1 to 6 in the assessment."},
	{"L-41", "N-09", "an assessment covers the calls it was made for.", "match fewer calls, or assess more."},
	{"L-42", "N-03", "a law that demands the recording leaves nothing to choose.", "remove it."},
	{"L-50", "N-46", "only as many calls as are needed.", "sample 2% and cap 40 per day."},
	{"L-51", "N-52", "that the amount is needed must be documented.", "assessment NAME, of kind training-amount."},
	{"L-52", "N-47", "without consent the test is stricter.", "without-consent \"...\" in the assessment."},
	{"L-53", "N-47, N-48", "no general answer says that so many are needed.",
	 "second-approver in the necessity note, or a smaller share."},
	{"L-54", "N-49, N-50", "recorded calls are used, while they are there.", "use-within 30 days, use-target 80%"},
	{"L-55", "N-08", "nobody knows beforehand which call must be documented.", "remove it."},
	{"L-60", "N-23, N-56", "3 months, unless there is a reason.", "retention 3 months, or retention-reason \"...\"."},
	{"L-61", "INV-8", "nothing is kept without an end date.", "retention 3 months"},
	{"L-62", "N-57", "each purpose has its own deadline.", "a retention in each purpose, training's not longer."},
	{"L-63", "RX-10", "the statute says how long.", "the statute's time, or a retention-reason with its assessment."},
	{"L-64", "N-28, N-58", "withdrawal and objection must be able to erase.", "remove it."},
	{"L-65", "RX-3", "the proof of a decision outlives the audio, and has an end itself.", "decision-record 24 months"},
	{"L-70", "N-05", "such data keep their own rules.", "sensitive CATEGORY basis \"...\""},
	{"L-71", "N-05, N-44", "interest alone is no basis for training on such data.", "ask for explicit consent."},
	{"L-72", "N-05, RX-11", "what may not be kept must be possible to leave out.",
	 "pause-key *5 and resume-key *6, pause api, or pause header NAME."},
	{"L-73", "R-05b", "key presses can be card or CPR numbers.", "mute-dtmf yes"},
	{"L-74", "N-05", "such data keep their own rules.", "sensitive CATEGORY basis \"...\""},
	{"L-80", "N-33, N-37", "who is recorded is told so, and where to read more.", "notice NAME, with a link."},
	{"L-81", "N-61", "what must be said follows from the situation.", "the model text of the situation."},
	{"L-82", "N-31", "the announcement names the purposes there are.", "name the purposes of the rule, and no other."},
	{"L-83", "S-B, S-E", "the key that is announced is the key that counts.", "announce the consent key."},
	{"L-84", "N-31", "callers are told in a language they understand.", "an announcement in this language."},
	{"L-85", "R-31", "a notice is proven, not assumed.", "audio file \"...\", or another notice-proof."},
	{"L-90", "N-50", "no call is recorded that nobody uses.", "roles training NAME"},
	{"L-91", "R-51", "whoever writes or answers for a rule does not approve it.", "name another person."},
	{"L-92", "", "a default may only be as strict as the built-in one, or stricter.",
	 "say it in the rules that need it."},
	{"W-01", "N-34", "the general privacy policy is normally not enough.", "link to a page on call recording."},
	{"W-02", "N-18", "at that date the rule falls back.", "review it, then set the next date."},
	{"W-04", "N-46", "a limit that limits nothing misleads.", "lower it, or remove it."},
	{"W-06", "X-1", "whoever answers the menu would decide about the recording.", "choose another key."},
	{"W-10", "R-31", "it is a promise, not a proof.", "notice-proof fingerprint, header or api."},
	{"W-11", "R-41b", "tones in the sound are lost more easily than events.", "dtmf rfc4733 info inband"},
	{"W-12", "RX-13", "calls of which it is not known share one cap.", "agent-header NAME in the trunk."},
	{"W-13", "N-48", "no general answer says that all are needed.", "a smaller share."},
	{"W-14", "N-44", "a call for help is no ordinary call.", "say which numbers are called."},
	{"W-15", "", "whoever can change this file decides what is recorded.", "a file of its own, chmod o-w."},
	{"W-16", "N-31", "it must be known which one was heard.", "valid-from and valid-until tell them apart."},
	{"W-17", "N-61", "the way to opt out is said.", "say it, and name the element optout-key."},
	{"W-18", "", "a laboratory's rules are for captures read from files.", "remove `lab yes` before recording real calls."},
	{"W-19", "N-07, N-10..N-15, N-47", "the answers must be there; a person has to see to it.",
	 "write them into the assessment."},
	{"W-20", "", "until the media is known the rule does not match, and what was said is not recovered.",
	 "match by number, trunk, queue or agent."},
	{"W-21", "RX-10", "the statute says how long; a person has to see to it.",
	 "retention-reason \"...\" assessment NAME, of kind retention."},
};

const struct code *code_find(const char *code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(codes[i].code, code))
			return &codes[i];
	return NULL;
}

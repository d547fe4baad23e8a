/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_en.c - the sentences of `optag policy explain` in English
 *
 * To be read aloud by who answers for the rule. {1}, {2} ... are words of the
 * policy; which, explain*.c says. explain_da.c has the same sentences.
 */
#include "explain.h"

static const char *const say[X_N] = {
	[X_RULE] = "Rule \"{1}\" ({2}:{3})",
	[X_SITUATION] = "Situation {1}: {2}.",
	[X_S_A1] = "documentation, without consent",
	[X_S_A2] = "documentation, with consent",
	[X_S_A3] = "documentation, because the law demands it",
	[X_S_B] = "training only, with consent",
	[X_S_C] = "training only, without consent, with a way to opt out",
	[X_S_D] = "training only, without consent, in special circumstances",
	[X_S_E] = "documentation without consent, and training with consent",
	[X_S_F] = "documentation and training without consent, with a way to opt out of training",
	[X_S_G] = "documentation and training without consent, in special circumstances",
	[X_S_PAIR] = "documentation and training, each on its own basis",

	[X_H_WHICH] = "Which calls",
	[X_WHO_CALLED] = "It records calls in which {1} is the called party and all of this is so:",
	[X_WHO_CALLING] =
		"It records calls in which {1} is the calling party and all of this is so:",
	[X_C_CALLED] = "the number called is {1}",
	[X_C_CALLING] = "the number calling is {1}",
	[X_C_TRUNK] = "the call comes by the trunk {1}",
	[X_C_DOMAIN] = "the SIP domain is {1}",
	[X_C_HEADER] = "the SIP header {1} {2}",
	[X_C_QUEUE] = "the queue {1}",
	[X_C_AGENT] = "the agent {1}",
	[X_C_INBOUND] = "the call comes in",
	[X_C_OUTBOUND] = "the call goes out",
	[X_C_TIME] = "it begins {1}",
	[X_C_CODEC] = "the sound is coded as {1}",
	[X_C_ENCRYPTED] = "the sound is encrypted",
	[X_C_PLAIN] = "the sound is not encrypted",
	[X_C_TAG] = "the telephone system tagged the call {1}",
	[X_OP_EQ] = "is {1}",
	[X_OP_PREFIX] = "begins with {1}",
	[X_OP_ONE_OF] = "is in the set {1}",
	[X_OP_PRESENT] = "is there",
	[X_TIMES_OF] = "Times are those of {1}.",
	[X_NEVERS] = "Before all rules come those that forbid. Nothing is recorded of a call that one of "
		     "these matches:",
	[X_NEVER] = "\"{1}\" (line {2})",
	[X_MORE] = "{1} more",
	[X_LISTS_LAW] = "Lists of people who asked not to be recorded do not stop what the statute demands: {1}.",
	[X_BEFORE] = "Rules that stand before it are asked first, and take the calls that they match: {1}.",
	[X_LAB] = "This is a laboratory's rule: it is for capture files and never matches live "
		  "traffic.",
	[X_SUBJECT] = "Whose decision counts: {1}.",
	[X_BOTH] = "Both are recorded, {1} and the agent.",
	[X_NOT_SUBJECT] = "Only the agent is recorded; what {1} says is not stored.",
	[X_NOT_AGENT] = "Only {1} is recorded; what the agent says is not stored.",
	[X_TRANSFER] = "When the call is transferred, the rule that fits the new part decides. A "
		       "yes does not go along to another rule "
		       "or controller; an opt-out does.",
	[X_CALLER] = "the caller",
	[X_CALLEE] = "the person called",
	[X_CALLER_IS] = "the caller",
	[X_CALLEE_IS] = "the person called",

	[X_H_NOTICE] = "The announcement",
	[X_NOTICE] = "What is played: {1}.",
	[X_PROOF_SOUND] =
		"How it is known that it was played: its own sound is recognised in the call.",
	[X_PROOF_HEADER] = "How it is known that it was played: the SIP header {1} says so.",
	[X_PROOF_API] = "How it is known that it was played: the call centre reports it.",
	[X_PROOF_NONE] = "Nobody checks that it was played: the controller promises it.",
	[X_MISSING] = "Not proven {1} after the answer: no training; {2}.",
	[X_MISSING_DOC] = "Not proven {1} after the answer: {2}.",
	[X_MISS_NOTHING] = "nothing is kept",
	[X_MISS_QUARANTINE] = "documentation is locked away for {1}, then erased unless compliance "
			      "confirms that it was heard",
	[X_MISS_DISCARD] = "documentation is erased",
	[X_MISS_KEEP] = "documentation is kept, with an alarm",
	[X_SMS] = "Link and rights are sent by SMS ({1}). A call whose message was not delivered "
		  "after {2} is listed to compliance.",
	[X_MUST_SAY] = "In this situation it must say:",
	[X_EL_REC] = "[rec] that the call is recorded, or that we would like to record it",
	[X_EL_DOC] = "[doc] for documentation",
	[X_EL_TRAIN] = "[train] for training",
	[X_EL_KEY] = "[key:{1}] that key {1} means yes",
	[X_EL_WITHDRAW] = "[withdraw] that the yes can be taken back, and what then happens",
	[X_EL_LINK] = "[link] where to read more: a page on call recording",
	[X_EL_OBJECT] = "[object] the right to object",
	[X_EL_ACCESS] = "[access] the right of access",
	[X_EL_OPTOUT] = "[optout] that whoever does not want it can say so",
	[X_EL_OPTOUT_KEY] = "[optout-key:{1}] that key {1} opts out",
	[X_EL_THEN] = "[then] what happens then",
	[X_SAYS_ALL] = "All of this is in {1}.",
	[X_SAYS_NOT] = "Missing in {1}: [{2}].",
	[X_BY_SMS] = "[{1}] is left to the SMS.",
	[X_MODEL] = "A text that fits:",
	[X_NO_MODEL] = "There is no model text for this pair of situations; say what each of the "
		       "two must say.",

	[X_H_DOC] = "Documentation",
	[X_H_TRAIN] = "Training",
	[X_DOC] = "documentation",
	[X_TRAIN] = "training",
	[X_BASIS_CONSENT] = "It rests on the consent of {1}.",
	[X_BASIS_INTEREST] = "It rests on a balancing of interests; nobody is asked for consent.",
	[X_BASIS_LAW] = "It rests on an obligation by other law: {1}.",
	[X_ASSESSMENT] =
		"The considerations are written down in {1}, to be looked at again by {2}.",
	[X_KEY_YES] = "Key {1} from {2} means yes to {3}, if pressed {4}.",
	[X_WINDOW] = "from {1} after the announcement begins to {2} after it ends",
	[X_WINDOW_ANSWER] = "from {1} to {2} after the answer",
	[X_WINDOW_PROOF] = "from {1} to {2} after the announcement is known to have begun (no sound says how long it is)",
	[X_WINDOW_TOLD] = "from {1} after the announcement begins to {2} after its end, or, unless the end is told, after its "
			  "beginning (no sound says how long it is)",
	[X_KEYS_AFTER] = ", but not sooner than {1} after the announcement begins, when its purposes have been said",
	[X_KEYS_AFTER_OR] = " or ",
	[X_REOPEN] = "When the agent asks again, that time begins once more.",
	[X_CONSENT_API] = "The call centre can report the yes of {1}.",
	[X_CONSENT_HEADER] = "The SIP header {1} can carry the yes of {2}.",
	[X_OTHER_KEY] = "No other key is a yes, nor is a key before or after that time, or one of "
			"the agent or of a menu.",
	[X_NO_ALONE] = "Silence means no: then nothing is recorded for {1}.",
	[X_NO_BESIDE] = "Silence means no: then the call is not used for {1}.",
	[X_NO_HANGUP] = "Hanging up in the announcement is silence, too.",
	[X_START_AT_YES] = "Recording starts at the yes, not one moment earlier.",
	[X_YES_WHOLE] = "A yes covers the whole call.",
	[X_YES_FROM] = "A yes covers the call from the key on.",
	[X_WITHDRAW_KEY] = "Key {1} from {2} takes the yes back, at any time of the call.",
	[X_WITHDRAW_ERASES] = "The consent can be withdrawn at any time, also after the call: then "
			      "the recording is erased at once.",
	[X_WITHDRAW_ENDS] = "The consent can be withdrawn at any time, also after the call: then "
			    "the call is no longer used for {1}.",
	[X_LOSS_CONSENT] = "If packets are lost, and a yes with them, it counts as silence.",
	[X_OBJ_CONSENT] = "An objection, or a request for erasure, is treated as a withdrawal.",

	[X_SILENCE_OPTOUT] = "Silence means that the call may be used for training, because there "
			     "is an opt-out:",
	[X_OPT_KEY] = "{1} presses {2}, at any time of the call",
	[X_OPT_AGENT] = "{1} says so and the agent presses {2}",
	[X_OPT_API] = "{1} says so and the agent's program reports it",
	[X_OPT_HEADER] = "{1} says so and the SIP header {2} reports it",
	[X_OPT_ALONE] = "If so, recording stops, and all that was recorded of the call is "
			"destroyed at once.",
	[X_OPT_BESIDE] =
		"If so, the call is not used for training; documentation goes on without a gap.",
	[X_OPT_CALLBACK] = "Once within {1}, {2} can be rung back without recording.",
	[X_OPT_WAIT] = "Until {1} {2} the sound waits in memory; nothing of it can be read on disk before the "
		       "call has ended.",
	[X_OPT_BLOCK] = "Until {1} {2} no sound is kept, not even in memory: recording begins then. Nothing of it can be read on "
			"disk before the call has ended.",
	[X_OPT_WAIT_BESIDE] = "Training begins {1} {2} at the earliest, and counts only when the call has ended.",
	[X_AFTER_NOTICE] = "after the announcement ends",
	[X_AFTER_ANSWER] = "after the answer",
	[X_OPT_LENGTH] = "No sound says how long the announcement is: unless its end is told, it is taken to end {1} after "
			 "it began (notice-timeout).",
	[X_OPT_HANGUP] = "Whoever hangs up in the announcement is not recorded for training.",
	[X_LOSS_DENY] = "If packets were lost so that an opt-out may have been missed, there is no "
			"training.",
	[X_LOSS_KEEP] = "Lost packets change nothing, although an opt-out may be among them.",
	[X_OBJ_OPTOUT] = "An objection to training is treated as an opt-out.",

	[X_SPECIAL] = "Special circumstances: {1} (written down in {2}).",
	[X_SPECIAL_SILENCE] =
		"No key and no silence stops it; there is no opt-out, and none may be promised.",
	[X_SPECIAL_OBJ] = "{1} can object. With particular grounds, which the agent enters, "
			  "training ends at once and what was recorded "
			  "for it is destroyed; without them it goes on, and the objection is "
			  "decided later if that is wanted.",
	[X_SPECIAL_LOSS] = "Lost packets change nothing: there is no key to miss.",

	[X_DOC_ANSWER] = "Recorded from the answer on; no key changes that, and silence neither.",
	[X_DOC_EARLY] = "Recorded from the first sound on, before the answer; no key changes that, "
			"and silence neither.",
	[X_DOC_LOSS] = "Lost packets leave a gap that is marked; they change nothing else.",
	[X_DOC_HANGUP] = "Of a call that ends in the announcement nothing is kept if it was "
			 "shorter than {1}.",
	[X_OBJ_CONTINUE] = "Whoever objects gets a decision about that call; meanwhile recording "
			   "goes on, and nobody but who decides plays it.",
	[X_OBJ_PAUSE] = "Whoever objects gets a decision about that call; meanwhile recording "
			"pauses, and nobody but who decides plays it.",
	[X_OBJ_STOP] = "Whoever objects gets a decision about that call; recording stops at the "
		       "objection.",
	[X_OBJ_LAW] = "An objection is decided like any other, but the law that demands the "
		      "recording normally outweighs it.",
	[X_NOT_NEEDED] =
		"A call that is marked as not needed is erased without waiting for the deadline.",

	[X_SAMPLE] = "Amount: {1} of the calls are drawn, and of those no more than:",
	[X_CAP] = "{1} {2}{3}",
	[X_PER_HOUR] = "an hour",
	[X_PER_DAY] = "a day",
	[X_PER_WEEK] = "a week",
	[X_PER_MONTH] = "a month",
	[X_OF_RULE] = "",
	[X_OF_QUEUE] = " for each queue",
	[X_OF_AGENT] = " for each agent",
	[X_NOT_DRAWN] = "A call that is not drawn is not recorded for training at all.",
	[X_EVENLY] = "The draws are spread evenly over the time.",
	[X_FIRST_COME] = "The first calls of the time are taken.",
	[X_UNUSED] = "A recording that nobody has used after {1} is erased: one of {2} on {3}.",
	[X_UNUSED_BESIDE] = "A recording that nobody has used for training after {1} can no longer be played "
			    "for training: one of {2} from {3} on.",
	[X_TARGET] = "If less than {1} % of the recordings are used, the next limit is the number "
		     "used times {2}, at least {3}, and never "
		     "more than above.",

	[X_ERASED] = "Erased {1} after the call began, by the calendar of {2}.",
	[X_EXAMPLE] = "Example: a call on {1} at 10:00 is erased before {2} at 10:00.",
	[X_REASON] = "Reason given: {1}",
	[X_HOLD] = "A single call can be kept longer, for a dispute, by a named person with a "
		   "reason and a date of review.",
	[X_NO_HOLD] = "Nothing prolongs this: a call that is held for a dispute is held for "
		      "documentation only.",
	[X_WORM] = "Until then nothing can be changed or erased.",
	[X_ONLY_DOC_AFTER] = "After that the recording may still be there for documentation; for "
			     "training it can no longer be played.",
	[X_MAY_LISTEN] = "Who may listen: {1}.",
	[X_NOBODY_LISTENS] = "Who may listen: nobody.",
	[X_PLAY_REASON] = "Whoever listens gives a reason, which is recorded.",
	[X_PLAY_FREE] = "Whoever listens need not give a reason; that it was played is recorded.",
	[X_ACCESS] = "Whoever was recorded, {1} and the agent alike, can ask for access to the "
		     "recording.",

	[X_H_PAUSE] = "Pauses and limits",
	[X_SENSITIVE] = "On this line {1} may come up; basis: {2}",
	[X_SENSITIVE_FOR] = "On this line {1} may come up; basis for {2}: {3}",
	[X_PAUSE_KEY] = "The agent pauses the recording with {1}; the gap exists nowhere.",
	[X_RESUME_KEY] = "The agent resumes it with {1}.",
	[X_PAUSE_API] = "The agent's program can pause the recording; the gap exists nowhere.",
	[X_PAUSE_HEADER] = "The SIP header {1} can pause the recording; the gap exists nowhere.",
	[X_PAUSE_STOP] = "A pause lasts {1} at most; then the recording stops, with an alarm.",
	[X_PAUSE_RESUME] = "A pause lasts {1} at most; then the recording goes on.",
	[X_NO_PAUSE] = "The recording cannot be paused.",
	[X_KEYS_UNSTORED] = "Key presses sent as events are not stored, whatever they were for.",
	[X_TONES_MUTED] = "Tones in the sound are silenced in what is stored, where it is G.711; in other codecs they stay in it.",
	[X_TONES_STAY] = "Tones in the sound stay in it.",
	[X_HOLD_MUSIC] = "Music on hold is recorded, too.",
	[X_MIN_MAX] = "Calls shorter than {1} are not kept, longer ones than {2} are cut.",

	[X_H_OWNER] = "Who answers for it",
	[X_OWNER] = "{1}.",
	[X_REVIEW] = "The rule is to be looked at again by {1}; if that is missed, {2}.",
	[X_MISSED_OFF] = "it records nothing more",
	[X_MISSED_CONSENT] = "it goes on with consent only",
	[X_MISSED_KEEP] = "what the law demands goes on, with an alarm",
	[X_RECORD] =
		"What was decided about a call is kept, without sound and without number, for at least {1}.",
	[X_H_WARNINGS] = "Warnings",
	[X_WARNING] = "{1}, line {2}: {3}",

	[X_AND] = "and",
	[X_OR] = "or",
	[X_DATE] = "{1}\1{2}\1{3}",
	[X_DECIMAL] = ".",
};

static const char *const unit[][2] = {
	{"second", "seconds"}, {"minute", "minutes"}, {"hour", "hours"},
	{"day", "days"},       {"month", "months"},   {"year", "years"},
};
static const char *const month[] = {"January",	 "February", "March",	 "April",
				    "May",	 "June",     "July",	 "August",
				    "September", "October",  "November", "December"};
static const char *const word[][2] = {{"cpr", "CPR numbers"},
				      {"union", "membership of a union"},
				      {"offences", "criminal offences"},
				      {"ethnicity", "ethnic origin"},
				      {"genetic", "genetic data"},
				      {"biometric", "biometric data"},
				      {"card", "payment card numbers"},
				      {NULL, NULL}};
static const char *const warning[][2] = {{NULL, NULL}};

const struct explain_text explain_en = {say, unit, month, word, warning};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables.c - the settings of every block, in canonical order
 */
#include "parse.h"

const char *const purpose_names[] = {"documentation", "training", NULL};
const char *const basis_names[] = {"", "consent", "interest", "obligation", NULL};
const char *const per_names[] = {"hour", "day", "week", "month", NULL};
const char *const proof_names[] = {"fingerprint", "header", "api", "attested", NULL};
const char *const missing_names[] = {"quarantine", "discard", "keep", NULL};
const char *const category_names[] = {"health",	  "cpr",       "offences",  "union",
				      "religion", "politics",  "ethnicity", "sexuality",
				      "genetic",  "biometric", "card",	    NULL};
const char *const predecision_names[] = {"", "block", "inspect", "hold", NULL};
const char *const objection_names[] = {"", "continue-restricted", "pause", "stop", NULL};
const char *const fallback_names[] = {"off", "consent", "keep", NULL};
const char *const set_kind_names[] = {"numbers", "trunks", "agents", "queues", "holidays", NULL};
const char *const element_names[] = {"rec",    "doc",	 "train",  "withdraw", "link",
				     "object", "access", "optout", "then",     NULL};
const char *const assess_kind_names[] = {"documentation", "training-amount", "special",
					 "retention",	  "sensitive",	     NULL};
const char *const factor_names[] = {"", "relied-on", "not-relied-on", "not-applicable", NULL};

const char *policy_basis_name(enum policy_basis b)
{
	return basis_names[b];
}

static const char *const direction_words[] = {"", "inbound", "outbound", NULL};
static const char *const transport_words[] = {"any", "udp", "tcp", NULL};
static const char *const identity_words[] = {"asserted", "from", NULL};
static const char *const training_from[] = {"call", "press", NULL};
static const char *const on_loss[] = {"deny", "keep", NULL};
static const char *const spread[] = {"even", "first-come", NULL};
static const char *const commit[] = {"at-grant", "at-end", NULL};

#define AT(type, field)                                                                            \
	.off = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)
#define FN(fn) .kind = K_FUNC, .parse = parse_##fn, .print = print_##fn

static const struct setting controller_settings[] = {
	[C_NAME] = {"name", K_STRING, AT(controller, legal_name)},
	[C_CVR] = {"cvr", K_NAME, AT(controller, pub.cvr)},
	[C_CONTACT] = {"contact", K_STRING, AT(controller, pub.contact)},
	[C_TIMEZONE] = {"timezone", K_NAME, AT(controller, pub.timezone)},
	[C_LANGUAGES] = {"languages", K_WORDS, AT(controller, languages)},
	[C_NUMBERS] = {.name = "numbers", FN(c_numbers)},
	[C_TRUNKS] = {"trunks", K_WORDS, AT(controller, trunks)},
	[C_KEYRING] = {"key-ring", K_NAME, AT(controller, keyring)},
	[C_ROLES] = {"roles", K_WORDS, AT(controller, roles)},
	[C_LAB] = {"lab", K_YESNO, AT(controller, pub.lab)},
};
const struct table controller_table = {controller_settings, C_N, "controller",
				       offsetof(struct controller, at)};

static const struct setting trunk_settings[] = {
	[TK_INTERFACE] = {"interface", K_NAME, AT(trunk, interface)},
	[TK_VLAN] = {"vlan", K_INT, AT(trunk, vlan), .min = 1, .max = 4094},
	[TK_ADDRESS] = {.name = "address", FN(t_address)},
	[TK_PORT] = {"port", K_INT, AT(trunk, port), .min = 1, .max = 65535},
	[TK_TRANSPORT] = {"transport", K_ENUM, AT(trunk, transport), .words = transport_words},
	[TK_DEDICATED] = {"dedicated", K_YESNO, AT(trunk, dedicated)},
	[TK_COUNTRY] = {.name = "country", FN(t_country)},
	[TK_INTL] = {"international-prefix", K_NAME, AT(trunk, intl)},
	[TK_NATL] = {"national-prefix", K_NAME, AT(trunk, natl)},
	[TK_NATDIGITS] = {.name = "national-digits", FN(t_natdigits)},
	[TK_QUEUE] = {.name = "queue-header", FN(t_qheader)},
	[TK_AGENT] = {.name = "agent-header", FN(t_aheader)},
	[TK_CORRELATE] = {.name = "correlate-header", FN(t_cheader)},
	[TK_IDENTITY] = {"identity", K_ENUM, AT(trunk, identity), .words = identity_words},
};
const struct table trunk_table = {trunk_settings, TK_N, "trunk", offsetof(struct trunk, at)};

static const struct setting announcement_settings[] = {
	[A_LANGUAGE] = {"language", K_NAME, AT(announcement, language)},
	[A_VERSION] = {"version", K_NAME, AT(announcement, version)},
	[A_LINK] = {"link", K_NAME, AT(announcement, link)},
	[A_LINKSPEC] = {"link-is-specific", K_YESNO, AT(announcement, link_specific)},
	[A_ELEMENTS] = {.name = "elements", FN(a_elements)},
	[A_TEXT] = {.name = "text", FN(a_text)},
	[A_AUDIO] = {.name = "audio", FN(a_audio)},
	[A_FROM] = {"valid-from", K_DATE, AT(announcement, from)},
	[A_UNTIL] = {"valid-until", K_DATE, AT(announcement, until)},
	[A_MENU] = {.name = "menu-keys", FN(a_menu)},
	[A_KEYS_AFTER] = {"keys-after", K_SECONDS, AT(announcement, keys_after_s), .max = POLICY_KEYS_AFTER_MAX_S},
};
const struct table announcement_table = {announcement_settings, A_N, "announcement",
					 offsetof(struct announcement, at)};

static const struct setting assessment_settings[] = {
	[AS_KIND] = {"kind", K_ENUM, AT(assessment, kind), .words = assess_kind_names},
	[AS_SCOPE] = {"scope", K_SETS, AT(assessment, scope)},
	[AS_FILE] = {.name = "file", FN(as_file)},
	[AS_DATE] = {"date", K_DATE, AT(assessment, date)},
	[AS_REVIEW] = {"review", K_DATE, AT(assessment, review)},
	[AS_AUTHOR] = {"author", K_NAME, AT(assessment, author)},
	[AS_APPROVER] = {"approver", K_NAME, AT(assessment, approver)},
	[AS_SECOND] = {"second-approver", K_NAME, AT(assessment, second)},
	[AS_OUTCOME] = {"outcome", K_NAME, AT(assessment, outcome)},
	[AS_NOOTHER] = {"no-other-way", K_STRING, AT(assessment, no_other_way)},
	[AS_FACTOR] = {.name = "factor", FN(as_factor), .flags = S_MANY},
	[AS_WITHOUT] = {"without-consent", K_STRING, AT(assessment, without_consent)},
};
const struct table assessment_table = {assessment_settings, AS_N, "assessment",
				       offsetof(struct assessment, at)};

#define PUB(field) AT(policy_block, field)
static const struct setting block_settings[] = {
	[B_BASIS] = {.name = "basis", FN(b_basis)},
	[B_ASSESSMENT] = {.name = "assessment", FN(b_assessment)},
	[B_SPECIAL] = {.name = "special-circumstances", FN(b_special)},
	[B_CONSENT_KEY] = {"consent-key", K_KEY, PUB(consent_key)},
	[B_CONSENT_SOURCE] = {.name = "consent-source", FN(b_consent_source), .flags = S_MANY},
	[B_WITHDRAW] = {.name = "withdraw-key", FN(b_withdraw)},
	[B_OPTOUT] = {.name = "opt-out", FN(b_optout), .flags = S_MANY},
	[B_ON_OPTOUT] = {.name = "on-opt-out", FN(b_on_optout)},
	[B_ON_OBJECTION] = {"on-objection", K_ENUM, PUB(on_objection), .words = objection_names,
			    .flags = S_DEFAULT},
	[B_WINDOW] = {.name = "window", FN(b_window)},
	[B_LEG] = {.name = "leg", FN(b_leg)},
	[B_DTMF] = {.name = "dtmf", FN(b_dtmf)},
	[B_PREDECISION] = {"pre-decision", K_ENUM, PUB(pre_decision), .words = predecision_names},
	[B_TRAINING_FROM] = {"training-from", K_BOOL, PUB(training_from_press),
			     .words = training_from},
	[B_ON_LOSS] = {"on-loss", K_ENUM, PUB(on_loss), .words = on_loss, .flags = S_DEFAULT},
	[B_SAMPLE] = {"sample", K_PERMILLE, PUB(sample_permille)},
	[B_CAP] = {.name = "cap", FN(b_cap), .flags = S_MANY},
	[B_SPREAD] = {"spread", K_BOOL, PUB(spread_first_come), .words = spread},
	[B_SEED] = {.name = "sample-seed", FN(b_seed)},
	[B_USE_WITHIN] = {"use-within", K_SPAN, PUB(use_within), .flags = S_DEFAULT},
	[B_USE_TARGET] = {.name = "use-target", FN(b_use_target)},
	[B_RETENTION] = {.name = "retention", FN(b_retention), .flags = S_DEFAULT, PUB(retention)},
	[B_REASON] = {.name = "retention-reason", FN(b_reason)},
	[B_REVIEW] = {.name = "review", FN(b_review), .flags = S_DEFAULT, PUB(review_every)},
	[B_NOT_NEEDED] = {.name = "not-needed", FN(b_not_needed)},
	[B_WORM] = {.name = "worm", FN(b_worm)},
	[B_COMMIT] = {"commit", K_BOOL, PUB(commit_at_end), .words = commit},
};
const struct table block_table = {block_settings, B_N, "purpose", offsetof(struct block, at)};

#define D S_DEFAULT
#define N S_NEVER
static const struct setting rule_settings[] = {
	[R_CONTROLLER] = {.name = "controller", FN(r_controller), .flags = N},
	[R_CALLED] = {.name = "called", FN(r_called), .flags = N},
	[R_CALLING] = {.name = "calling", FN(r_calling), .flags = N},
	[R_TRUNK] = {"trunk", K_WORDS, AT(rule, trunks), .flags = N},
	[R_SIPDOMAIN] = {"sip-domain", K_WORDS, AT(rule, domains), .flags = N},
	[R_HEADER] = {.name = "header", FN(r_header), .flags = N | S_MANY},
	[R_QUEUE] = {.name = "queue", FN(r_queue), .flags = N},
	[R_AGENT] = {.name = "agent", FN(r_agent), .flags = N},
	[R_DIRECTION] = {"direction", K_ENUM, AT(rule, direction), .words = direction_words,
			 .flags = N},
	[R_TIME] = {.name = "time", FN(r_time), .flags = N},
	[R_MEDIA] = {.name = "media", FN(r_media), .flags = S_MANY},
	[R_TAG] = {"tag", K_WORDS, AT(rule, tags), .flags = N},
	[R_OWNER] = {"owner", K_NAME, AT(rule, pub.owner)},
	[R_REVIEW] = {"review", K_DATE, AT(rule, pub.review)},
	[R_ON_REVIEW] = {"on-review-missed", K_ENUM, AT(rule, pub.on_review_missed),
			 .words = fallback_names, .flags = D},
	[R_REASON] = {"reason", K_STRING, AT(rule, reason)},
	[R_TICKET] = {"ticket", K_NAME, AT(rule, ticket)},
	[R_NOTICE] = {"notice", K_WORDS, AT(rule, notice)},
	[R_PROOF] = {.name = "notice-proof", FN(r_proof)},
	[R_TIMEOUT] = {"notice-timeout", K_SECONDS, AT(rule, pub.notice_timeout_s), .flags = D},
	[R_ON_MISSING] = {.name = "on-missing-notice",
			  FN(r_on_missing),
			  .flags = D,
			  AT(rule, pub.on_missing_notice)},
	[R_SMS] = {.name = "sms", FN(r_sms)},
	[R_DOCUMENTATION] = {.name = "documentation", FN(r_documentation), .flags = D},
	[R_TRAINING] = {.name = "training", FN(r_training), .flags = D},
	[R_SENSITIVE] = {.name = "sensitive", FN(r_sensitive), .flags = S_MANY},
	[R_PAUSE_KEY] = {"pause-key", K_KEY, AT(rule, pub.pause_key)},
	[R_RESUME_KEY] = {"resume-key", K_KEY, AT(rule, pub.resume_key)},
	[R_PAUSE] = {.name = "pause", FN(r_pause), .flags = S_MANY},
	[R_PAUSE_MAX] = {.name = "pause-max", FN(r_pause_max), .flags = D, AT(rule, pub.pause_max)},
	[R_MUTE] = {"mute-dtmf", K_YESNO, AT(rule, pub.mute_dtmf), .flags = D},
	[R_MUSIC] = {"record-hold-music", K_YESNO, AT(rule, pub.record_hold_music), .flags = D},
	[R_EXCLUDE] = {.name = "exclude-leg", FN(r_exclude)},
	[R_EARLY] = {"early-media", K_YESNO, AT(rule, pub.record_early_media), .flags = D},
	[R_MIN] = {"min-length", K_SPAN, AT(rule, pub.min_length), .flags = D},
	[R_MAX] = {"max-length", K_SPAN, AT(rule, pub.max_length), .flags = D},
	[R_CONCURRENT] = {"max-concurrent", K_INT, AT(rule, max_concurrent), .min = 1,
			  .max = 1000000},
	[R_DISK] = {"disk-share", K_PERMILLE, AT(rule, disk_permille)},
	[R_ROLES] = {.name = "roles", FN(r_roles), .flags = S_MANY},
	[R_PLAY_REASON] = {.name = "play-reason",
			   FN(r_play_reason),
			   .flags = D,
			   AT(rule, play_reason_off)},
	[R_ZSTD] = {"zstd", K_INT, AT(rule, pub.zstd_level), .min = 1, .max = 19, .flags = D},
	[R_KEYS] = {.name = "keys", FN(r_keys)},
	[R_DECISION] = {"decision-record", K_SPAN, AT(rule, decision_record), .flags = D},
	[R_ALARM] = {.name = "alarm", FN(r_alarm), .flags = D, AT(rule, alarm)},
};
const struct table rule_table = {rule_settings, R_N, "rule", offsetof(struct rule, at)};

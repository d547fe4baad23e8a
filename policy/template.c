/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * template.c - model texts of announcements, one for each situation, language and length
 *
 * Our own words for what the guidance has said in each situation (N-35, N-62),
 * with the tags of the elements. {key}, {optout-key} and {link} are filled in;
 * {optout} stands for the sentence that names the ways out which there are.
 * The short text is for rules that send the rest by SMS (N-37): recording,
 * purposes and keys are spoken.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "internal.h"

static const struct {
	const char *code;
	unsigned elements;
	const char *text[2]; /* by enum policy_lang */
	const char *spoken[2];
} all[] = {
	{"A1",
	 1u << EL_REC | 1u << EL_DOC | 1u << EL_LINK | 1u << EL_OBJECT | 1u << EL_ACCESS,
	 {"This call is recorded [rec]. We keep it for a time, so that we can later show what was "
	  "said and agreed [doc]. On {link} [link] "
	  "you can read how to object [object] and how to ask for access to the recording "
	  "[access].",
	  "Denne samtale bliver optaget [rec]. Vi gemmer den i en periode, så vi senere kan vise, "
	  "hvad der blev sagt og aftalt [doc]. På "
	  "{link} [link] kan du læse, hvordan du gør indsigelse [object], og hvordan du får "
	  "indsigt i optagelsen [access]."},
	 {"This call is recorded [rec], so that we can later show what was said and agreed [doc]. "
	  "The rest comes in a text message.",
	  "Denne samtale bliver optaget [rec], så vi senere kan vise, hvad der blev sagt og aftalt "
	  "[doc]. Resten får du på SMS."}},
	{"A2",
	 1u << EL_REC | 1u << EL_DOC | 1u << EL_WITHDRAW | 1u << EL_LINK | 1u << EL_ACCESS,
	 {"May we record this call [rec], so that we can later show what was said and agreed "
	  "[doc]? If so, press {key} now [key:{key}]. "
	  "Should you regret it, we erase the recording [withdraw]. On {link} [link] you can read "
	  "more, also about access to the recording "
	  "[access].",
	  "Må vi optage denne samtale [rec], så vi senere kan vise, hvad der blev sagt og aftalt "
	  "[doc]? Så tryk {key} nu [key:{key}]. "
	  "Fortryder du dit samtykke, sletter vi optagelsen [withdraw]. På {link} [link] kan du "
	  "læse mere, også om indsigt i optagelsen "
	  "[access]."},
	 {"May we record this call [rec], so that we can later show what was said and agreed "
	  "[doc]? If so, press {key} now [key:{key}]. The "
	  "rest comes in a text message.",
	  "Må vi optage denne samtale [rec], så vi senere kan vise, hvad der blev sagt og aftalt "
	  "[doc]? Så tryk {key} nu [key:{key}]. "
	  "Resten får du på SMS."}},
	{"A3",
	 1u << EL_REC | 1u << EL_DOC | 1u << EL_LINK | 1u << EL_ACCESS,
	 {"The law obliges us to record this call [rec] and to keep it as documentation [doc]. On "
	  "{link} [link] you can read which law, for "
	  "how long, and how to ask for access to the recording [access].",
	  "Loven pålægger os at optage denne samtale [rec] og at gemme den som dokumentation "
	  "[doc]. På {link} [link] kan du læse, hvilken "
	  "lov det er, hvor længe vi gemmer, og hvordan du får indsigt i optagelsen [access]."},
	 {"The law obliges us to record this call [rec] and to keep it as documentation [doc]. The "
	  "rest comes in a text message.",
	  "Loven pålægger os at optage denne samtale [rec] og at gemme den som dokumentation "
	  "[doc]. Resten får du på SMS."}},
	{"B",
	 1u << EL_REC | 1u << EL_TRAIN | 1u << EL_WITHDRAW | 1u << EL_LINK | 1u << EL_ACCESS,
	 {"May we record this call [rec] and use it to train our staff [train]? If so, press {key} "
	  "now [key:{key}]; otherwise nothing is "
	  "recorded. Should you regret it, also later, we erase the recording [withdraw]. On "
	  "{link} [link] you can read more, also about "
	  "access to the recording [access].",
	  "Må vi optage denne samtale [rec] og bruge den til at uddanne vores medarbejdere "
	  "[train]? Så tryk {key} nu [key:{key}]; ellers "
	  "optager vi ikke. Fortryder du, også senere, sletter vi optagelsen [withdraw]. På {link} "
	  "[link] kan du læse mere, også om indsigt "
	  "i optagelsen [access]."},
	 {"May we record this call [rec] and use it to train our staff [train]? If so, press {key} "
	  "now [key:{key}]. The rest comes in a text "
	  "message.",
	  "Må vi optage denne samtale [rec] og bruge den til at uddanne vores medarbejdere "
	  "[train]? Så tryk {key} nu [key:{key}]. Resten "
	  "får du på SMS."}},
	{"C",
	 1u << EL_REC | 1u << EL_TRAIN | 1u << EL_LINK | 1u << EL_ACCESS | 1u << EL_THEN,
	 {"We record some of our calls [rec] to train our staff [train]. {optout} Then we do not "
	  "record your call, or we stop [then]. On "
	  "{link} [link] you can read more, also about access to a recording [access].",
	  "Vi optager nogle af vores samtaler [rec] for at uddanne vores medarbejdere [train]. "
	  "{optout} Så optager vi ikke din samtale, "
	  "eller vi holder op [then]. På {link} [link] kan du læse mere, også om indsigt i en "
	  "optagelse [access]."},
	 {"We record some of our calls [rec] to train our staff [train]. {optout} Then we do not "
	  "record your call, or we stop [then]. The "
	  "rest comes in a text message.",
	  "Vi optager nogle af vores samtaler [rec] for at uddanne vores medarbejdere [train]. "
	  "{optout} Så optager vi ikke din samtale, "
	  "eller vi holder op [then]. Resten får du på SMS."}},
	{"D",
	 1u << EL_REC | 1u << EL_TRAIN | 1u << EL_LINK | 1u << EL_OBJECT | 1u << EL_ACCESS,
	 {"This call may be recorded [rec], because we train our staff with real calls, for the "
	  "sake of those who call [train]. On {link} "
	  "[link] you can read how to object [object] and how to ask for access to a recording "
	  "[access].",
	  "Denne samtale kan blive optaget [rec], fordi vi uddanner vores medarbejdere med "
	  "virkelige samtaler til gavn for dem, der ringer "
	  "[train]. På {link} [link] kan du læse, hvordan du gør indsigelse [object], og hvordan "
	  "du får indsigt i en optagelse [access]."},
	 {"This call may be recorded [rec], because we train our staff with real calls [train]. "
	  "The rest comes in a text message.",
	  "Denne samtale kan blive optaget [rec], fordi vi uddanner vores medarbejdere med "
	  "virkelige samtaler [train]. Resten får du på "
	  "SMS."}},
	{"E",
	 1u << EL_REC | 1u << EL_DOC | 1u << EL_TRAIN | 1u << EL_WITHDRAW | 1u << EL_LINK |
		 1u << EL_OBJECT | 1u << EL_ACCESS,
	 {"This call is recorded [rec], so that we can later show what was said and agreed [doc]. "
	  "May we also use it to train our staff "
	  "[train]? If so, press {key} now [key:{key}]. Should you regret that, we stop using it "
	  "for training [withdraw]. On {link} [link] "
	  "you can read how to object [object] and how to ask for access to the recording "
	  "[access].",
	  "Denne samtale bliver optaget [rec], så vi senere kan vise, hvad der blev sagt og aftalt "
	  "[doc]. Må vi også bruge den til at "
	  "uddanne vores medarbejdere [train]? Så tryk {key} nu [key:{key}]. Fortryder du det, "
	  "holder vi op med at bruge den til uddannelse "
	  "[withdraw]. På {link} [link] kan du læse, hvordan du gør indsigelse [object], og "
	  "hvordan du får indsigt i optagelsen [access]."},
	 {"This call is recorded [rec], so that we can later show what was said and agreed [doc]. "
	  "May we also use it to train our staff "
	  "[train]? If so, press {key} now [key:{key}]. The rest comes in a text message.",
	  "Denne samtale bliver optaget [rec], så vi senere kan vise, hvad der blev sagt og aftalt "
	  "[doc]. Må vi også bruge den til at "
	  "uddanne vores medarbejdere [train]? Så tryk {key} nu [key:{key}]. Resten får du på "
	  "SMS."}},
	{"F",
	 1u << EL_REC | 1u << EL_DOC | 1u << EL_TRAIN | 1u << EL_LINK | 1u << EL_OBJECT |
		 1u << EL_ACCESS | 1u << EL_THEN,
	 {"This call is recorded [rec], so that we can later show what was said and agreed [doc]. "
	  "Some calls also serve to train our staff "
	  "[train]. {optout} Then training is without your call [then]. On {link} [link] you can "
	  "read how to object [object] and how to ask "
	  "for access to the recording [access].",
	  "Denne samtale bliver optaget [rec], så vi senere kan vise, hvad der blev sagt og aftalt "
	  "[doc]. Nogle samtaler bruger vi også til "
	  "at uddanne vores medarbejdere [train]. {optout} Så indgår din samtale ikke i "
	  "uddannelsen [then]. På {link} [link] kan du læse, "
	  "hvordan du gør indsigelse [object], og hvordan du får indsigt i optagelsen [access]."},
	 {"This call is recorded [rec], so that we can later show what was said and agreed [doc]. "
	  "Some calls also serve to train our staff "
	  "[train]. {optout} Then training is without your call [then]. The rest comes in a text "
	  "message.",
	  "Denne samtale bliver optaget [rec], så vi senere kan vise, hvad der blev sagt og aftalt "
	  "[doc]. Nogle samtaler bruger vi også til "
	  "at uddanne vores medarbejdere [train]. {optout} Så indgår din samtale ikke i "
	  "uddannelsen [then]. Resten får du på SMS."}},
	{"G",
	 1u << EL_REC | 1u << EL_DOC | 1u << EL_TRAIN | 1u << EL_LINK | 1u << EL_OBJECT |
		 1u << EL_ACCESS,
	 {"This call is recorded [rec], so that we can later show what happened [doc], and because "
	  "we train our staff with real calls, for "
	  "the sake of those who call [train]. On {link} [link] you can read how to object "
	  "[object] and how to ask for access to the "
	  "recording [access].",
	  "Denne samtale bliver optaget [rec], så vi senere kan vise, hvad der skete [doc], og "
	  "fordi vi uddanner vores medarbejdere med "
	  "virkelige samtaler til gavn for dem, der ringer [train]. På {link} [link] kan du læse, "
	  "hvordan du gør indsigelse [object], og "
	  "hvordan du får indsigt i optagelsen [access]."},
	 {"This call is recorded [rec], so that we can later show what happened [doc] and train "
	  "our staff [train]. The rest comes in a text "
	  "message.",
	  "Denne samtale bliver optaget [rec], så vi senere kan vise, hvad der skete [doc], og "
	  "uddanne vores medarbejdere [train]. Resten "
	  "får du på SMS."}},
};
#define NALL (sizeof(all) / sizeof(all[0]))

/* By a key alone, by saying it alone, by either. */
static const char *const way_out[3][2] = {
	{"If you do not want that, press {optout-key} [optout-key:{optout-key}].",
	 "Ønsker du ikke det, så tryk {optout-key} [optout-key:{optout-key}]."},
	{"If you do not want that, just say so [optout].",
	 "Ønsker du ikke det, så sig blot til [optout]."},
	{"If you do not want that, press {optout-key} [optout-key:{optout-key}] or just say so "
	 "[optout].",
	 "Ønsker du ikke det, så tryk {optout-key} [optout-key:{optout-key}], eller sig blot til "
	 "[optout]."},
};

static int find(const char *situation)
{
	const char *s = situation;

	if ((s[0] == 'S' || s[0] == 's') && s[1] == '-')
		s += 2;
	if (!strcasecmp(s, "A"))
		s = "A1";
	for (size_t i = 0; i < NALL; i++)
		if (!strcasecmp(s, all[i].code))
			return (int)i;
	return -ENOENT;
}

const char *policy_template_situation(size_t i)
{
	return i < NALL ? all[i].code : NULL;
}

static bool opts_out(int i)
{
	return all[i].elements & 1u << EL_THEN;
}

static bool asks(int i)
{
	return all[i].elements & 1u << EL_WITHDRAW;
}

static void put(FILE *f, const char *text, const struct policy_template *t)
{
	const struct {
		const char *name, *value;
	} holes[] = {
		{"{key}", t->key ? t->key : "1"},
		{"{optout-key}", t->optout_key ? t->optout_key : "9"},
		{"{link}", t->link		  ? t->link
			   : t->lang == POLICY_DA ? "www.example.dk/telefonsamtaler"
						  : "www.example.com/call-recording"},
		{"{optout}", way_out[!t->optout_key    ? 1
				     : t->optout_agent ? 2
						       : 0][t->lang]},
	};

	while (*text) {
		size_t n = strcspn(text, "{"), i;

		fwrite(text, 1, n, f);
		text += n;
		for (i = 0; *text && i < sizeof(holes) / sizeof(holes[0]); i++)
			if (!strncmp(text, holes[i].name, strlen(holes[i].name)))
				break;
		if (!*text || i == sizeof(holes) / sizeof(holes[0]))
			return; /* no other hole is in a text; a test looks */
		if (i == 3)
			put(f, holes[i].value, t);
		else
			fputs(holes[i].value, f);
		text += strlen(holes[i].name);
	}
}

int policy_template_print(FILE *f, const struct policy_template *t)
{
	int i = find(t->situation);

	if (i < 0)
		return i;
	put(f, (t->sms ? all[i].spoken : all[i].text)[t->lang], t);
	return ferror(f) ? -EIO : 0;
}

int policy_template_elements(FILE *f, const struct policy_template *t)
{
	static const unsigned by_sms =
		1u << EL_WITHDRAW | 1u << EL_LINK | 1u << EL_OBJECT | 1u << EL_ACCESS;
	int i = find(t->situation);
	const char *sep = "";

	if (i < 0)
		return i;
	for (int el = 0; el < EL_N; el++) {
		if (!(all[i].elements & ~(t->sms ? by_sms : 0) & 1u << el) &&
		    !(el == EL_OPTOUT && opts_out(i) && (!t->optout_key || t->optout_agent)))
			continue;
		fprintf(f, "%s%s", sep, element_names[el]);
		sep = " ";
	}
	if (asks(i))
		fprintf(f, "%skey:%s", sep, t->key ? t->key : "1");
	if (opts_out(i) && t->optout_key)
		fprintf(f, "%soptout-key:%s", sep, t->optout_key);
	return ferror(f) ? -EIO : 0;
}

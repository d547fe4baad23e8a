/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * announcement.c - optag announcement: what callers are to hear
 *
 * Prints the model texts of policy/template.c. No store, no keys, no daemon.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "policy/policy.h"

static const char *const languages[] = {"en", "da", NULL}; /* by enum policy_lang */
static int lang;
static bool sms, object, json, plain;
static const char *key, *optout_key, *link_to;
static bool tell;

/* One to six of 0-9 * # A-D, as a policy writes them. */
static bool is_key(const char *s)
{
	size_t n = strspn(s, "0123456789*#ABCD");

	return n > 0 && n < POLICY_KEY_MAX && !s[n];
}

static bool is_link(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr("{}\"\\;,[]", *s))
			return false;
	return true;
}

/* The text without its tags, for who reads it out. */
static void print_plain(const char *s)
{
	while (*s) {
		size_t n = strcspn(s, "[");
		const char *end = s[n] ? strchr(s + n, ']') : NULL;

		if (end && n && s[n - 1] == ' ')
			n--;
		fwrite(s, 1, n, stdout);
		s = end ? end + 1 : s + n;
	}
	putchar('\n');
}

static void print_object(const struct policy_template *t, const char *text, const char *elements)
{
	const char *page = link_to	       ? link_to
			   : lang == POLICY_DA ? "www.example.dk/telefonsamtaler"
					       : "www.example.com/call-recording";
	char id[16] = "";

	for (size_t i = 0; t->situation[i] && i + 1 < sizeof(id); i++)
		id[i] = t->situation[i] >= 'A' && t->situation[i] <= 'Z'
				? (char)(t->situation[i] - 'A' + 'a')
				: t->situation[i];
	printf("announcement %s-%s-1 {\n\tlanguage %s\n\tlink https://%s\n\telements %s\n\ttext "
	       "\"%s\"\n}\n",
	       id, languages[lang], languages[lang], page, elements, text);
}

static int print_json(const struct policy_template *t, const char *text, const char *elements)
{
	json_t *o = json_object();

	json_object_set_new(o, "situation", json_string(t->situation));
	json_object_set_new(o, "lang", json_string(languages[lang]));
	json_object_set_new(o, "sms", json_boolean(sms));
	json_object_set_new(o, "elements", json_string(elements));
	json_object_set_new(o, "text", json_string(text));
	return cli_json_line(stdout, o);
}

static int show(const struct policy_template *t)
{
	char text[2048] = "", elements[256] = "";
	FILE *f = fmemopen(text, sizeof(text), "w"), *g = fmemopen(elements, sizeof(elements), "w");
	int err = f && g ? 0 : -ENOMEM;

	if (!err)
		err = policy_template_print(f, t);
	if (!err)
		err = policy_template_elements(g, t);
	if (f && fclose(f) && !err)
		err = -EOVERFLOW;
	if (g && fclose(g) && !err)
		err = -EOVERFLOW;
	if (err == -ENOENT)
		return cli_usage(
			"'%s' is no situation with a model text: A1, A2, A3, B, C, D, E, F, G",
			t->situation);
	if (err) {
		cli_err("%s", strerror(-err));
		return CLI_FAILED;
	}
	if (json)
		return print_json(t, text, elements) ? CLI_FAILED : CLI_OK;
	if (object)
		print_object(t, text, elements);
	else if (plain)
		print_plain(text);
	else
		puts(text);
	return CLI_OK;
}

/* "S-C", "c", "a" mean C, C, A1: what is printed names it one way. */
static const char *situation(const char *s)
{
	if (!strncasecmp(s, "s-", 2))
		s += 2;
	for (size_t i = 0; policy_template_situation(i); i++)
		if (!strcasecmp(s, policy_template_situation(i)))
			return policy_template_situation(i);
	return strcasecmp(s, "a") ? s : "A1";
}

static bool known(const char *s)
{
	for (size_t i = 0; policy_template_situation(i); i++)
		if (!strcmp(situation(s), policy_template_situation(i)))
			return true;
	return false;
}

static int template_cmd(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_PICK('l', "lang", &lang, "LANG", "the language: en or da (default en)", false,
			 languages),
		CLI_OPT(0, "sms", CLI_FLAG, &sms, NULL,
			"the short text that is spoken when the rest goes by SMS"),
		CLI_OPT(0, "key", CLI_STR, &key, "KEY",
			"the key that means yes: A2, B, E (default 1)"),
		CLI_OPT(0, "opt-out-key", CLI_STR, &optout_key, "KEY",
			"a key to opt out with: C, F (default none: say so)"),
		CLI_OPT(0, "tell", CLI_FLAG, &tell, NULL,
			"with --opt-out-key: saying so is enough, too"),
		CLI_OPT(0, "link", CLI_STR, &link_to, "PAGE",
			"the page on call recording, without https://"),
		CLI_OPT(0, "plain", CLI_FLAG, &plain, NULL, "without the tags, to be read out"),
		CLI_OPT(0, "object", CLI_FLAG, &object, NULL, "as an announcement of a policy"),
		CLI_OPT_JSON(&json),
		{0},
	};
	static const struct cli cli = {
		.name = "optag announcement template",
		.summary = "print a model text for a situation of the guidance, with the tags of "
			   "its elements",
		.opts = opts,
		.operands = "SITUATION",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "SITUATION is A1, A2, A3 (documentation), B, C, D (training) or E, F, G "
			 "(both), also written S-C;\n"
			 "`optag policy explain` says which one a rule is in.\n",
	};
	struct policy_template t;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if ((key && !is_key(key)) || (optout_key && !is_key(optout_key)))
		return cli_usage("a key is one to six of 0-9 * # A-D");
	/* what would not be said is not taken: who gives a key believes that it is in the text */
	if (known(a.v[0]) && key && !strstr("A2 B E", situation(a.v[0])))
		return cli_usage("--key: nobody is asked for a consent in situation %s", situation(a.v[0]));
	if (known(a.v[0]) && (optout_key || tell) && !strstr("C F", situation(a.v[0])))
		return cli_usage("%s: there is no opt-out in situation %s", optout_key ? "--opt-out-key" : "--tell", situation(a.v[0]));
	if (tell && !optout_key)
		return cli_usage("--tell goes with --opt-out-key; without a key the text says so anyway");
	if (link_to && !strncmp(link_to, "https://", 8))
		link_to += 8;
	if (link_to && (!is_link(link_to) || strlen(link_to) > 500 || !*link_to))
		return cli_usage("--link is a page such as www.example.com/call-recording");
	if (object + json + plain > 1)
		return cli_usage("one of --plain, --object and --json");
	t = (struct policy_template){.situation = situation(a.v[0]),
				     .lang = (enum policy_lang)lang,
				     .sms = sms,
				     .key = key,
				     .optout_key = optout_key,
				     .optout_agent = tell,
				     .link = link_to};
	return cli_finish(show(&t));
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{"template", "print a model text for a situation", template_cmd},
		{0},
	};

	return cli_dispatch("optag announcement", "what callers are to hear", cmds, argc, argv);
}

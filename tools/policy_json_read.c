/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_json_read.c - JSON text from anywhere: limits first, then jansson, strict
 *
 * A scan over the bytes counts depth and containers before anything is
 * allocated, and turns the byte at which jansson gave up into a pointer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy_json.h"

struct level {
	bool array, value; /* value: past the colon */
	size_t index;
	const char *key; /* of an object: the latest, still escaped */
	size_t nkey;
};

struct scan {
	struct level level[POLICY_JSON_DEPTH_MAX];
	int depth;
	size_t containers;
};

/* Past the text in quotes that begins at s. */
static const char *skip_string(const char *s, const char *end)
{
	for (s++; s < end && *s != '"'; s++)
		if (*s == '\\' && s + 1 < end)
			s++;
	return s < end ? s + 1 : end;
}

/* In an object a text before the colon is a key. */
static const char *string(struct scan *c, const char *s, const char *end)
{
	const char *close = skip_string(s, end);

	if (c->depth && !c->level[c->depth - 1].array && !c->level[c->depth - 1].value) {
		c->level[c->depth - 1].key = s + 1;
		c->level[c->depth - 1].nkey =
			(size_t)(close - s) - (close - s > 1 && close[-1] == '"' ? 2 : 1);
	}
	return close;
}

/* -E2BIG with the reason; stops at `end` otherwise. */
static int scan(const char *s, const char *end, struct scan *c, const char **ret_reason)
{
	while (s < end) {
		switch (*s) {
		case '"':
			s = string(c, s, end);
			continue;
		case '{':
		case '[':
			if (c->depth == POLICY_JSON_DEPTH_MAX) {
				*ret_reason = "objects and arrays are nested deeper than a policy";
				return -E2BIG;
			}
			if (++c->containers > POLICY_JSON_CONTAINERS_MAX) {
				*ret_reason = "there are more than a million objects and arrays";
				return -E2BIG;
			}
			c->level[c->depth++] = (struct level){.array = *s == '['};
			break;
		case '}':
		case ']':
			if (c->depth)
				c->depth--;
			break;
		case ':':
			if (c->depth)
				c->level[c->depth - 1].value = true;
			break;
		case ',':
			if (c->depth) {
				c->level[c->depth - 1].index++;
				c->level[c->depth - 1].value = false;
			}
			break;
		default:
			break;
		}
		s++;
	}
	return 0;
}

static void pointer(const struct scan *c, char *out, size_t n)
{
	size_t at = 0;

	for (int i = 0; i < c->depth && at + 32 < n; i++) {
		const struct level *l = &c->level[i];

		if (l->array) {
			at += (size_t)snprintf(out + at, n - at, "/%zu", l->index);
			continue;
		}
		if (!l->key)
			break;
		out[at++] = '/';
		for (size_t k = 0; k < l->nkey && at + 4 < n; k++) {
			unsigned char b = (unsigned char)l->key[k];

			if (b == '~' || b == '/') {
				out[at++] = '~';
				out[at++] = b == '~' ? '0' : '1';
			} else {
				out[at++] = b < ' ' || b == 0x7f ? '?' : (char)b;
			}
		}
	}
	out[at < n ? at : n - 1] = 0;
}

static const char *reason_of(const json_error_t *je)
{
	switch (json_error_code(je)) {
	case json_error_duplicate_key:
		return "this member stands here twice";
	case json_error_invalid_utf8:
		return "the text is not UTF-8";
	case json_error_end_of_input_expected:
		return "something follows the object";
	case json_error_premature_end_of_input:
		return "the text ends in the middle";
	case json_error_null_byte_in_key:
	case json_error_null_character:
		return "a control character is in the text";
	case json_error_numeric_overflow:
		return "the number is too large";
	default:
		return "this is no JSON";
	}
}

int policy_json_read(const char *text, size_t n, json_t **ret, struct policy_json_error *e)
{
	const char *reason = NULL;
	struct scan c = {0};
	json_error_t je;
	json_t *j;

	e->pointer[0] = 0;
	if (n > POLICY_JSON_BYTES_MAX) {
		snprintf(e->reason, sizeof(e->reason), "it is larger than 64 MiB");
		return -EINVAL;
	}
	if (scan(text, text + n, &c, &reason)) {
		pointer(&c, e->pointer, sizeof(e->pointer));
		snprintf(e->reason, sizeof(e->reason), "%s", reason);
		return -EINVAL;
	}
	j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
	if (j) {
		*ret = j;
		return 0;
	}
	if (json_error_code(&je) == json_error_out_of_memory)
		return -ENOMEM;
	memset(&c, 0, sizeof(c));
	(void)scan(text, text + ((size_t)je.position < n ? (size_t)je.position : n), &c,
		   &reason); /* it was whole before */
	pointer(&c, e->pointer, sizeof(e->pointer));
	snprintf(e->reason, sizeof(e->reason), "%s (line %d)", reason_of(&je),
		 je.line > 0 ? je.line : 1);
	return -EINVAL;
}

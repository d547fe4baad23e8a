/* SPDX-License-Identifier: BSD-2-Clause */
/* mkapproval.c - mkapproval KEYFILE POLICY BASE PROPOSER UNTIL: a signed approval, whatever it says, on stdout */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/approval.h"

int main(int argc, char **argv)
{
	uint8_t seed[APPROVAL_SEED];
	char text[APPROVAL_MAX];
	struct approval a = { 0 };

	if (argc != 6 || strlen(argv[2]) != 64 || strlen(argv[3]) != 64 || approval_key_load(argv[1], true, a.approver, seed))
		return 2;
	memcpy(a.policy, argv[2], 65);
	memcpy(a.base, argv[3], 65);
	a.proposer = (uint32_t)strtoul(argv[4], NULL, 10);
	a.until_s = strtoull(argv[5], NULL, 10);
	if (approval_sign(&a, seed))
		return 1;
	fwrite(text, 1, approval_format(&a, text), stdout);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * san.c - what a program does under the sanitizers when its environment says nothing; linked into programs where SAN is set
 *
 * No search for leaks: it traces the program, which nobody may do with one that is set-user-id (tests/cli/hold.sh), and
 * such a one does not see ASAN_OPTIONS either. tests/run.sh asks for the search there for all others.
 * Nor does one without an environment (optag-decode, units of systemd). The status is one that no program has by itself.
 */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:exitcode=99";
}

const char *__ubsan_default_options(void)
{
	return "exitcode=99";
}

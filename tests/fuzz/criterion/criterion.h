/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Stands in for Criterion, so that a fuzzer can use the headers of the packet
 * tests: an assertion that fails tells what led there and aborts, which is
 * what libFuzzer takes for a find.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints the state of the run; set by the program, if it has any to tell. */
static void (*fail_tell)(void);

__attribute__((noreturn, format(printf, 4, 5), unused))
static void fail(const char *file, int line, const char *condition, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (fail_tell)
		fail_tell();
	abort();
}

#define cr_assert(condition, ...) \
	do { \
		if (!(condition)) \
			fail(__FILE__, __LINE__, #condition, " " __VA_ARGS__); \
	} while (0)
#define cr_expect cr_assert

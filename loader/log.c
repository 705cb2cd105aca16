/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How the loader speaks on standard error, and the cleanup functions behind
 * hw_autoclose and hw_autofree. A message is formatted first and written at
 * once, so that lines of two processes do not mix.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeward.h"

static void __attribute__((format(printf, 2, 0))) say(const char *prefix, const char *fmt, va_list args)
{
	int saved = errno;
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	fprintf(stderr, "homeward: %s%s\n", prefix, text ? text : fmt);
	free(text);
	errno = saved;
}

void hw_err(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
}

void hw_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("warning: ", fmt, args);
	va_end(args);
}

void hw_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
}

void hw_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void hw_free(void *p)
{
	void *block;

	/* Any type of pointer may lie there, so it is copied, not cast. */
	memcpy(&block, p, sizeof(block));
	free(block);
	memset(p, 0, sizeof(block));
}

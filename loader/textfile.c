/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reading a whole file, with everything about it checked on the open file
 * itself, so that it cannot be swapped between the check and the reading.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeward.h"
#include "textfile.h"

static bool acceptable(int fd, const char *path, size_t max, mode_t forbidden, char *why, size_t why_len)
{
	struct stat st;

	if (fstat(fd, &st))
		snprintf(why, why_len, "cannot be examined: %s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		snprintf(why, why_len, "is a directory: name the file in it");
	else if (!S_ISREG(st.st_mode))
		snprintf(why, why_len, "is not a regular file: put its text into one");
	else if (st.st_mode & forbidden)
		snprintf(why, why_len, "has mode %04o, so others than its owner have access: chmod 600 %s",
			 st.st_mode & 07777, path);
	else if (st.st_size > (off_t)max)
		snprintf(why, why_len, "is too large: %lld bytes, the most is %zu", (long long)st.st_size, max);
	else
		return true;
	return false;
}

char *hw_textfile_read(const char *path, size_t max, mode_t forbidden, size_t *len, char *why, size_t why_len)
{
	/* Not waiting for the other end of a FIFO. */
	int fd hw_autoclose = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = 0;
	char *text;

	if (fd < 0) {
		snprintf(why, why_len, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	if (!acceptable(fd, path, max, forbidden, why, why_len))
		return NULL;
	/* One byte more than allowed shows a file that has grown, or has no size (/proc). One for the NUL. */
	text = calloc(1, max + 2);
	if (!text) {
		snprintf(why, why_len, "cannot be read: out of memory");
		return NULL;
	}
	for (*len = 0; *len <= max; *len += n) {
		n = read(fd, text + *len, max + 1 - *len);
		if (n <= 0)
			break;
	}
	if (n >= 0 && *len <= max)
		return text;
	if (n < 0)
		snprintf(why, why_len, "cannot be read: %s", strerror(errno));
	else
		snprintf(why, why_len, "is too large: the most is %zu bytes", max);
	explicit_bzero(text, *len);
	free(text);
	return NULL;
}

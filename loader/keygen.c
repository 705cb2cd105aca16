/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * homeward keygen: a new line for the key file, on standard output, from the
 * kernel's random numbers. The id is random as well, so that a line can be put
 * into a file with other keys without looking; `check` finds the rare clash.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "homeward.h"

int hw_keygen(const struct hw_options *opt)
{
	unsigned char bytes[17]; /* id, key */
	ssize_t n;
	size_t i;

	do {
		n = getrandom(bytes, sizeof(bytes), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(bytes)) {
		hw_err("keygen: the kernel gave no random numbers: %s", strerror(errno));
		return HW_SYSTEM;
	}
	printf("%u ", bytes[0]);
	for (i = 1; i < sizeof(bytes); i++)
		printf("%02x", bytes[i]);
	putchar('\n');
	explicit_bzero(bytes, sizeof(bytes));
	if (fflush(stdout) || ferror(stdout)) {
		hw_err("keygen: cannot write the key: %s", strerror(errno));
		return HW_SYSTEM;
	}
	return HW_DONE;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whole text files into memory: the config and the key file. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a regular file of at most `max` bytes. forbidden: permission bits that
 * it must not have (0: any). Returns its text, with a NUL behind it, for the
 * caller to free, and its length; or NULL with the reason in `why`, as a phrase
 * that follows the file's name. Never waits (a FIFO is refused).
 */
char *hw_textfile_read(const char *path, size_t max, mode_t forbidden, size_t *len, char *why, size_t why_len);

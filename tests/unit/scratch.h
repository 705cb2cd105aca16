/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A directory of its own for a test that needs files: made by scratch_begin(),
 * removed with all that is in it by scratch_end() (fixtures of a suite), which
 * also fails the test if it leaked: criterion ends its processes in a way that
 * AddressSanitizer's own check at exit does not see.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <criterion/criterion.h>

static char scratch_dir[] = "/tmp/homeward-test-XXXXXX";

static void scratch_begin(void)
{
	cr_assert_not_null(mkdtemp(scratch_dir));
}

static void scratch_end(void)
{
	DIR *dir = opendir(scratch_dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
	rmdir(scratch_dir);
#ifdef __SANITIZE_ADDRESS__
	/* Assertions in a fixture are printed, but fail nothing (criterion 2.4.1). */
	if (__lsan_do_recoverable_leak_check())
		abort();
#endif
}

/* The path of a name in the directory; the caller frees it. */
static char *scratch_path(const char *name)
{
	char *path;

	cr_assert(asprintf(&path, "%s/%s", scratch_dir, name) > 0);
	return path;
}

static void scratch_write(const char *name, const void *text, size_t len, mode_t mode)
{
	char *path = scratch_path(name);
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(text, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
	cr_assert_eq(chmod(path, mode), 0);
	free(path);
}

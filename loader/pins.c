/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Opens the pinned maps of a pin path by name, refuses those of another schema
 * version, and knows whether an agent runs there. The agent's lock is a flock
 * on the pin directory itself: bpffs holds no regular files, and the kernel
 * drops the lock with the process, so no stale lock can be left behind.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "pins.h"

void hw_pins_init(struct hw_pins *pins)
{
#define M(name) pins->name = -1;
	HW_PINNED_MAPS(M)
#undef M
}

static int open_map(const char *path, const char *name)
{
	char file[PATH_MAX];

	if (snprintf(file, sizeof(file), "%s/hw_%s", path, name) >= (int)sizeof(file)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return bpf_obj_get(file);
}

static void say_unreadable(const char *path)
{
	if (errno == EPERM || errno == EACCES)
		hw_err("%s: %s; run as root (CAP_BPF and CAP_NET_ADMIN)", path, strerror(errno));
	else
		hw_err("%s/hw_schema: %s", path, strerror(errno));
}

/* The first map to be opened: if it is not there, nothing is. */
static int open_schema(const char *path)
{
	int fd = open_map(path, "schema");

	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		hw_err("%s: homeward is not loaded here; run `homeward load -p %s`, or name another path with -p",
		       path, path);
	else
		say_unreadable(path);
	return -1;
}

static bool version_fits(const char *path, int fd)
{
	struct hw_schema schema = {0};
	__u32 zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &schema) != 0) {
		hw_err("%s/hw_schema: %s", path, strerror(errno));
		return false;
	}
	if (schema.version != HW_SCHEMA) {
		hw_err("%s: pinned maps have schema version %u, this homeward speaks %d; "
		       "run `homeward unload -p %s` and `homeward load` again", path, schema.version, HW_SCHEMA, path);
		return false;
	}
	return true;
}

bool hw_pins_schema_fits(const char *path)
{
	hw_autoclose int fd = open_map(path, "schema");

	if (fd >= 0)
		return version_fits(path, fd);
	if (errno == ENOENT)
		return true;
	say_unreadable(path);
	return false;
}

bool hw_pins_open(struct hw_pins *pins, const char *path)
{
	hw_pins_init(pins);
	if (snprintf(pins->path, sizeof(pins->path), "%s", path) >= (int)sizeof(pins->path)) {
		hw_err("%s: the pin path is too long", path);
		return false;
	}
	pins->schema = open_schema(path);
	if (pins->schema < 0)
		return false;
	if (!version_fits(path, pins->schema))
		goto fail;
#define M(name) \
	if (pins->name < 0 && (pins->name = open_map(path, #name)) < 0) { \
		hw_err("%s/hw_" #name ": %s; run `homeward load -p %s` again", path, strerror(errno), path); \
		goto fail; \
	}
	HW_PINNED_MAPS(M)
#undef M
	return true;
fail:
	hw_pins_close(pins);
	return false;
}

void hw_pins_close(struct hw_pins *pins)
{
#define M(name) \
	if (pins->name >= 0) \
		close(pins->name);
	HW_PINNED_MAPS(M)
#undef M
	hw_pins_init(pins);
}

/* how: LOCK_EX or LOCK_SH. Returns the fd that holds the lock, or -1. */
static int lock_directory(const char *path, int how)
{
	int saved, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (flock(fd, how | LOCK_NB) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int hw_pins_lock(const char *path)
{
	int fd;

	/* hw_pins_agent_runs() of another process holds the lock for a moment: that is no agent */
	for (int tries = 0; tries < 5; tries++) {
		fd = lock_directory(path, LOCK_EX);
		if (fd >= 0 || errno != EWOULDBLOCK)
			return fd;
		usleep(10000);
	}
	errno = EWOULDBLOCK;
	return -1;
}

bool hw_pins_on_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

int hw_pins_lock_changes(const char *path)
{
	char links[sizeof(((struct hw_pins *)0)->path) + 8];
	int fd;

	snprintf(links, sizeof(links), "%s/links", path);
	fd = open(links, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	hw_err("%s: cannot be locked: %s", links, strerror(errno));
	hw_close(&fd);
	return -1;
}

bool hw_pins_agent_runs(const char *path)
{
	hw_autoclose int fd = lock_directory(path, LOCK_SH);

	return fd < 0 && errno == EWOULDBLOCK;
}

bool hw_pins_sum(int map_fd, uint32_t row, uint64_t *out, size_t n)
{
	const int cpus = libbpf_num_possible_cpus();
	hw_autofree uint64_t *each = NULL;

	if (cpus < 1) {
		errno = -cpus;
		return false;
	}
	each = calloc((size_t)cpus * n, sizeof(*each));
	if (!each || bpf_map_lookup_elem(map_fd, &row, each) != 0)
		return false;
	memset(out, 0, n * sizeof(*out));
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < n; i++)
			out[i] += each[(size_t)cpu * n + i];
	return true;
}

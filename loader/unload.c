/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward unload`: takes the program off the NICs named, or off all; when it
 * is on no NIC any more, the pins go too and nothing is left.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "homeward.h"
#include "pins.h"
#include "unload.h"

#define MAX_NICS 256

/* Only what is ours by name: the directory may hold somebody else's pins. */
static bool is_ours(const char *name)
{
	static const char *const programs[] = { "ingress", "ingress:new", "egress", "egress:new" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!strcmp(name, programs[i]))
			return true;
	return !strncmp(name, "hw_", 3);
}

static void remove_directory(const char *path)
{
	if (rmdir(path) && errno != ENOENT && errno != ENOTEMPTY)
		hw_warn("%s: cannot be removed: %s", path, strerror(errno));
}

bool hw_unload_pins(const char *pin)
{
	struct dirent *entry;
	char path[4500];
	bool ok = true;
	DIR *dir;

	if (!hw_pins_on_bpffs(pin)) {
		hw_err("%s: not on a bpffs, so nothing of homeward's is there", pin);
		return false;
	}
	dir = opendir(pin);
	if (!dir)
		return errno == ENOENT;
	while ((entry = readdir(dir))) {
		if (!is_ours(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", pin, entry->d_name);
		if (unlink(path)) {
			hw_err("%s: cannot be removed: %s", path, strerror(errno));
			ok = false;
		}
	}
	closedir(dir);
	snprintf(path, sizeof(path), "%s/links", pin);
	remove_directory(path);
	remove_directory(pin);
	return ok;
}

static const struct hw_attachment *find(const struct hw_attachment *list, int n, const char *device)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(list[i].device, device))
			return &list[i];
	return NULL;
}

static bool detach(const char *pin, const char *device, const struct hw_attachment *nic)
{
	if (!nic) {
		hw_err("%s: homeward is not attached there (see `homeward status -p %s`)", device, pin);
		return false;
	}
	if (strcmp(nic->attach, "other"))
		return hw_attach_detach(pin, device);
	hw_err("%s: another tool put the program there; take it off with that, as by `xdp-loader unload %s --all`",
	       device, device);
	return false;
}

/* A lock is held where there is something to lock: what xdp-loader has pinned has no PIN/links. */
static int take_lock(const char *pin, bool *ok)
{
	char links[4200];
	int fd;

	snprintf(links, sizeof(links), "%s/links", pin);
	if (access(links, F_OK))
		return -1;
	fd = hw_pins_lock_changes(pin);
	*ok = fd >= 0;
	return fd;
}

int hw_unload(const struct hw_options *opt)
{
	struct hw_attachment list[MAX_NICS];
	hw_autoclose int lock = -1;
	struct stat st;
	bool ok = true;
	int n;

	if (stat(opt->pin, &st)) {
		hw_err("%s: nothing is loaded there: %s", opt->pin, strerror(errno));
		return HW_SYSTEM;
	}
	lock = take_lock(opt->pin, &ok);
	n = ok ? hw_attach_list(opt->pin, list, MAX_NICS) : -1;
	if (n < 0)
		return HW_SYSTEM;
	for (int i = 0; i < opt->n_args; i++)
		ok &= detach(opt->pin, opt->args[i], find(list, n, opt->args[i]));
	for (int i = 0; !opt->n_args && i < n; i++)
		ok &= detach(opt->pin, list[i].device, &list[i]);
	n = hw_attach_list(opt->pin, list, MAX_NICS);
	if (!ok || n)
		return ok && n > 0 ? HW_DONE : HW_SYSTEM;
	if (hw_pins_agent_runs(opt->pin))
		hw_note("%s: an agent still runs for it; it ends by itself", opt->pin);
	return hw_unload_pins(opt->pin) ? HW_DONE : HW_SYSTEM;
}

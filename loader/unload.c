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
	DIR *dir = opendir(pin);
	struct dirent *entry;
	char path[4500];
	bool ok = true;

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

static bool detach(const char *pin, const char *device, const struct hw_attachment *list, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(list[i].device, device))
			return hw_attach_detach(pin, device);
	hw_err("%s: homeward is not attached there (see `homeward status -p %s`)", device, pin);
	return false;
}

int hw_unload(const struct hw_options *opt)
{
	struct hw_attachment list[MAX_NICS];
	struct stat st;
	bool ok = true;
	int n;

	if (stat(opt->pin, &st)) {
		hw_err("%s: nothing is loaded there: %s", opt->pin, strerror(errno));
		return HW_SYSTEM;
	}
	n = hw_attach_list(opt->pin, list, MAX_NICS);
	if (n < 0)
		return HW_SYSTEM;
	for (int i = 0; i < opt->n_args; i++)
		ok &= detach(opt->pin, opt->args[i], list, n);
	for (int i = 0; !opt->n_args && i < n; i++)
		ok &= hw_attach_detach(opt->pin, list[i].device);
	if (!ok || hw_attach_list(opt->pin, list, MAX_NICS) != 0)
		return ok ? HW_DONE : HW_SYSTEM;
	if (hw_pins_agent_runs(opt->pin))
		hw_warn("%s: an agent still runs for it; it ends by itself", opt->pin);
	return hw_unload_pins(opt->pin) ? HW_DONE : HW_SYSTEM;
}

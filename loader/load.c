/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward load`: attaches the programs to the NICs and fills the maps. Order:
 * config whole, NICs looked at, programs loaded over the pinned maps (new
 * ones where there are none), maps filled, then attached; so the program never
 * runs without its config. Where a link of ours is there already the program
 * is replaced in it, and no packet is lost. A first load that fails leaves
 * nothing behind; a later one leaves the config that was in force.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "attach.h"
#include "conf.h"
#include "egress.skel.h"
#include "ingress.skel.h"
#include "nexthop.h"
#include "nic.h"
#include "pins.h"
#include "publish.h"
#include "unload.h"

static void conf_release(struct hw_conf **conf)
{
	hw_conf_free(*conf);
}

static void skel_release(struct ingress **skel)
{
	ingress__destroy(*skel);
}

static void egress_release(struct egress **skel)
{
	egress__destroy(*skel);
}

/* The usual place is mounted if need be, as ip and libxdp do; elsewhere that is the user's. */
static bool mount_usual_bpffs(const char *path)
{
	static const char usual[] = "/sys/fs/bpf";

	if (strncmp(path, usual, strlen(usual)) || hw_pins_on_bpffs(usual))
		return true;
	if (!mount("bpf", usual, "bpf", 0, "mode=0700"))
		return true;
	hw_err("%s: cannot mount a bpffs there: %s; run `mount -t bpf bpf %s`", usual, strerror(errno), usual);
	return false;
}

/* Sets *made if it was not there before. */
static bool make_directory(const char *path, bool *made)
{
	*made = !mkdir(path, 0700);
	if (*made || errno == EEXIST)
		return true;
	hw_err("%s: cannot be made: %s; its parent must be a directory of a bpffs", path, strerror(errno));
	return false;
}

/* PIN and PIN/links. Returns the lock that load and unload hold, or -1. */
static int pin_directory(const char *pin)
{
	bool made, ignored;
	char links[4096];

	if (!mount_usual_bpffs(pin) || !make_directory(pin, &made))
		return -1;
	if (!hw_pins_on_bpffs(pin)) {
		if (made)
			rmdir(pin);
		hw_err("%s: not on a bpffs; name one with -p, or run `mount -t bpf bpf DIRECTORY`", pin);
		return -1;
	}
	snprintf(links, sizeof(links), "%s/links", pin);
	return make_directory(links, &ignored) ? hw_pins_lock_changes(pin) : -1;
}

/* A pinned hw_flows keeps its size: it cannot grow in place. */
static void keep_flow_size(struct ingress *skel, const char *pin, uint32_t wanted)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	hw_autoclose int fd = -1;
	char path[4200];

	bpf_map__set_max_entries(skel->maps.hw_flows, wanted);
	snprintf(path, sizeof(path), "%s/hw_flows", pin);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.max_entries == wanted)
		return;
	bpf_map__set_max_entries(skel->maps.hw_flows, info.max_entries);
	hw_warn("limits.flows: hw_flows keeps its %u entries until `homeward unload` and `homeward load`",
		info.max_entries);
}

static struct ingress *load_program(const char *pin, const struct hw_conf *conf)
{
	struct ingress *skel = ingress__open();
	struct bpf_map *map;
	char path[4200];
	int err;

	if (!skel) {
		hw_err("the XDP program cannot be read: %s", strerror(errno));
		return NULL;
	}
	bpf_object__for_each_map(map, skel->obj) {
		if (strncmp(bpf_map__name(map), "hw_", 3) || !bpf_map__pin_path(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", pin, bpf_map__name(map));
		bpf_map__set_pin_path(map, path);
	}
	keep_flow_size(skel, pin, conf->limits.flows);
	err = ingress__load(skel);
	if (!err)
		return skel;
	ingress__destroy(skel);
	if (err == -EPERM)
		hw_err("the kernel refuses to load the XDP program: run as root, or with CAP_BPF, CAP_NET_ADMIN and "
		       "CAP_PERFMON");
	else
		hw_err("the kernel refuses the XDP program: %s; homeward needs Linux 6.1 or newer with BTF "
		       "(HOMEWARD_DEBUG=1 shows what the verifier says)", strerror(-err));
	return NULL;
}

/* Gives an object that is not loaded yet the maps of one that is, in place of pinned ones by its own names. */
static bool share_maps(struct bpf_object *obj, const struct ingress *loaded)
{
	const struct bpf_map *from;
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		if (!bpf_map__pin_path(map))
			continue;
		/* they are pinned already, and not where the object alone would have them */
		bpf_map__set_pin_path(map, NULL);
		from = bpf_object__find_map_by_name(loaded->obj, bpf_map__name(map));
		if (!from || bpf_map__reuse_fd(map, bpf_map__fd(from)))
			return false;
	}
	return true;
}

/* NULL if the kernel does not take it (said). */
static struct egress *load_egress(const struct ingress *loaded)
{
	struct egress *skel = egress__open();

	if (skel && share_maps(skel->obj, loaded) && !egress__load(skel))
		return skel;
	hw_err("the kernel refuses the tc egress program: %s (HOMEWARD_DEBUG=1 shows what the verifier says)",
	       strerror(errno));
	egress__destroy(skel);
	return NULL;
}

/* The new program takes the old one's name in one step. */
static bool pin_program(const char *pin, const char *name, int fd)
{
	char path[4200], fresh[4200];

	snprintf(path, sizeof(path), "%s/%s", pin, name);
	snprintf(fresh, sizeof(fresh), "%s/%s:new", pin, name);
	unlink(fresh);
	if (!bpf_obj_pin(fd, fresh) && !rename(fresh, path))
		return true;
	hw_err("%s: the program cannot be pinned: %s", path, strerror(errno));
	return false;
}

static bool write_schema(int map_fd)
{
	struct hw_schema schema = { .version = HW_SCHEMA };
	uint32_t zero = 0;

	return !bpf_map_update_elem(map_fd, &zero, &schema, BPF_ANY);
}

/* The data path works without an agent, so load finds the ways to the nodes too. */
static bool publish_nodes(const struct hw_pins *pins, const struct hw_conf *conf)
{
	struct hw_netlink *nl = hw_netlink_open();
	bool ok = nl;

	for (size_t i = 0; ok && i < conf->n_nodes; i++) {
		struct hw_hop hop = {};

		if (&conf->nodes[i] != conf->self)
			ok = hw_netlink_resolve(nl, &conf->self->endpoint, &conf->nodes[i].endpoint, &hop);
		ok = ok && hw_publish_node(pins, conf, &conf->nodes[i], &hop, 0);
	}
	hw_netlink_close(nl);
	return ok;
}

static bool fill_maps(const char *pin, const struct ingress *skel, const struct hw_conf *conf)
{
	hw_autopins struct hw_pins pins;

	hw_pins_init(&pins);
	return write_schema(bpf_map__fd(skel->maps.hw_schema)) && hw_pins_open(&pins, pin) &&
	       hw_publish_config(&pins, conf) && hw_publish_forget_nodes(&pins, conf) && publish_nodes(&pins, conf) &&
	       hw_publish_mss(&pins, conf);
}

/* libxdp loads the program itself, as an extension of its dispatcher, over the same maps. */
static enum hw_attached attach_chain(const struct hw_options *opt, const char *device, const struct ingress *loaded)
{
	__attribute__((cleanup(skel_release))) struct ingress *copy = ingress__open();

	if (!copy || !share_maps(copy->obj, loaded))
		return HW_ATTACH_FAILED;
	return hw_attach_chain(opt->pin, device, copy->obj, "hw_ingress", opt->mode);
}

/*
 * Attaches to all devices, or to none that it was not attached to before. The
 * tc egress program comes second: where it is refused homeward works without.
 */
static bool attach_all(const struct hw_options *opt, char **devices, size_t n, const struct ingress *skel,
		       const struct egress *egress)
{
	int prog_fd = bpf_program__fd(skel->progs.hw_ingress);
	hw_autofree enum hw_attached *done = calloc(n + 1, sizeof(*done));

	if (!done)
		return false;
	for (size_t i = 0; i < n; i++) {
		done[i] = opt->chain ? attach_chain(opt, devices[i], skel) :
				       hw_attach_link(opt->pin, devices[i], prog_fd, opt->mode);
		if (done[i] != HW_ATTACH_FAILED) {
			hw_egress_attach(opt->pin, devices[i], bpf_program__fd(egress->progs.hw_egress));
			hw_note("%s: %s", devices[i],
				done[i] == HW_ATTACH_NEW ? "attached" : "program replaced in place");
			continue;
		}
		while (i-- > 0)
			if (done[i] == HW_ATTACH_NEW)
				hw_attach_detach(opt->pin, devices[i]);
		return false;
	}
	return true;
}

static bool pin_programs(const char *pin, const struct ingress *skel, const struct egress *egress)
{
	return pin_program(pin, "ingress", bpf_program__fd(skel->progs.hw_ingress)) &&
	       pin_program(pin, "egress", bpf_program__fd(egress->progs.hw_egress));
}

/*
 * The first time the maps are filled before a packet is seen. Later they are
 * the running program's, so they are only touched once all NICs are ours; and
 * if an agent runs, they are its own, which reads the config on SIGHUP.
 */
static bool fill_and_attach(const struct hw_options *opt, const struct hw_conf *conf, char **devices, size_t n,
			    const struct ingress *skel, const struct egress *egress, bool first)
{
	if (first)
		return fill_maps(opt->pin, skel, conf) && pin_programs(opt->pin, skel, egress) &&
		       attach_all(opt, devices, n, skel, egress);
	if (!attach_all(opt, devices, n, skel, egress) || !pin_programs(opt->pin, skel, egress))
		return false;
	if (!hw_pins_agent_runs(opt->pin))
		return fill_maps(opt->pin, skel, conf);
	hw_note("the agent that runs keeps its config; if %s has changed, send it a SIGHUP "
		"(`systemctl reload homeward`)", conf->path);
	return true;
}

static bool load(const struct hw_options *opt, const struct hw_conf *conf, char **devices, size_t n)
{
	__attribute__((cleanup(skel_release))) struct ingress *skel = NULL;
	__attribute__((cleanup(egress_release))) struct egress *egress = NULL;
	hw_autoclose int lock = pin_directory(opt->pin);
	char schema[4200];
	bool first;

	if (lock < 0 || !hw_pins_schema_fits(opt->pin))
		return false;
	snprintf(schema, sizeof(schema), "%s/hw_schema", opt->pin);
	first = access(schema, F_OK);
	skel = load_program(opt->pin, conf);
	egress = skel ? load_egress(skel) : NULL;
	if (egress && fill_and_attach(opt, conf, devices, n, skel, egress, first))
		return true;
	if (first)
		hw_unload_pins(opt->pin);
	return false;
}

int hw_load(const struct hw_options *opt)
{
	__attribute__((cleanup(conf_release))) struct hw_conf *conf = hw_conf_read(opt->conf, opt->node, stderr);
	char **devices;
	size_t n;

	if (!conf)
		return HW_USAGE;
	devices = opt->n_args ? opt->args : conf->interfaces;
	n = opt->n_args ? (size_t)opt->n_args : conf->n_interfaces;
	for (size_t i = 0; i < n; i++)
		if (!hw_nic_check(devices[i], conf))
			return HW_SYSTEM;
	hw_nic_check_host(conf);
	return load(opt, conf, devices, n) ? HW_DONE : HW_SYSTEM;
}

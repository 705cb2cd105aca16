/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward agent`: the daemon beside the XDP program. It reads what that hands
 * up, asks the other nodes through the asking policy, sends on what was held,
 * and keeps routes, peers, entries and views. The data path does not depend on
 * it: without an agent known strays are carried, questions are answered, and
 * unknown strays are dropped until it is back.
 *
 * The ring of strays is read without a wake-up per packet: the agent sets a
 * flag before it sleeps, the first packet clears it and wakes it; then it looks
 * by the clock for as long as packets come.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "agent.h"
#include "publish.h"
#include "wire.h"

#define POLL_NS    (500 * 1000ULL)            /* while packets come, the ring is read so often */
#define POLL_LAST  (20 * HW_MILLISECOND)      /* and for so long after the last */
#define DROWSY_NS  HW_MILLISECOND             /* longer than XDP takes to write a record */
#define RING_BATCH 512                        /* records a turn, so that the loop stays responsive */
#define STALE_NS   (500 * HW_MILLISECOND)     /* older records were left by an agent that died, or by us when we were busy */
#define SETTLE_NS  (10 * HW_MILLISECOND)      /* routes change in bursts: resolve once after one */
#define ROUTES_NS  (10 * HW_SECOND)
#define NOBODY_NS  (1500 * HW_MILLISECOND)

/* What asking may hold and remember at once. */
#define ASK_FLOWS      65536
#define ASK_HOLD_BYTES (64u << 20)

uint64_t hw_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * HW_SECOND + ts.tv_nsec;
}

uint64_t hw_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * HW_SECOND + ts.tv_nsec;
}

/* What the asker wants of the outside. */

static bool op_send(void *ctx, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows, unsigned n)
{
	return hw_channel_ask(ctx, node, nonce, flows, n);
}

static bool op_found(void *ctx, const struct hw_flow_key *key, const struct hw_ask_flow *flow, uint16_t home)
{
	struct hw_agent_state *a = ctx;
	struct hw_addr client, vip;
	uint8_t signer = a->conf->keys.id[0];
	struct hw_flow entry = { .key_gen = a->config.key_gen, .home = home, .seen_ns = hw_now(),
				 .seq = be32toh(flow->seq), .ack = be32toh(flow->ack) };

	memcpy(client.b, key->client, sizeof(client.b));
	memcpy(vip.b, flow->vip, sizeof(vip.b));
	entry.outer_port = hw_wire_outer_port(&client, key->client_port, &vip, key->vip_port);
	entry.tag = hw_wire_carry_tag(&a->conf->keys.key[0], signer, a->conf->network, a->conf->self->id, home,
				      &client, key->client_port, &vip, key->vip_port);
	return !bpf_map_update_elem(a->pins.flows, key, &entry, BPF_ANY);
}

/* A VIP whose connections stay invisible is said to be so, and its packets pass, instead of being asked about. */
static void notice_blind(struct hw_agent_state *a, const struct hw_flow_key *key, const struct hw_ask_flow *flow)
{
	struct hw_ask_flow look = *flow;

	if (!hw_look_grade(a->look, &look, 1) || look.reserved[0] ||
	    !hw_blind_nobody(a->blind, key, be32toh(flow->ack), hw_now()))
		return;
	hw_upkeep_flag_vip(a, key->vip, true);
}

static void op_nobody(void *ctx, const struct hw_flow_key *key, const struct hw_ask_flow *flow)
{
	struct hw_agent_state *a = ctx;
	struct hw_nobody said = { .until_ns = hw_now() + NOBODY_NS, .seq = be32toh(flow->seq),
				  .ack = be32toh(flow->ack) };

	bpf_map_update_elem(a->pins.nobody, key, &said, BPF_ANY);
	notice_blind(a, key, flow);
}

static void op_replay(void *ctx, const struct hw_stray *stray, enum hw_replay what)
{
	hw_replay_frame(ctx, stray->ifindex, stray->frame, stray->held, what);
}

static uint64_t op_nonce(void *ctx)
{
	uint64_t nonce;

	while (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		;
	return nonce;
}

static enum hw_node_state op_state(void *ctx, uint16_t node)
{
	struct hw_agent_state *a = ctx;

	return hw_peers_state(a->peers, node);
}

static uint64_t op_rtt(void *ctx, uint16_t node)
{
	struct hw_agent_state *a = ctx;

	return hw_peers_rtt(a->peers, node);
}

/* What the peers want of it. */

static void op_ping(void *ctx, uint16_t node, uint64_t nonce, uint16_t size)
{
	hw_channel_ping(ctx, node, nonce, size);
}

static void op_changed(void *ctx, uint16_t node, enum hw_node_state from, enum hw_node_state to, uint32_t path_mtu)
{
	static const char *const text[] = { "not known yet", "this node", "up",
					    "lost: not heard from here, others may hear it",
					    "dead: its flows are reset" };
	struct hw_agent_state *a = ctx;
	const struct hw_conf_node *conf = hw_conf_node(a->conf, node);
	const char *name = conf ? conf->name : "?";

	if (from != to)
		hw_note("node %s: %s", name, text[to]);
	else if (to == HW_NODE_UP)
		hw_note("node %s: path MTU %u", name, path_mtu);
	if (from != to && to == HW_NODE_DEAD)
		hw_upkeep_walk_now(a);
	if (from == to)
		a->routes_at = 0;
}

/* The ring of strays. */

static int on_stray(void *ctx, void *data, size_t size)
{
	struct hw_agent_state *a = ctx;
	const struct hw_stray *s = data;
	struct hw_ask_flow flow;
	uint64_t now = hw_now();

	a->view.records++;
	if (size < sizeof(*s) || s->at_ns + STALE_NS < now) {
		a->view.records_stale++;
	} else {
		flow = hw_asker_question(s);
		hw_look_grade(a->look, &flow, 1);
		if (flow.grade == HW_GRADE_MINE && s->held == s->len)
			hw_replay_frame(a, s->ifindex, s->frame, s->held, HW_REPLAY_CARRY);
		else
			hw_asker_stray(a->asker, s, now);
	}
	return a->view.records % RING_BATCH ? 0 : -EAGAIN; /* back to the event loop */
}

static void read_ring(struct hw_agent_state *a, uint64_t now)
{
	uint64_t before = a->view.records;

	ring_buffer__consume(a->ring);
	if (a->view.records != before)
		a->polled_until = now + POLL_LAST;
	if (now < a->polled_until) {
		a->drowsy = false;
		a->ring_at = a->view.records % RING_BATCH == 0 && a->view.records != before ? now : now + POLL_NS;
		return;
	}
	/*
	 * Going to sleep. A record that XDP was writing when the flag was not set
	 * yet wakes nobody and is not readable yet: so one more look after a while.
	 */
	if (!a->drowsy) {
		__atomic_store_n(&a->wake->asleep, 1, __ATOMIC_SEQ_CST);
		a->drowsy = true;
		a->ring_at = now + DROWSY_NS;
		return;
	}
	a->drowsy = false;
	a->ring_at = UINT64_MAX;
}

/* `unload` takes the pins away, and what is loaded after it has maps of its own: no place for us any more. */
static bool still_pinned(const struct hw_agent_state *a)
{
	struct bpf_map_info ours = {}, pinned = {};
	uint32_t len = sizeof(ours);
	hw_autoclose int fd = -1;
	char path[4200];

	snprintf(path, sizeof(path), "%s/hw_config", a->pins.path);
	fd = bpf_obj_get(path);
	if (fd >= 0 && !bpf_obj_get_info_by_fd(a->pins.config, &ours, &len) &&
	    !bpf_obj_get_info_by_fd(fd, &pinned, &len) && ours.id == pinned.id)
		return true;
	hw_note("%s: was unloaded; the agent ends", a->pins.path);
	return false;
}

/* `load` may have replaced the program; held packets go through the one that is attached. */
static void take_program(struct hw_agent_state *a)
{
	int fd = hw_replay_program(&a->pins);

	if (fd < 0)
		return;
	hw_close(&a->ingress);
	a->ingress = fd;
}

/* The event loop: everything that is due, then one timer for what is due next. */

static void run_due(struct hw_agent_state *a)
{
	uint64_t now = hw_now(), next, at;

	if (now >= a->ring_at)
		read_ring(a, now);
	if (now >= a->pins_at) {
		if (!still_pinned(a))
			sd_event_exit(a->event, HW_DONE);
		a->pins_at = now + HW_SECOND;
	}
	if (now >= a->routes_at) {
		take_program(a);
		hw_routes_refresh(a);
		hw_routes_reattach(a);
		a->routes_at = hw_now() + ROUTES_NS;
	}
	at = hw_peers_tick(a->peers, hw_now());
	next = at;
	at = hw_asker_tick(a->asker, hw_now());
	next = at < next ? at : next;
	now = hw_now();
	if (now >= a->upkeep_at)
		a->upkeep_at = hw_upkeep(a, now);
	next = a->upkeep_at < next ? a->upkeep_at : next;
	next = a->routes_at < next ? a->routes_at : next;
	next = a->pins_at < next ? a->pins_at : next;
	next = a->ring_at < next ? a->ring_at : next;
	sd_event_source_set_time(a->timer, next / 1000);
	sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	run_due(ctx);
	return 0;
}

static int on_ring(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct hw_agent_state *a = ctx;

	a->ring_at = 0;
	run_due(a);
	return 0;
}

static int on_socket(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	hw_channel_read(ctx);
	run_due(ctx);
	return 0;
}

static int on_netlink(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct hw_agent_state *a = ctx;
	uint64_t settled = hw_now() + SETTLE_NS;

	if (hw_netlink_read(a->netlink) && a->routes_at > settled)
		a->routes_at = settled;
	run_due(a);
	return 0;
}

static int on_stop(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	sd_notify(0, "STOPPING=1");
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

/* Config: at the start and on SIGHUP. */

/* The other nodes. moved_too: also those whose id was another node's before. Returns their number. */
static size_t other_nodes(const struct hw_agent_state *a, struct hw_peer_node *peers, uint16_t *ids, bool moved_too)
{
	const struct hw_conf *conf = a->conf;
	size_t n = 0;

	for (size_t i = 0; i < conf->n_nodes; i++) {
		const struct hw_conf_node *node = &conf->nodes[i];

		if (node == conf->self || (a->moved[node->id] && !moved_too))
			continue;
		peers[n].id = ids[n] = node->id;
		peers[n].v4 = hw_addr_is4(&node->endpoint);
		peers[n++].near = !strcmp(node->pop, conf->self->pop);
	}
	return n;
}

/* What is known of a node is forgotten if its id is now another's: first it goes, then it comes. */
static bool adopt_nodes(struct hw_agent_state *a)
{
	struct hw_peer_node peers[HW_NODE_IDS];
	uint16_t ids[HW_NODE_IDS];
	size_t n = other_nodes(a, peers, ids, false);

	if (!hw_peers_set_nodes(a->peers, peers, n, hw_now()))
		return false;
	n = other_nodes(a, peers, ids, true);
	return hw_peers_set_nodes(a->peers, peers, n, hw_now()) && hw_asker_set_nodes(a->asker, ids, n);
}

static bool adopt(struct hw_agent_state *a)
{
	uint32_t zero = 0;

	if (!hw_publish_config(&a->pins, a->conf) || !hw_publish_forget_nodes(&a->pins, a->conf) ||
	    bpf_map_lookup_elem(a->pins.config, &zero, &a->config) || !adopt_nodes(a))
		return false;
	hw_upkeep_read_vips(a);
	hw_upkeep_walk_now(a);
	a->routes_at = 0;
	return true;
}

static struct hw_asker_limits asker_limits(const struct hw_conf *conf)
{
	return (struct hw_asker_limits){ .flows = ASK_FLOWS, .hold_bytes = ASK_HOLD_BYTES,
					 .bytes_a_second = conf->limits.ask_bytes };
}

static struct hw_peers_timers peers_timers(const struct hw_conf *conf)
{
	return (struct hw_peers_timers){ .node_down = conf->timers.node_down, .node_lost = conf->timers.node_lost };
}

static bool watch_socket(struct hw_agent_state *a, int fd)
{
	a->socket_source = sd_event_source_unref(a->socket_source);
	hw_close(&a->socket);
	a->socket = fd;
	return sd_event_add_io(a->event, &a->socket_source, fd, EPOLLIN, on_socket, a) >= 0;
}

/* Can this config take the place of the one in force? Leaves a socket for its endpoint in *fd, if that is another. */
static bool acceptable(const struct hw_agent_state *a, const struct hw_conf *fresh, int *fd)
{
	if (!fresh)
		return false;
	if (fresh->self->id != a->conf->self->id) {
		hw_err("%s: this node's id is now %u, and was %u; restart the agent to change it", a->opt->conf,
		       fresh->self->id, a->conf->self->id);
		return false;
	}
	if (hw_addr_equal(&fresh->self->endpoint, &a->conf->self->endpoint))
		return true;
	*fd = hw_channel_open(&fresh->self->endpoint);
	return *fd >= 0;
}

/* Ids that were another node's until now. */
static void note_moved(struct hw_agent_state *a, const struct hw_conf *old)
{
	for (size_t i = 0; i < old->n_nodes; i++) {
		const struct hw_conf_node *now = hw_conf_node(a->conf, old->nodes[i].id);

		a->moved[old->nodes[i].id] |= now && !hw_addr_equal(&now->endpoint, &old->nodes[i].endpoint);
	}
}

static bool same_interfaces(const struct hw_conf *x, const struct hw_conf *y)
{
	if (x->n_interfaces != y->n_interfaces)
		return false;
	for (size_t i = 0; i < x->n_interfaces; i++)
		if (strcmp(x->interfaces[i], y->interfaces[i]))
			return false;
	return true;
}

/* What the agent alone cannot do. */
static void say_not_reloaded(const struct hw_conf *fresh, const struct hw_conf *old)
{
	if (!same_interfaces(fresh, old))
		hw_warn("%s: interfaces have changed; run `homeward load` for the new ones, `homeward unload NIC` for "
			"those that are gone", fresh->path);
	if (fresh->limits.flows != old->limits.flows)
		hw_warn("%s: limits.flows has changed; hw_flows keeps its size until `homeward unload` and `homeward "
			"load`", fresh->path);
}

/* A bad file changes nothing. */
static int on_reload(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct hw_agent_state *a = ctx;
	struct hw_conf *fresh = hw_conf_read(a->opt->conf, a->opt->node, stderr), *old = a->conf;
	struct hw_asker_limits limits;
	struct hw_peers_timers timers;
	int fd = -1;

	if (!acceptable(a, fresh, &fd)) {
		hw_err("%s: not taken; the old config stays in force", a->opt->conf);
		hw_conf_free(fresh);
		return 0;
	}
	a->conf = fresh;
	limits = asker_limits(fresh);
	timers = peers_timers(fresh);
	hw_asker_set_limits(a->asker, &limits);
	hw_peers_set_timers(a->peers, &timers);
	if (fd >= 0)
		watch_socket(a, fd);
	note_moved(a, old);
	say_not_reloaded(fresh, old);
	if (adopt(a))
		hw_note("%s: read again", a->opt->conf);
	else
		hw_err("%s: read again, but not all of it is in force; send SIGHUP again, or restart the agent",
		       a->opt->conf);
	hw_conf_free(old);
	run_due(a);
	return 0;
}

static bool open_ring(struct hw_agent_state *a)
{
	a->ring = ring_buffer__new(a->pins.strays, on_stray, a, NULL);
	a->wake = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, a->pins.wake, 0);
	if (a->ring && a->wake != MAP_FAILED)
		return true;
	hw_err("%s: hw_strays or hw_wake cannot be mapped: %s", a->pins.path, strerror(errno));
	return false;
}

static bool open_policies(struct hw_agent_state *a)
{
	struct hw_asker_ops asker = { .ctx = a, .send = op_send, .found = op_found, .nobody = op_nobody,
				      .replay = op_replay, .nonce = op_nonce, .state = op_state, .rtt = op_rtt };
	struct hw_peers_ops peers = { .ctx = a, .ping = op_ping, .nonce = op_nonce, .changed = op_changed };
	struct hw_asker_limits limits = asker_limits(a->conf);
	struct hw_peers_timers timers = peers_timers(a->conf);

	a->asker = hw_asker_new(&limits, &asker, &a->view);
	a->peers = hw_peers_new(a->conf->self->id, &timers, &peers);
	a->sweep = hw_sweep_new();
	a->blind = hw_blind_new();
	return a->asker && a->peers && a->sweep && a->blind && adopt(a);
}

static bool open_events(struct hw_agent_state *a, int socket)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (sd_event_default(&a->event) >= 0 &&
	    sd_event_add_signal(a->event, NULL, SIGTERM, on_stop, a) >= 0 &&
	    sd_event_add_signal(a->event, NULL, SIGINT, on_stop, a) >= 0 &&
	    sd_event_add_signal(a->event, NULL, SIGHUP, on_reload, a) >= 0 &&
	    sd_event_add_time(a->event, &a->timer, CLOCK_MONOTONIC, 0, 1, on_timer, a) >= 0 &&
	    sd_event_add_io(a->event, NULL, ring_buffer__epoll_fd(a->ring), EPOLLIN, on_ring, a) >= 0 &&
	    sd_event_add_io(a->event, NULL, hw_netlink_fd(a->netlink), EPOLLIN, on_netlink, a) >= 0 &&
	    watch_socket(a, socket))
		return true;
	hw_err("the event loop cannot be set up: %s", strerror(errno));
	return false;
}

static bool take_lock(struct hw_agent_state *a)
{
	a->lock = hw_pins_lock(a->opt->pin);
	if (a->lock >= 0)
		return true;
	if (errno == EWOULDBLOCK)
		hw_err("%s: another agent runs for this pin path; stop it first, or name another path with -p",
		       a->opt->pin);
	else
		hw_err("%s: %s; run `homeward load -p %s` first", a->opt->pin, strerror(errno), a->opt->pin);
	return false;
}

/* Maps that xdp-loader has made bear no schema version yet: nobody has filled them. */
static void stamp_schema(const char *pin)
{
	struct hw_schema schema = {};
	uint32_t zero = 0;
	hw_autoclose int fd = -1;
	char path[4200];

	snprintf(path, sizeof(path), "%s/hw_schema", pin);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &schema) || schema.version)
		return;
	schema.version = HW_SCHEMA;
	bpf_map_update_elem(fd, &zero, &schema, BPF_ANY);
}

static bool start(struct hw_agent_state *a)
{
	int fd;

	if (!take_lock(a))
		return false;
	stamp_schema(a->opt->pin);
	if (!hw_pins_open(&a->pins, a->opt->pin))
		return false;
	a->ingress = hw_replay_program(&a->pins);
	if (a->ingress < 0)
		hw_warn("%s: no XDP program is pinned or loaded; nothing can be sent on until `homeward load`",
			a->opt->pin);
	a->look = hw_look_open();
	a->netlink = hw_netlink_open();
	fd = hw_channel_open(&a->conf->self->endpoint);
	a->view.started_ns = hw_now();
	return a->look && a->netlink && fd >= 0 && open_ring(a) && open_policies(a) && open_events(a, fd);
}

static void stop(struct hw_agent_state *a)
{
	struct hw_self silent = {};
	uint32_t zero = 0;

	/* A node without an agent does not testify. */
	if (a->pins.self >= 0)
		bpf_map_update_elem(a->pins.self, &zero, &silent, BPF_ANY);
	hw_asker_free(a->asker);
	hw_peers_free(a->peers);
	hw_sweep_free(a->sweep);
	hw_blind_free(a->blind);
	hw_look_close(a->look);
	hw_netlink_close(a->netlink);
	ring_buffer__free(a->ring);
	if (a->wake && a->wake != MAP_FAILED)
		munmap(a->wake, sysconf(_SC_PAGESIZE));
	sd_event_source_unref(a->socket_source);
	sd_event_source_unref(a->timer);
	sd_event_unref(a->event);
	hw_close(&a->socket);
	hw_close(&a->raw[0]);
	hw_close(&a->raw[1]);
	hw_close(&a->ingress);
	hw_close(&a->lock);
	hw_pins_close(&a->pins);
	hw_conf_free(a->conf);
}

int hw_agent(const struct hw_options *opt)
{
	struct hw_agent_state *a = calloc(1, sizeof(*a));
	int ret = HW_SYSTEM;

	if (!a)
		return HW_SYSTEM;
	a->opt = opt;
	hw_pins_init(&a->pins);
	a->socket = a->ingress = a->lock = a->raw[0] = a->raw[1] = -1;
	a->conf = hw_conf_read(opt->conf, opt->node, stderr);
	if (!a->conf) {
		ret = HW_USAGE;
	} else if (start(a)) {
		hw_note("agent of node %s ready", a->conf->self->name);
		sd_notify(0, "READY=1");
		ret = sd_event_loop(a->event) == HW_DONE ? HW_DONE : HW_SYSTEM;
	}
	stop(a);
	free(a);
	return ret;
}

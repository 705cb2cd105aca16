/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Control messages between agents and the other nodes' XDP programs: PING and
 * ASK go out, PONG and ANSWER come in, on a plain UDP socket at endpoint:6081.
 * The XDP program has checked what comes in; it is checked again, for the
 * program may be detached while this socket is open.
 */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"
#include "wire.h"

#define READ_BATCH 256

static bool set_int(int fd, int level, int name, int value)
{
	return !setsockopt(fd, level, name, &value, sizeof(value));
}

int hw_channel_open(const struct hw_addr *endpoint)
{
	bool v4 = hw_addr_is4(endpoint);
	struct sockaddr_storage sa;
	socklen_t len = hw_addr_sockaddr(endpoint, HW_PORT, &sa);
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[HW_ADDR_LEN];
	bool ok;

	/* PROBE: always DF, and never fragmented for what an ICMP error claims */
	if (v4)
		ok = fd >= 0 && set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	else
		ok = fd >= 0 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
		     set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE) &&
		     set_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
	if (fd >= 0)
		set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
	if (ok && !bind(fd, (struct sockaddr *)&sa, len))
		return fd;
	hw_err("%s port %d/udp: %s; is the endpoint an address of this machine, and the port free?",
	       hw_addr_text(endpoint, text), HW_PORT, strerror(errno));
	hw_close(&fd);
	return -1;
}

/* Seals and sends; `padding` zeros go behind the message. */
static bool send_to(struct hw_agent_state *a, uint16_t id, enum hw_kind kind, const void *body, size_t len,
		    size_t padding)
{
	static const uint8_t zeros[65536];
	const struct hw_conf_node *node = hw_conf_node(a->conf, id);
	struct hw_envelope env = { .network = a->conf->network, .kind = kind, .source = a->conf->self->id,
				   .destination = id };
	uint8_t message[HW_MESSAGE_MAX];
	struct iovec part[2] = { { .iov_base = message }, { .iov_base = (void *)zeros, .iov_len = padding } };
	struct sockaddr_storage sa;
	struct msghdr msg = { .msg_name = &sa, .msg_iov = part, .msg_iovlen = padding ? 2 : 1 };

	if (!node || padding > sizeof(zeros))
		return false;
	msg.msg_namelen = hw_addr_sockaddr(&node->endpoint, HW_PORT, &sa);
	part[0].iov_len = hw_wire_seal(message, &env, &a->conf->keys, body, len);
	return sendmsg(a->socket, &msg, MSG_NOSIGNAL) >= 0;
}

bool hw_channel_ask(struct hw_agent_state *a, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows,
		    unsigned n)
{
	struct {
		struct hw_ask head;
		struct hw_ask_flow flows[HW_ASK_FLOWS];
	} ask = { .head = { .nonce = htobe64(nonce), .count = n } };

	memcpy(ask.flows, flows, n * sizeof(*flows));
	return send_to(a, node, HW_KIND_ASK, &ask, sizeof(ask.head) + n * sizeof(*flows), 0);
}

void hw_channel_ping(struct hw_agent_state *a, uint16_t node, uint64_t nonce, uint16_t size)
{
	size_t ip = hw_addr_is4(&a->conf->self->endpoint) ? 20 : 40;
	size_t least = ip + 8 + sizeof(struct hw_geneve) + sizeof(struct hw_ping);
	struct hw_ping ping = { .nonce = htobe64(nonce), .size = htons(size) };

	if (size < least)
		ping.size = htons(size = least);
	send_to(a, node, HW_KIND_PING, &ping, sizeof(ping), size - least);
}

static void take(struct hw_agent_state *a, const void *message, size_t len, const struct hw_addr *from)
{
	struct hw_envelope env = { .network = a->conf->network, .destination = a->conf->self->id };
	const struct hw_conf_node *node;
	const struct hw_ask *answer;
	const void *body = hw_wire_open(message, len, &env, &a->conf->keys, &len);
	struct hw_ask_flow flows[HW_ASK_FLOWS];

	if (!body)
		return;
	node = hw_conf_node(a->conf, env.source);
	if (!node || !hw_addr_equal(&node->endpoint, from))
		return;
	if (env.kind == HW_KIND_PONG) {
		struct hw_ping pong;

		memcpy(&pong, body, sizeof(pong));
		hw_peers_pong(a->peers, env.source, &pong, hw_now(), hw_wall());
	} else if (env.kind == HW_KIND_ANSWER) {
		answer = body;
		memcpy(flows, answer->flows, answer->count * sizeof(*flows));
		hw_asker_answer(a->asker, env.source, be64toh(answer->nonce), flows, answer->count, hw_now());
	}
}

void hw_channel_read(struct hw_agent_state *a)
{
	_Alignas(8) uint8_t message[2048];
	struct sockaddr_storage sa;
	struct hw_addr from;

	for (int i = 0; i < READ_BATCH; i++) {
		socklen_t sa_len = sizeof(sa);
		ssize_t n = recvfrom(a->socket, message, sizeof(message), 0, (struct sockaddr *)&sa, &sa_len);

		if (n < 0) /* nothing more, or an ICMP error about something we sent: no matter */
			return;
		if (hw_addr_from_sockaddr(&sa, &from, NULL))
			take(a, message, n, &from);
	}
}

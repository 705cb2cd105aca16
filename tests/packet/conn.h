/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * TCP connections whose server side is a real socket of this kernel and whose
 * client is written by hand: its packets go into a TUN device, the server's
 * come out of it. So a test decides what is acknowledged and what is not, and
 * can hold a socket in any state. The server's own numbers are read back with
 * TCP_REPAIR.
 */
#pragma once

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "world.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { SENT = 1500, UNACKED = 20000, RECEIVED = 300, FIRST_SEQ = 0xffffff00u };

/* What the listener is. */
struct service {
	int family;          /* of the client's packets */
	bool dual;           /* the listener is [::] */
	int protocol;        /* IPPROTO_TCP or IPPROTO_MPTCP */
	int fd;
};

/* A segment that the server sent. */
struct segment {
	uint32_t seq, ack;
	unsigned flags, window, len;
};

/* The numbers of its socket; what is mine depends on them. */
struct numbers {
	uint32_t rcv_nxt, rcv_wnd;
	uint32_t rcv_wup;    /* rcv_nxt when it last sent something */
	uint32_t una, write_seq, max_window;
	uint32_t isn;        /* the server's */
};

struct conn {
	struct tcp client;   /* its next packet: who, seq, ack */
	struct segment last; /* from the server */
	uint32_t isn;        /* the server's */
	int fd;              /* -1: none */
};

static int tun_fd = -1;

static inline void conn_world(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "internet");
	tun_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	cr_assert(tun_fd >= 0 && ioctl(tun_fd, TUNSETIFF, &ifr) == 0, "/dev/net/tun: %s", strerror(errno));
	ip_batch("link set internet up\n"
		 "route add 192.0.2.0/24 dev internet\n"
		 "route add 2001:db8:c::/48 dev internet\n");
	sysctl_put("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
	sysctl_put("/proc/sys/net/ipv4/conf/internet/rp_filter", "0");
	sysctl_put("/proc/sys/net/ipv4/tcp_syncookies", "1");
	sysctl_put("/proc/sys/net/ipv4/tcp_fastopen", "1538"); /* server, every listener, no cookie wanted */
}

static inline socklen_t sockaddr_make(struct sockaddr_storage *to, const char *address, unsigned port)
{
	struct sockaddr_in *in = (void *)to;
	struct sockaddr_in6 *in6 = (void *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	cr_assert(inet_pton(AF_INET6, address, &in6->sin6_addr) == 1);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

/* A socket bound to the VIP; -1 if the kernel lacks the protocol. */
static inline int socket_on(const struct service *s, unsigned port)
{
	const char *address = s->dual ? "::" : s->family == 6 ? VIP6 : VIP4;
	struct sockaddr_storage sa;
	socklen_t len = sockaddr_make(&sa, address, port);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK, s->protocol), off = 0;

	if (fd < 0)
		return -1;
	if (s->dual)
		cr_assert(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0);
	cr_assert(bind(fd, (void *)&sa, len) == 0, "bind to %s: %s", address, strerror(errno));
	return fd;
}

static inline bool service_open(struct service *s)
{
	s->fd = socket_on(s, 443);
	if (s->fd < 0)
		return false;
	cr_assert(listen(s->fd, 64) == 0);
	return true;
}

static inline struct conn conn_make(const struct service *s, unsigned port)
{
	return (struct conn){ .client = { .family = s->family, .sport = port, .seq = FIRST_SEQ }, .fd = -1 };
}

/* The client sends; its seq moves on. */
static inline void conn_send(struct conn *c, int flags, unsigned payload)
{
	struct frame f = { .len = 0 };
	struct tcp t = c->client;

	t.flags = flags;
	t.payload = payload;
	put_tcp(&f, &t);
	cr_assert(write(tun_fd, f.b, f.len) == (ssize_t)f.len, "tun: %s", strerror(errno));
	c->client.seq += payload + !!(flags & SYN) + !!(flags & FIN);
}

/* A packet out of the TUN: the segment in it, if it is of this connection. */
static inline bool segment_parse(const struct conn *c, const uint8_t *b, size_t n, struct segment *s)
{
	size_t ip = b[0] >> 4 == 6 ? 40 : 20;
	const uint8_t *th = b + ip;

	if (n < ip + 20 || (ip == 40 ? b[6] : b[9]) != 6 || get16(th + 2) != c->client.sport)
		return false;
	*s = (struct segment){ .seq = get32(th + 4), .ack = get32(th + 8), .flags = th[13], .window = get16(th + 14),
			       .len = n - ip - (th[12] >> 4) * 4 };
	return true;
}

/* Waits for a segment of the server with these flags; what comes before it is passed over. */
static inline void conn_recv(struct conn *c, unsigned flags)
{
	struct pollfd p = { .fd = tun_fd, .events = POLLIN };
	uint8_t b[4096];
	ssize_t n;

	while (poll(&p, 1, 5000) > 0) {
		n = read(tun_fd, b, sizeof(b));
		if (n > 0 && segment_parse(c, b, n, &c->last) && (c->last.flags & flags) == flags)
			return;
	}
	cr_assert(false, "the server sends no segment with flags %02x", flags);
}

static inline void conn_syn(struct conn *c, unsigned data)
{
	conn_send(c, SYN, data);
	conn_recv(c, SYN | ACK);
	c->isn = c->last.seq;
	c->client.ack = c->isn + 1;
}

static inline void conn_accept(const struct service *s, struct conn *c)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	cr_assert(poll(&p, 1, 5000) > 0, "nothing to accept");
	c->fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK);
	cr_assert(c->fd >= 0, "accept: %s", strerror(errno));
}

static inline void conn_write(const struct conn *c, unsigned n)
{
	static const uint8_t zeros[UNACKED];

	cr_assert(write(c->fd, zeros, n) == (ssize_t)n, "write: %s", strerror(errno));
}

/* Established; data went both ways, all of it read and acknowledged. */
static inline void conn_open(const struct service *s, struct conn *c)
{
	uint8_t data[RECEIVED];

	conn_syn(c, 0);
	conn_send(c, ACK, 0);
	conn_accept(s, c);
	conn_send(c, ACK | PSH, RECEIVED);
	cr_assert(read(c->fd, data, sizeof(data)) == RECEIVED, "the client's data did not arrive");
	conn_write(c, SENT);
	c->client.ack += SENT;
	conn_send(c, ACK, 0);
}

static inline uint32_t queue_seq(int fd, int queue)
{
	uint32_t seq = 0;
	socklen_t len = sizeof(seq);

	cr_assert(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) == 0 &&
		  getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &len) == 0, "TCP_QUEUE_SEQ: %s", strerror(errno));
	return seq;
}

/* The numbers of the server's socket, as the kernel tells them; what the client knows must agree. */
static inline void conn_numbers(const struct conn *c, struct numbers *n)
{
	struct tcp_repair_window window;
	socklen_t len = sizeof(window);
	int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP;

	cr_assert(setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) == 0, "TCP_REPAIR: %s", strerror(errno));
	cr_assert(getsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &len) == 0);
	n->write_seq = queue_seq(c->fd, TCP_SEND_QUEUE);
	n->rcv_nxt = queue_seq(c->fd, TCP_RECV_QUEUE);
	n->rcv_wnd = window.rcv_wnd;
	n->rcv_wup = window.rcv_wup;
	n->max_window = window.max_window;
	n->una = c->client.ack;
	n->isn = c->isn;
	cr_assert(setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) == 0);
	cr_assert(n->rcv_nxt == c->client.seq, "rcv_nxt %x, not %x", n->rcv_nxt, c->client.seq);
}

/* Its window moves when it acknowledges what came last: that is waited for, so that the numbers stay true. */
static inline void conn_settle(const struct conn *c, struct numbers *n)
{
	for (int i = 0; i < 300 && n->rcv_wup != n->rcv_nxt; i++) {
		usleep(10000);
		conn_numbers(c, n);
	}
}

static inline int conn_state(const struct conn *c)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	cr_assert(getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
	return info.tcpi_state;
}

/* A service and a connection to it; returns the client's next packet. */
static inline struct tcp conn_here(int family)
{
	struct service s = { .family = family };
	struct conn c = conn_make(&s, 40000);

	cr_assert(service_open(&s));
	conn_open(&s, &c);
	c.client.flags = ACK;
	return c.client;
}

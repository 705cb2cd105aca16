// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * talk: thousands of TCP connections that check every byte, both ways. `talk
 * run` opens them to a `talk serve` and holds them; each is of one kind: it
 * chats, downloads, uploads or is idle. It tells of each that broke, and why.
 *
 * Frames of 8 bytes and a payload. What DATA frames carry is a stream that is a
 * function of the connection's number, the direction and the offset. At the end
 * the client sends END and the server answers BYE, each with its counts.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND    1000000000ULL
#define TICK      (SECOND / 100) /* how often all connections are looked at */
#define PACE      (SECOND / 10)  /* how often a bulk stream with a rate sends */
#define CHUNK     65536
#define OPENING   256            /* connections that are opened at once */
#define MAX_TALK  64             /* addresses on the command line */

enum type { T_HELLO = 1, T_WELCOME, T_DATA, T_END, T_BYE, T_BAD };
enum kind { CHATTY, DOWN, UP, IDLE, KINDS };

static const char *const kind_names[KINDS] = { "chatty", "download", "upload", "idle" };

struct frame {
	uint32_t len; /* of the payload; big endian, here and below */
	uint32_t type;
	uint64_t a;   /* payload of all but DATA */
	uint64_t b;
};

#define HEAD 8

/* One connection, at either end; or a listening socket. */
struct conn {
	int fd;                 /* -1: over */
	bool server, listens;
	bool connected;         /* client: connect() is done */
	bool open;              /* client: WELCOME has come */
	bool ending;            /* client: END is due or sent; server: END has come */
	bool blocked;           /* waits for EPOLLOUT */
	unsigned todo;          /* control frames to send: bits by type */
	enum kind kind;
	uint64_t id;
	uint64_t rate;          /* bytes a second of a bulk stream; 0: all it can */
	struct frame out;       /* being sent: out_len bytes of it, then out_data of the stream */
	unsigned out_len, out_pos;
	uint64_t out_data;
	uint64_t owed;          /* of the stream, to be sent next */
	struct frame in;        /* being received: in_len bytes of it are here, then in_data of the stream */
	unsigned in_len;
	uint64_t in_data;
	uint64_t sent, received;      /* of the stream */
	uint64_t echo;                /* chatty: bytes that are still to come back */
	uint64_t next_at;             /* when to send again */
	uint64_t paced_at;
	uint64_t waiting_since;       /* 0: expects nothing */
	uint64_t unacked;             /* upload: when last looked at */
	uint64_t bad_offset;
	struct sockaddr_storage peer;
};

static struct {
	const char *name;
	unsigned connections;
	double seconds, timeout, gap;
	uint64_t rate;
	unsigned mix[KINDS];
	bool json;
	struct sockaddr_storage source; /* ss_family 0: any */
	struct sockaddr_storage addr[MAX_TALK];
	unsigned n_addr;
} opt = { .seconds = 10, .timeout = 15, .gap = 0.5, .rate = 16000, .mix = { 4, 2, 2, 2 }, .connections = 100 };

#define MAX_REASONS 32

static struct {
	unsigned opened, completed, broken, wrong;
	uint64_t down, up, longest;
	double last_break; /* seconds since 1970 */
	struct { char text[32]; unsigned count; } reasons[MAX_REASONS];
	unsigned n_reasons;
} total;

static volatile sig_atomic_t stop, tell;
static int epfd;
static uint64_t now;
static uint8_t scratch[CHUNK + sizeof(struct frame)], wanted[CHUNK];

static void conn_over(struct conn *c);
static void conn_write(struct conn *c);

static void read_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- the stream --- */

/* splitmix64 (Steele, Lea, Flood, 2014) */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t seed(const struct conn *c, bool up)
{
	return mix(c->id * 2 + up);
}

static void stream_bytes(uint8_t *out, size_t n, uint64_t start, uint64_t offset)
{
	while (n) {
		uint64_t word = mix(start + offset / 8);
		size_t skip = offset % 8, take = 8 - skip < n ? 8 - skip : n;

		memcpy(out, (uint8_t *)&word + skip, take);
		out += take;
		offset += take;
		n -= take;
	}
}

static bool stream_check(struct conn *c, const uint8_t *got, size_t n)
{
	stream_bytes(wanted, n, seed(c, c->server), c->received);
	if (!memcmp(got, wanted, n))
		return true;
	c->bad_offset = c->received;
	while (*got++ == wanted[c->bad_offset - c->received])
		c->bad_offset++;
	return false;
}

/* --- ends, good and bad --- */

static const char *peer_text(const struct conn *c)
{
	static char text[INET6_ADDRSTRLEN + 32];
	char host[INET6_ADDRSTRLEN], port[8];

	if (getnameinfo((const struct sockaddr *)&c->peer, sizeof(c->peer), host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return "?";
	snprintf(text, sizeof(text), c->peer.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return text;
}

static unsigned local_port(const struct conn *c)
{
	struct sockaddr_in6 sin6 = { 0 };
	socklen_t len = sizeof(sin6);

	getsockname(c->fd, (struct sockaddr *)&sin6, &len); /* the port lies at the same place in both families */
	return ntohs(sin6.sin6_port);
}

static void count_reason(const char *reason)
{
	unsigned i;

	for (i = 0; i < total.n_reasons; i++)
		if (!strcmp(total.reasons[i].text, reason))
			break;
	if (i == MAX_REASONS)
		i--;
	if (i == total.n_reasons) {
		snprintf(total.reasons[i].text, sizeof(total.reasons[i].text), "%s", reason);
		total.n_reasons++;
	}
	total.reasons[i].count++;
}

/* The end of a connection that should have gone on. */
static void broken(struct conn *c, const char *reason)
{
	struct timespec ts;

	if (c->server) {
		conn_over(c);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	total.last_break = (double)ts.tv_sec + (double)ts.tv_nsec / SECOND;
	total.broken++;
	count_reason(reason);
	if (total.broken <= 20)
		fprintf(stderr, "talk: connection %llu (%s, port %u to %s) broke%s: %s, after %llu bytes down, %llu up\n",
			(unsigned long long)c->id, kind_names[c->kind], local_port(c), peer_text(c),
			c->open ? "" : " before it was open", reason, (unsigned long long)c->received,
			(unsigned long long)c->sent);
	else if (total.broken == 21)
		fprintf(stderr, "talk: and more, which are only counted\n");
	conn_over(c);
}

static void broken_errno(struct conn *c, int err)
{
	const char *name = strerrorname_np(err);

	broken(c, name ? name : "unknown error");
}

static void wrong_byte(struct conn *c)
{
	total.wrong++;
	fprintf(stderr, "talk: wrong byte at offset %llu of connection %llu (%s, %s)\n", (unsigned long long)c->bad_offset,
		(unsigned long long)c->id, kind_names[c->kind], c->server ? "upstream" : "downstream");
	if (!c->server) {
		broken(c, "wrong byte");
		return;
	}
	c->ending = true;
	c->todo |= 1u << T_BAD;
	conn_write(c);
}

static void progress(struct conn *c)
{
	if (c->waiting_since && now - c->waiting_since > total.longest)
		total.longest = now - c->waiting_since;
	if (c->waiting_since)
		c->waiting_since = now;
}

/* --- sending --- */

static void put_frame(struct conn *c, enum type type, uint64_t a, uint64_t b)
{
	unsigned len = type == T_DATA ? (unsigned)a : 16;

	c->out = (struct frame){ htobe32(len), htobe32(type), htobe64(a), htobe64(b) };
	c->out_len = type == T_DATA ? HEAD : HEAD + 16;
	c->out_pos = 0;
	c->out_data = type == T_DATA ? len : 0;
}

/* Chooses what to send next. False: nothing at the moment. */
static bool next_frame(struct conn *c)
{
	static const enum type order[] = { T_HELLO, T_WELCOME, T_BAD };
	bool sends = c->server ? c->kind == DOWN && !c->ending : c->kind == UP && c->open && !c->ending;
	unsigned i;

	for (i = 0; i < 3; i++)
		if (c->todo & 1u << order[i]) {
			c->todo &= ~(1u << order[i]);
			put_frame(c, order[i], order[i] == T_BAD ? c->bad_offset : c->id,
				  (uint64_t)c->kind << 56 | c->rate);
			return true;
		}
	if (sends && !c->rate)
		c->owed = CHUNK;
	if (c->owed) {
		put_frame(c, T_DATA, c->owed, 0);
		c->owed = 0;
		return true;
	}
	if (c->todo & (1u << T_END | 1u << T_BYE)) {
		put_frame(c, c->server ? T_BYE : T_END, c->sent, c->received);
		c->todo = 0;
		return true;
	}
	return false;
}

static void want_out(struct conn *c, bool want)
{
	struct epoll_event ev = { .events = EPOLLIN | (want ? EPOLLOUT : 0), .data.ptr = c };

	if (c->blocked == want)
		return;
	c->blocked = want;
	if (epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev))
		die("epoll_ctl");
}

/* Puts the rest of the frame into scratch, as much as fits. */
static size_t rest_of_frame(struct conn *c)
{
	size_t head = c->out_len - c->out_pos;
	size_t data = c->out_data < CHUNK ? c->out_data : CHUNK;

	memcpy(scratch, (uint8_t *)&c->out + c->out_pos, head);
	stream_bytes(scratch + head, data, seed(c, !c->server), c->sent);
	return head + data;
}

/* Sends until there is nothing to send or no room; at most a few chunks, to be fair to others. */
static void conn_write(struct conn *c)
{
	int budget = 4;

	while (c->out_pos < c->out_len || c->out_data || next_frame(c)) {
		size_t len = rest_of_frame(c), head = c->out_len - c->out_pos;
		ssize_t n = send(c->fd, scratch, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN) {
			broken_errno(c, errno);
			return;
		}
		if (n > 0) {
			if ((size_t)n < head)
				head = (size_t)n;
			c->out_pos += head;
			c->out_data -= (size_t)n - head;
			c->sent += (size_t)n - head;
		}
		if (n < (ssize_t)len || !--budget) {
			want_out(c, true);
			return;
		}
	}
	want_out(c, false);
}

/* --- receiving --- */

static void server_control(struct conn *c, enum type type, uint64_t a, uint64_t b)
{
	if (type == T_HELLO) {
		c->id = a;
		c->kind = b >> 56 < KINDS ? (enum kind)(b >> 56) : IDLE;
		c->rate = b & (UINT64_MAX >> 8);
		c->next_at = c->paced_at = now;
		c->todo |= 1u << T_WELCOME;
		total.opened++;
	} else if (type == T_END && a != c->received) {
		c->bad_offset = c->received;
		wrong_byte(c);
		return;
	} else if (type == T_END) {
		c->ending = true;
		if (c->kind == DOWN)
			c->owed = 0;
		c->todo |= 1u << T_BYE;
		total.completed++;
	} else {
		broken(c, "not a frame");
		return;
	}
	conn_write(c);
}

static void client_control(struct conn *c, enum type type, uint64_t a, uint64_t b)
{
	if (type == T_WELCOME && !c->open) {
		c->open = true;
		total.opened++;
		c->paced_at = now;
		c->next_at = now + mix(c->id) % (c->kind == CHATTY ? (uint64_t)(opt.gap * SECOND) + 1 : PACE);
		c->waiting_since = c->kind == DOWN ? now : 0;
	} else if (type == T_BYE && a == c->received && b == c->sent) {
		total.completed++;
		conn_over(c);
	} else if (type == T_BYE) {
		broken(c, "wrong count at the end");
	} else if (type == T_BAD) {
		broken(c, "wrong byte at the server");
	} else {
		broken(c, "not a frame");
	}
}

/* A part of a DATA frame. */
static size_t take_data(struct conn *c, const uint8_t *p, size_t n)
{
	size_t take = n < c->in_data ? n : c->in_data;

	if (!stream_check(c, p, take)) {
		wrong_byte(c);
		return n;
	}
	c->received += take;
	c->in_data -= take;
	if (c->server) {
		total.up += take;
		if (c->kind == CHATTY)
			c->owed += take;
		return take;
	}
	total.down += take;
	if (c->kind == CHATTY) {
		c->echo -= take < c->echo ? take : c->echo;
		if (!c->echo && !c->ending)
			c->waiting_since = 0;
	}
	return take;
}

/* A part of anything else. */
static size_t take_head(struct conn *c, const uint8_t *p, size_t n)
{
	size_t want = c->in_len < HEAD ? HEAD : HEAD + 16;
	size_t take = n < want - c->in_len ? n : want - c->in_len;
	enum type type;

	memcpy((uint8_t *)&c->in + c->in_len, p, take);
	c->in_len += take;
	if (c->in_len < want)
		return take;
	type = be32toh(c->in.type);
	if (type == T_DATA) {
		c->in_data = be32toh(c->in.len);
		c->in_len = 0;
	} else if (be32toh(c->in.len) != 16) {
		broken(c, "not a frame");
	} else if (want > HEAD) {
		c->in_len = 0;
		(c->server ? server_control : client_control)(c, type, be64toh(c->in.a), be64toh(c->in.b));
	}
	return take;
}

static void conn_read(struct conn *c)
{
	static uint8_t buf[CHUNK];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
	const uint8_t *p = buf;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		broken_errno(c, errno);
		return;
	}
	if (!n) {
		broken(c, "closed too early");
		return;
	}
	progress(c);
	while (n > 0 && c->fd >= 0 && !(c->todo & 1u << T_BAD)) {
		size_t took = c->in_data ? take_data(c, p, (size_t)n) : take_head(c, p, (size_t)n);

		p += took;
		n -= (ssize_t)took;
	}
	if (c->fd >= 0 && c->server && c->owed && !c->blocked)
		conn_write(c);
}

/* --- pace --- */

static void pace_bulk(struct conn *c)
{
	uint64_t due = (now - c->paced_at) * c->rate / SECOND;

	if (now < c->next_at || c->blocked || !due)
		return;
	c->owed += due < CHUNK ? due : CHUNK;
	c->paced_at = now;
	c->next_at = now + PACE;
	conn_write(c);
}

static void pace_chat(struct conn *c)
{
	uint64_t r = mix(c->id ^ now);

	if (now < c->next_at || c->echo)
		return;
	c->owed = c->echo = 1 + r % 2000;
	c->next_at = now + (uint64_t)(opt.gap * (double)(SECOND / 1024) * (double)(r >> 32 & 2047));
	c->waiting_since = now;
	conn_write(c);
}

/* An upload moves on when its bytes are acknowledged. */
static void watch_upload(struct conn *c)
{
	int queued = 0;
	uint64_t acked;

	if (ioctl(c->fd, SIOCOUTQ, &queued) || !queued) {
		progress(c);
		c->waiting_since = 0;
		return;
	}
	acked = c->sent - (uint64_t)queued;
	if (!c->waiting_since)
		c->waiting_since = now;
	else if (acked != c->unacked)
		progress(c);
	c->unacked = acked;
}

static void client_tick(struct conn *c)
{
	if (c->fd < 0)
		return;
	if (c->open && !c->ending) {
		if (c->kind == CHATTY)
			pace_chat(c);
		else if (c->kind == UP && c->rate)
			pace_bulk(c);
		else if (c->kind == UP && !c->blocked)
			conn_write(c);
		if (c->fd >= 0 && c->kind == UP)
			watch_upload(c);
	}
	if (c->fd >= 0 && c->waiting_since && now - c->waiting_since > opt.timeout * SECOND) {
		progress(c);
		broken(c, "no progress");
	}
}

static void client_end(struct conn *c)
{
	if (c->fd < 0)
		return;
	if (!c->open) {
		broken(c, "never opened");
		return;
	}
	c->ending = true;
	c->todo |= 1u << T_END;
	c->waiting_since = now;
	if (!c->blocked)
		conn_write(c);
}

static void server_tick(struct conn *c)
{
	if (c && c->fd >= 0 && c->kind == DOWN && c->rate && !c->ending && c->paced_at)
		pace_bulk(c);
}

/* --- sockets --- */

static socklen_t addr_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Numeric "ADDR:PORT", "[ADDR]:PORT", or, without a port, "ADDR". */
static void parse_addr(const char *text, bool port, struct sockaddr_storage *out)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *ai;
	char host[64];
	const char *colon = port ? strrchr(text, ':') : text + strlen(text);
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len || len >= sizeof(host))
		goto bad;
	memcpy(host, text, len);
	host[len] = 0;
	if (getaddrinfo(host, port ? colon + 1 : NULL, &hints, &ai))
		goto bad;
	memcpy(out, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return;
bad:
	fprintf(stderr, "talk: \"%s\" is not ADDR:PORT, with a numeric address, IPv6 in []\n", text);
	exit(1);
}

static void conn_add(struct conn *c, int fd, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };
	int one = 1;

	c->fd = fd;
	c->blocked = events & EPOLLOUT;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

static struct conn **by_fd; /* server: all connections */
static int n_by_fd;

static void conn_over(struct conn *c)
{
	if (c->fd < 0)
		return;
	if (!c->server)
		total.up += c->sent;
	close(c->fd);
	c->fd = -1;
}

static void raise_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		die("getrlimit");
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("setrlimit");
	n_by_fd = lim.rlim_cur < 1 << 20 ? (int)lim.rlim_cur : 1 << 20;
}

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		tell = 1;
	else
		stop = 1;
}

static void prepare(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	raise_limit();
	setvbuf(stdout, NULL, _IOLBF, 0);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		die("epoll_create1");
	read_clock();
}

/* --- serve --- */

static void listen_on(const struct sockaddr_storage *ss)
{
	int one = 1, fd = socket(ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct conn *c = calloc(1, sizeof(*c));

	if (fd < 0 || !c)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ss->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)ss, addr_len(ss)) || listen(fd, 4096))
		die("bind");
	c->server = c->listens = true;
	conn_add(c, fd, EPOLLIN);
}

static void accept_all(const struct conn *listener)
{
	for (;;) {
		struct sockaddr_storage peer = { 0 };
		socklen_t len = sizeof(peer);
		int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (fd >= n_by_fd) {
			close(fd);
			return;
		}
		if (!by_fd[fd])
			by_fd[fd] = malloc(sizeof(**by_fd));
		if (!by_fd[fd])
			die("malloc");
		*by_fd[fd] = (struct conn){ .server = true, .kind = IDLE, .peer = peer };
		conn_add(by_fd[fd], fd, EPOLLIN);
	}
}

static void serve_event(struct conn *c, unsigned events)
{
	if (c->listens) {
		accept_all(c);
		return;
	}
	if (c->fd >= 0 && events & EPOLLOUT)
		conn_write(c);
	if (c->fd >= 0 && events & ~(unsigned)EPOLLOUT)
		conn_read(c);
}

static int serve(void)
{
	struct epoll_event ev[256];
	unsigned i;
	uint64_t next;

	prepare();
	by_fd = calloc((size_t)n_by_fd, sizeof(*by_fd));
	if (!by_fd)
		die("calloc");
	for (i = 0; i < opt.n_addr; i++)
		listen_on(&opt.addr[i]);
	printf("ready\n");
	for (next = now; !stop;) {
		int fd, k, n = epoll_wait(epfd, ev, 256, (int)(TICK / 1000000));

		read_clock();
		for (k = 0; k < n; k++)
			serve_event(ev[k].data.ptr, ev[k].events);
		if (now < next)
			continue;
		next = now + TICK;
		for (fd = 0; fd < n_by_fd; fd++)
			server_tick(by_fd[fd]);
	}
	printf("served %u, completed %u, wrong %u\n", total.opened, total.completed, total.wrong);
	return total.wrong ? 2 : 0;
}

/* --- run --- */

static void client_open(struct conn *c)
{
	int one = 1, fd = socket(c->peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (opt.source.ss_family == c->peer.ss_family) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&opt.source, addr_len(&opt.source)))
			die("-b");
	}
	c->waiting_since = now;
	c->todo = 1u << T_HELLO;
	if (connect(fd, (struct sockaddr *)&c->peer, addr_len(&c->peer)) && errno != EINPROGRESS) {
		c->fd = fd;
		broken_errno(c, errno);
		return;
	}
	conn_add(c, fd, EPOLLIN | EPOLLOUT);
}

static void run_event(struct conn *c, unsigned events)
{
	if (c->fd < 0)
		return;
	if (!c->connected) {
		int err = 0;
		socklen_t len = sizeof(err);

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err) {
			broken_errno(c, err);
			return;
		}
		c->connected = true;
	}
	if (events & EPOLLOUT)
		conn_write(c);
	if (c->fd >= 0 && events & ~(unsigned)EPOLLOUT)
		conn_read(c);
}

static struct conn *make_conns(void)
{
	struct conn *conns = calloc(opt.connections, sizeof(*conns));
	unsigned i, kind, sum = opt.mix[0] + opt.mix[1] + opt.mix[2] + opt.mix[3];

	if (!conns)
		die("calloc");
	for (i = 0; i < opt.connections; i++) {
		unsigned slot = i / opt.n_addr % sum;

		for (kind = 0; slot >= opt.mix[kind]; kind++)
			slot -= opt.mix[kind];
		conns[i].id = i + 1;
		conns[i].kind = kind;
		conns[i].rate = opt.rate;
		conns[i].fd = -1;
		conns[i].peer = opt.addr[i % opt.n_addr];
	}
	return conns;
}

static void print_status(const char *when)
{
	printf("%s: opened %u, completed %u, broken %u, %llu bytes down, longest stall %.3f s\n", when, total.opened,
	       total.completed, total.broken, (unsigned long long)total.down, (double)total.longest / SECOND);
}

static void summary_json(void)
{
	unsigned i;

	printf("{\"opened\":%u,\"completed\":%u,\"broken\":%u,\"reasons\":{", total.opened, total.completed, total.broken);
	for (i = 0; i < total.n_reasons; i++)
		printf("%s\"%s\":%u", i ? "," : "", total.reasons[i].text, total.reasons[i].count);
	printf("},\"last_break\":%.3f,\"bytes_down\":%llu,\"bytes_up\":%llu,\"longest_stall\":%.3f}\n",
	       total.last_break, (unsigned long long)total.down, (unsigned long long)total.up,
	       (double)total.longest / SECOND);
}

static void summary(void)
{
	unsigned i;

	if (opt.json) {
		summary_json();
		return;
	}
	printf("opened %u, completed %u, broken %u", total.opened, total.completed, total.broken);
	for (i = 0; i < total.n_reasons; i++)
		printf("%s%u %s", i ? ", " : " (", total.reasons[i].count, total.reasons[i].text);
	printf("%s; %llu bytes down, %llu up; longest stall %.3f s\n", total.n_reasons ? ")" : "",
	       (unsigned long long)total.down, (unsigned long long)total.up, (double)total.longest / SECOND);
}

/* Opens more; says "ready" once all are open. Returns how many have been begun. */
static unsigned open_more(struct conn *conns, unsigned begun)
{
	static bool ready;

	while (begun < opt.connections && begun < total.opened + total.broken + OPENING)
		client_open(&conns[begun++]);
	if (!ready && total.opened == opt.connections) {
		printf("ready %u\n", total.opened);
		ready = true;
	}
	return begun;
}

static int run(void)
{
	struct epoll_event ev[256];
	struct conn *conns;
	unsigned i, begun = 0;
	bool ending = false;
	uint64_t next, until;

	prepare();
	conns = make_conns();
	until = opt.seconds > 0 ? now + (uint64_t)(opt.seconds * SECOND) : UINT64_MAX;
	for (next = now; total.completed + total.broken < opt.connections;) {
		int k, n;

		if (!ending)
			begun = open_more(conns, begun);
		n = epoll_wait(epfd, ev, 256, (int)(TICK / 1000000));
		read_clock();
		for (k = 0; k < n; k++)
			run_event(ev[k].data.ptr, ev[k].events);
		if (tell) {
			tell = 0;
			print_status("status");
		}
		if (!ending && (stop || now >= until)) {
			ending = true;
			opt.connections = begun;
			for (i = 0; i < begun; i++)
				client_end(&conns[i]);
		}
		if (now < next)
			continue;
		next = now + TICK;
		for (i = 0; i < begun; i++)
			client_tick(&conns[i]);
	}
	summary();
	free(conns);
	return total.broken ? 2 : 0;
}

/* --- the command line --- */

static void usage(FILE *out)
{
	fputs("usage: talk serve -l ADDR:PORT [-l ADDR:PORT]...\n"
	      "       talk run [options] ADDR:PORT [ADDR:PORT]...\n"
	      "\n"
	      "run opens connections to a server, holds them and checks every byte, both ways.\n"
	      "Numeric addresses, IPv6 in []; several are used in turn.\n"
	      "  -n N        connections (100)\n"
	      "  -t SECONDS  hold them so long, then check and close each; 0: until SIGTERM (10)\n"
	      "  -m C,D,U,I  the mix: shares of chatty, download, upload, idle (4,2,2,2)\n"
	      "  -r BYTES    a second, of each download and upload; 0: all it can (16000)\n"
	      "  -g SECONDS  between the messages of a chatty one, on average (0.5)\n"
	      "  -T SECONDS  without progress: broken (15)\n"
	      "  -b ADDR     source address (for targets of its family)\n"
	      "  -j          the summary as JSON\n"
	      "Downloads send nothing but ACKs; idle ones have no packets at all until the end.\n"
	      "Prints \"ready N\" when all are open, a status on SIGUSR1, and a summary. SIGTERM\n"
	      "and SIGINT end it early, with the checks. Exit 0: none broke; 2: some did.\n"
	      "A server ends on SIGTERM: exit 0, or 2 if it received a wrong byte.\n",
	      out);
}

static void add_addr(const char *text)
{
	if (opt.n_addr < MAX_TALK)
		parse_addr(text, true, &opt.addr[opt.n_addr++]);
}

static bool parse_mix(const char *text)
{
	return sscanf(text, "%u,%u,%u,%u", &opt.mix[0], &opt.mix[1], &opt.mix[2], &opt.mix[3]) == KINDS &&
	       opt.mix[0] + opt.mix[1] + opt.mix[2] + opt.mix[3] > 0;
}

static bool parse_options(int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	int o;

	while ((o = getopt_long(argc, argv, "hl:n:t:m:r:g:T:b:j", longs, NULL)) != -1)
		switch (o) {
		case 'h': usage(stdout); exit(0);
		case 'l': add_addr(optarg); break;
		case 'n': opt.connections = (unsigned)atoi(optarg); break;
		case 't': opt.seconds = atof(optarg); break;
		case 'm':
			if (!parse_mix(optarg))
				return false;
			break;
		case 'r': opt.rate = strtoull(optarg, NULL, 10); break;
		case 'g': opt.gap = atof(optarg); break;
		case 'T': opt.timeout = atof(optarg); break;
		case 'b': parse_addr(optarg, false, &opt.source); break;
		case 'j': opt.json = true; break;
		default: return false;
		}
	for (; optind < argc; optind++)
		add_addr(argv[optind]);
	return true;
}

int main(int argc, char **argv)
{
	bool serves;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		usage(stdout);
		return 0;
	}
	serves = argc > 1 && !strcmp(argv[1], "serve");
	if (argc < 2 || (!serves && strcmp(argv[1], "run")) || !parse_options(argc - 1, argv + 1) || !opt.n_addr) {
		usage(stderr);
		return 1;
	}
	return serves ? serve() : run();
}

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * segment: makes TCP segments that no well-behaved stack would send at that
 * moment: packets recorded by tcpdump sent again, ACKs of flows that do not
 * exist, and a connection whose client goes away without a word getting through.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct end {
	struct sockaddr_storage ss;
	socklen_t len;
};

static void die(const char *what)
{
	fprintf(stderr, "segment: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t milliseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct end parse_end(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *ai;
	struct end end = { 0 };

	if (getaddrinfo(host, port, &hints, &ai)) {
		fprintf(stderr, "segment: \"%s\" \"%s\" is not an address and a port\n", host, port ? port : "");
		exit(1);
	}
	memcpy(&end.ss, ai->ai_addr, ai->ai_addrlen);
	end.len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return end;
}

/* The port lies at the same place in both families. */
static void set_port(struct end *end, in_port_t port)
{
	((struct sockaddr_in *)&end->ss)->sin_port = port;
}

static in_port_t get_port(const struct end *end)
{
	return ((const struct sockaddr_in *)&end->ss)->sin_port;
}

/* --- play DEV FILE: the frames of a pcap file, as they are --- */

static int play(const char *dev, const char *path)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(dev) };
	int sent = 0, fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct { uint32_t magic, rest[5]; } file;
	struct { uint32_t sec, usec, len, wire_len; } head;
	uint8_t frame[65536];
	FILE *in = fopen(path, "rb");

	if (fd < 0 || !ll.sll_ifindex)
		die(dev);
	if (!in || fread(&file, sizeof(file), 1, in) != 1 || file.magic != 0xa1b2c3d4)
		die(path);
	for (; fread(&head, sizeof(head), 1, in) == 1; sent++) {
		if (head.len > sizeof(frame) || fread(frame, head.len, 1, in) != 1)
			die(path);
		if (sendto(fd, frame, head.len, 0, (struct sockaddr *)&ll, sizeof(ll)) < 0)
			die("sendto");
	}
	fclose(in);
	close(fd);
	printf("sent %d\n", sent);
	return sent ? 0 : 2;
}

/* --- probe: ACKs out of the blue --- */

static uint16_t checksum4(const struct end *src, const struct end *dst, const struct tcphdr *tcp)
{
	struct {
		struct in_addr src, dst;
		uint16_t proto, len;
		struct tcphdr tcp;
	} p = {
		((const struct sockaddr_in *)&src->ss)->sin_addr, ((const struct sockaddr_in *)&dst->ss)->sin_addr,
		htons(IPPROTO_TCP), htons(sizeof(p.tcp)), *tcp,
	};
	uint16_t words[sizeof(p) / 2];
	uint32_t sum = 0;
	size_t i;

	memcpy(words, &p, sizeof(p));
	for (i = 0; i < sizeof(p) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* Waits for a RST to the port; true if it came. */
static bool await_reset(int fd, bool v4, in_port_t port, int timeout)
{
	uint64_t until = milliseconds() + (uint64_t)timeout;

	for (;;) {
		uint8_t buf[2048];
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		struct tcphdr tcp;
		size_t skip;
		ssize_t n;
		uint64_t now = milliseconds();

		if (now >= until || poll(&pfd, 1, (int)(until - now)) <= 0)
			return false;
		n = recv(fd, buf, sizeof(buf), 0);
		skip = v4 && n > 0 ? (size_t)(buf[0] & 15) * 4 : 0;
		if (n < (ssize_t)(skip + sizeof(tcp)))
			continue;
		memcpy(&tcp, buf + skip, sizeof(tcp));
		if (tcp.rst && tcp.dest == port)
			return true;
	}
}

/* One flow: the ACK is sent again as TCP would, until there is a RST. Returns milliseconds, or -1. */
static int probe_one(int fd, const struct end *src, const struct end *dst, int timeout)
{
	struct tcphdr tcp = { .dest = get_port(dst), .ack = 1, .doff = 5, .window = htons(1000) };
	bool v4 = dst->ss.ss_family == AF_INET;
	uint64_t begin = milliseconds();
	int wait = 200;

	if (getrandom(&tcp.seq, 4, 0) != 4 || getrandom(&tcp.ack_seq, 4, 0) != 4 || getrandom(&tcp.source, 2, 0) != 2)
		die("getrandom");
	tcp.source |= htons(1024);
	if (v4)
		tcp.check = checksum4(src, dst, &tcp);
	while (milliseconds() < begin + (uint64_t)timeout) {
		if (send(fd, &tcp, sizeof(tcp), 0) < 0)
			die("send");
		if (await_reset(fd, v4, tcp.source, wait))
			return (int)(milliseconds() - begin);
		wait *= 2;
	}
	return -1;
}

static int probe(const char *source, const char *host, const char *port, int count, int timeout)
{
	struct end src = parse_end(source, NULL), dst = parse_end(host, port), raw = dst;
	int fd = socket(dst.ss.ss_family, SOCK_RAW, IPPROTO_TCP), offset = 16, i, reset = 0, slowest = 0;

	set_port(&raw, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&src.ss, src.len) || connect(fd, (struct sockaddr *)&raw.ss, raw.len))
		die("raw socket");
	if (dst.ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset)))
		die("IPV6_CHECKSUM");
	for (i = 0; i < count; i++) {
		int ms = probe_one(fd, &src, &dst, timeout);

		reset += ms >= 0;
		slowest = ms > slowest ? ms : slowest;
	}
	close(fd);
	printf("reset %d of %d, the slowest after %d ms\n", reset, count, slowest);
	return reset == count ? 0 : 2;
}

/* --- abandon: a connection that ends with one RST, on SIGTERM --- */

static void on_term(int sig)
{
}

static int abandon(const char *source, const char *source_port, const char *host, const char *port)
{
	struct end src = parse_end(source, source_port), dst = parse_end(host, port);
	struct linger linger = { 1, 0 };
	struct sigaction sa = { .sa_handler = on_term };
	sigset_t term, old;
	int one = 1, fd = socket(dst.ss.ss_family, SOCK_STREAM, 0);

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	sigaction(SIGTERM, &sa, NULL);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (bind(fd, (struct sockaddr *)&src.ss, src.len) || connect(fd, (struct sockaddr *)&dst.ss, dst.len))
		die("connect");
	puts("open");
	fflush(stdout);
	sigsuspend(&old);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "play"))
		return play(argv[2], argv[3]);
	if (argc == 7 && !strcmp(argv[1], "probe"))
		return probe(argv[2], argv[3], argv[4], atoi(argv[5]), atoi(argv[6]));
	if (argc == 6 && !strcmp(argv[1], "abandon"))
		return abandon(argv[2], argv[3], argv[4], argv[5]);
	fputs("usage: segment play DEV FILE               send the frames of a pcap file\n"
	      "       segment probe SRC DST PORT N MS     ACKs of N flows that nobody has, each sent again\n"
	      "                                           until a RST comes; 2 if none came within MS ms\n"
	      "       segment abandon SRC PORT DST PORT   opens, says so, and closes by one RST on SIGTERM\n",
	      stderr);
	return 1;
}

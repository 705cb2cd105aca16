/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses: text to the 16 bytes that the maps and the wire use, and back.
 * IPv4 is kept mapped (::ffff:a.b.c.d), so one comparison does for both
 * families; the mapped form is never taken from, or shown to, people.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool hw_addr_parse(const char *text, struct hw_addr *out)
{
	struct hw_addr addr;

	memcpy(addr.b, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, addr.b + sizeof(mapped)) != 1) {
		if (inet_pton(AF_INET6, text, addr.b) != 1)
			return false;
		if (hw_addr_is4(&addr))
			return false;
	}
	*out = addr;
	return true;
}

bool hw_addr_parse_mapped(const char *text, struct hw_addr *out)
{
	struct hw_addr addr;

	if (inet_pton(AF_INET6, text, addr.b) != 1 || !hw_addr_is4(&addr))
		return false;
	*out = addr;
	return true;
}

char *hw_addr_text(const struct hw_addr *addr, char *out)
{
	if (hw_addr_is4(addr))
		inet_ntop(AF_INET, addr->b + sizeof(mapped), out, HW_ADDR_LEN);
	else
		inet_ntop(AF_INET6, addr->b, out, HW_ADDR_LEN);
	return out;
}

bool hw_addr_is4(const struct hw_addr *addr)
{
	return !memcmp(addr->b, mapped, sizeof(mapped));
}

bool hw_addr_equal(const struct hw_addr *a, const struct hw_addr *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

static const char *martian4(const uint8_t *b)
{
	static const uint8_t ones[4] = { 255, 255, 255, 255 };

	if (b[0] == 0)
		return "unspecified"; /* all of 0.0.0.0/8, RFC 1122 section 3.2.1.3 */
	if (b[0] == 127)
		return "loopback";
	if (b[0] == 169 && b[1] == 254)
		return "link-local";
	if ((b[0] & 0xf0) == 0xe0)
		return "multicast";
	if (!memcmp(b, ones, sizeof(ones)))
		return "broadcast";
	return NULL;
}

const char *hw_addr_martian(const struct hw_addr *addr)
{
	static const struct hw_addr any, loopback = { .b = { [15] = 1 } };

	if (hw_addr_is4(addr))
		return martian4(addr->b + sizeof(mapped));
	if (hw_addr_equal(addr, &any))
		return "unspecified";
	if (hw_addr_equal(addr, &loopback))
		return "loopback";
	if (addr->b[0] == 0xff)
		return "multicast";
	if (addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80)
		return "link-local";
	return NULL;
}

bool hw_addr_is_martian(const struct hw_addr *addr)
{
	return hw_addr_martian(addr) != NULL;
}

socklen_t hw_addr_sockaddr(const struct hw_addr *addr, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (hw_addr_is4(addr)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, addr->b + sizeof(mapped), sizeof(in->sin_addr));
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, addr->b, sizeof(in6->sin6_addr));
		return sizeof(*in6);
	}
}

bool hw_addr_from_sockaddr(const struct sockaddr_storage *sa, struct hw_addr *out, uint16_t *port)
{
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		memcpy(out->b, mapped, sizeof(mapped));
		memcpy(out->b + sizeof(mapped), &in->sin_addr, sizeof(in->sin_addr));
		if (port)
			*port = ntohs(in->sin_port);
		return true;
	}
	if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		memcpy(out->b, &in6->sin6_addr, sizeof(out->b));
		if (port)
			*port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

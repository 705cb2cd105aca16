/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Addresses: text forms taken and refused, what is martian, and socket addresses. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../../loader/addr.h"

#define ROWS(table) (sizeof(table) / sizeof(table[0]))

Test(addr, text_to_bytes_and_back)
{
	static const struct {
		const char *text, *shown;
		bool is4;
		uint8_t bytes[16];
	} rows[] = {
		{ "203.0.113.1", "203.0.113.1", true, { [10] = 0xff, 0xff, 203, 0, 113, 1 } },
		{ "0.0.0.0", "0.0.0.0", true, { [10] = 0xff, 0xff } },
		{ "255.255.255.255", "255.255.255.255", true, { [10] = 0xff, 0xff, 255, 255, 255, 255 } },
		{ "2001:db8:113::1", "2001:db8:113::1", false, { 0x20, 1, 0x0d, 0xb8, 1, 0x13, [15] = 1 } },
		{ "2001:0DB8:0:0::1", "2001:db8::1", false, { 0x20, 1, 0x0d, 0xb8, [15] = 1 } },
		{ "::", "::", false, { 0 } },
		{ "::1", "::1", false, { [15] = 1 } },
		{ "64:ff9b::192.0.2.1", "64:ff9b::c000:201", false, { 0, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 1 } },
		{ "1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888", false,
		  { 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x66, 0x66, 0x77, 0x77, 0x88, 0x88 } },
	};
	char text[HW_ADDR_LEN];
	struct hw_addr addr;
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		cr_expect(hw_addr_parse(rows[i].text, &addr), "%s is refused", rows[i].text);
		cr_expect_arr_eq(addr.b, rows[i].bytes, 16, "%s", rows[i].text);
		cr_expect_eq(hw_addr_is4(&addr), rows[i].is4, "%s", rows[i].text);
		cr_expect_eq(hw_addr_text(&addr, text), text);
		cr_expect_str_eq(text, rows[i].shown);
	}
}

Test(addr, refuses_what_is_no_address)
{
	static const char *const rows[] = {
		"", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4/32",
		"0x1.2.3.4", "1.2.3.-4", "localhost", "2001:db8::/32", "fe80::1%lo", "2001:db8::1::2", ":", ":::",
		"[::1]", "12345::", "::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:1.2.3.4",
	};
	struct hw_addr addr, before;
	size_t i;

	memset(&before, 0x5a, sizeof(before));
	for (i = 0; i < ROWS(rows); i++) {
		addr = before;
		cr_expect_not(hw_addr_parse(rows[i], &addr), "\"%s\" is taken", rows[i]);
		cr_expect(hw_addr_equal(&addr, &before), "\"%s\" is refused, but changes the result", rows[i]);
	}
}

Test(addr, knows_a_mapped_text)
{
	struct hw_addr addr, want;

	cr_assert(hw_addr_parse("192.0.2.1", &want));
	cr_expect(hw_addr_parse_mapped("::ffff:192.0.2.1", &addr));
	cr_expect(hw_addr_equal(&addr, &want));
	cr_expect_not(hw_addr_parse_mapped("192.0.2.1", &addr));
	cr_expect_not(hw_addr_parse_mapped("2001:db8::1", &addr));
	cr_expect_not(hw_addr_parse_mapped("junk", &addr));
}

Test(addr, martians)
{
	static const struct {
		const char *text, *word; /* NULL: none */
	} rows[] = {
		{ "0.0.0.0", "unspecified" }, { "0.1.2.3", "unspecified" }, { "::", "unspecified" },
		{ "127.0.0.1", "loopback" }, { "127.255.255.254", "loopback" }, { "::1", "loopback" },
		{ "169.254.0.1", "link-local" }, { "169.254.255.255", "link-local" },
		{ "fe80::1", "link-local" }, { "febf:ffff::", "link-local" },
		{ "224.0.0.1", "multicast" }, { "239.255.255.255", "multicast" }, { "ff02::1", "multicast" },
		{ "255.255.255.255", "broadcast" },
		{ "1.0.0.0", NULL }, { "126.255.255.255", NULL }, { "128.0.0.1", NULL }, { "169.253.255.255", NULL },
		{ "169.255.0.0", NULL }, { "223.255.255.255", NULL }, { "240.0.0.1", NULL },
		{ "255.255.255.254", NULL }, { "10.0.0.1", NULL }, { "10.254.0.1", NULL }, { "::2", NULL }, { "2001:db8::1", NULL },
		{ "fec0::1", NULL }, { "fe7f::1", NULL }, { "fd00::1", NULL }, { "100::1", NULL },
	};
	struct hw_addr addr;
	const char *word;
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		cr_assert(hw_addr_parse(rows[i].text, &addr));
		word = hw_addr_martian(&addr);
		cr_expect_eq(hw_addr_is_martian(&addr), rows[i].word != NULL, "%s", rows[i].text);
		cr_expect_str_eq(word ? word : "none", rows[i].word ? rows[i].word : "none", "%s", rows[i].text);
	}
}

Test(addr, equal_compares_every_byte)
{
	struct hw_addr a, b;
	int i;

	cr_assert(hw_addr_parse("2001:db8::1", &a));
	for (i = 0; i < 16; i++) {
		b = a;
		cr_expect(hw_addr_equal(&a, &b));
		b.b[i] ^= 1;
		cr_expect_not(hw_addr_equal(&a, &b), "byte %d", i);
	}
}

Test(addr, socket_addresses)
{
	static const char *const rows[] = { "203.0.113.1", "2001:db8:113::1" };
	struct sockaddr_storage sa;
	struct hw_addr addr, back;
	uint16_t port;
	socklen_t len;
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		cr_assert(hw_addr_parse(rows[i], &addr));
		memset(&sa, 0xff, sizeof(sa));
		len = hw_addr_sockaddr(&addr, 6081, &sa);
		if (hw_addr_is4(&addr)) {
			const struct sockaddr_in *in = (const struct sockaddr_in *)&sa;

			cr_expect_eq(len, sizeof(*in));
			cr_expect_eq(in->sin_family, AF_INET);
			cr_expect_eq(in->sin_port, htons(6081));
			cr_expect_eq(in->sin_addr.s_addr, inet_addr(rows[i]));
		} else {
			const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&sa;

			cr_expect_eq(len, sizeof(*in6));
			cr_expect_eq(in6->sin6_family, AF_INET6);
			cr_expect_eq(in6->sin6_port, htons(6081));
			cr_expect_eq(in6->sin6_scope_id, 0);
			cr_expect_arr_eq(&in6->sin6_addr, addr.b, 16);
		}
		port = 0;
		cr_expect(hw_addr_from_sockaddr(&sa, &back, &port));
		cr_expect(hw_addr_equal(&addr, &back));
		cr_expect_eq(port, 6081);
		cr_expect(hw_addr_from_sockaddr(&sa, &back, NULL));
	}
	sa.ss_family = AF_UNIX;
	cr_expect_not(hw_addr_from_sockaddr(&sa, &back, &port));
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Addresses as homeward keeps them: 16 bytes, IPv4 mapped (RFC 4291 section 2.5.5.2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../maps-schema/maps.h"

/* Parses IPv4 or IPv6 text (no prefix length, no scope). False if it is neither, or an IPv4-mapped text. */
bool hw_addr_parse(const char *text, struct hw_addr *out);

/* Parses an IPv4-mapped text (::ffff:192.0.2.1) and nothing else: what hw_addr_parse() refused, to say what to write. */
bool hw_addr_parse_mapped(const char *text, struct hw_addr *out);

/* Writes the text form into out (at least HW_ADDR_LEN bytes) and returns it. */
char *hw_addr_text(const struct hw_addr *addr, char *out);

bool hw_addr_is4(const struct hw_addr *addr);
bool hw_addr_equal(const struct hw_addr *a, const struct hw_addr *b);

/* Unspecified, loopback, multicast, limited broadcast, link-local: what no VIP and no endpoint may be. */
bool hw_addr_is_martian(const struct hw_addr *addr);
/* The word for what makes it martian ("loopback"), or NULL if it is not. */
const char *hw_addr_martian(const struct hw_addr *addr);

/* Fills a socket address (sockaddr_in or sockaddr_in6) and returns its length; port in host order. */
socklen_t hw_addr_sockaddr(const struct hw_addr *addr, uint16_t port, struct sockaddr_storage *out);
/* The reverse; port may be NULL. False if the family is neither. */
bool hw_addr_from_sockaddr(const struct sockaddr_storage *sa, struct hw_addr *out, uint16_t *port);

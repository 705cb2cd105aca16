// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * libFuzzer target: a config and its key file, through hw_conf_read(). The
 * input is the text of the config, up to a NUL, then that of the key file; both
 * are files in memory that the config knows as descriptors 100 and 101, so that
 * nothing is written anywhere. A config is either good, and then in bounds, or
 * refused with lines that all name a place.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/conf.h"

#define CONF_FD  100
#define KEYS_FD  101
#define PATH     "/proc/self/fd/100"
#define GOOD_KEY "7 00112233445566778899aabbccddeeff\n"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (int fd = CONF_FD; fd <= KEYS_FD; fd++) {
		int memory = memfd_create("fuzz", 0);

		cr_assert(memory >= 0 && dup2(memory, fd) == fd && fchmod(fd, 0600) == 0);
		close(memory);
	}
	return 0;
}

static void file_set(int fd, const void *text, size_t len)
{
	cr_assert(ftruncate(fd, 0) == 0 && pwrite(fd, text, len, 0) == (ssize_t)len);
}

static void good(const struct hw_conf *c)
{
	cr_assert(c->self >= c->nodes && c->self < c->nodes + c->n_nodes);
	cr_assert(c->n_vips >= 1 && c->n_vips < HW_VIP_IDS && c->n_nodes < HW_NODE_IDS && c->network < 1u << 24);
	cr_assert(c->keys.n >= 1 && c->keys.n <= HW_KEY_IDS && c->n_interfaces >= 1);
	for (size_t i = 0; i < c->n_vips; i++) {
		cr_assert(memchr(c->vips[i].name, '\0', HW_NAME_LEN) && c->vips[i].n_tcp <= HW_VIP_PORTS);
		cr_assert(!hw_addr_is_martian(&c->vips[i].addr));
		cr_assert(c->vips[i].n_tcp >= HW_VIP_NO_TCP && c->vips[i].n_udp <= HW_VIP_PORTS);
		for (int p = 0; p < c->vips[i].n_tcp; p++)
			cr_assert(c->vips[i].tcp[p]);
		for (unsigned p = 0; p < c->vips[i].n_udp; p++)
			cr_assert(c->vips[i].udp[p]);
	}
	for (size_t i = 0; i < c->n_nodes; i++) {
		const struct hw_conf_node *node = &c->nodes[i];

		cr_assert(node->id >= 1 && node->id < HW_NODE_IDS && memchr(node->name, '\0', HW_NAME_LEN) &&
			  memchr(node->pop, '\0', HW_NAME_LEN) && !hw_addr_is_martian(&node->endpoint));
		cr_assert(hw_addr_is4(&node->endpoint) == hw_addr_is4(&c->nodes[0].endpoint));
	}
	cr_assert(c->limits.flows && c->limits.asks && c->limits.ask_bytes);
	cr_assert(c->timers.flow_idle && c->timers.node_down && c->timers.node_lost);
}

/* Each line is "file:line:column: message" and can be printed. */
static void said(const char *text, size_t len)
{
	unsigned line, column;
	const char *end;

	cr_assert(len, "refused, and not said why");
	for (const char *p = text; *p; p = end + 1) {
		int n = 0;

		end = strchr(p, '\n');
		cr_assert(end && strncmp(p, "/proc/self/fd/", 14) == 0, "no place: %s", text);
		cr_assert(sscanf(p, "%*[^:]:%u:%u: %n", &line, &column, &n) == 2 && n > 0 && line && column,
			  "no place: %s", text);
		for (const char *c = p; c < end; c++)
			cr_assert(!iscntrl((unsigned char)*c), "control characters: %s", text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t len = nul ? (size_t)(nul - data) : size, told = 0;
	char *text = NULL;
	FILE *errors = open_memstream(&text, &told);
	struct hw_conf *c;

	file_set(CONF_FD, data, len);
	if (nul)
		file_set(KEYS_FD, nul + 1, size - len - 1);
	else
		file_set(KEYS_FD, GOOD_KEY, sizeof(GOOD_KEY) - 1);
	c = hw_conf_read(PATH, NULL, errors);
	fclose(errors);
	if (c) {
		cr_assert(!told, "accepted, but: %s", text);
		good(c);
	} else {
		said(text, told);
	}
	hw_conf_free(c);
	free(text);
	return 0;
}

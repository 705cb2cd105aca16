// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Writes the corpora that libFuzzer starts from: corpus DIR makes DIR/packet,
 * DIR/wire and DIR/conf, one file a seed. The packets are those of seeds.h,
 * each in several situations; the messages are the control messages among them.
 */
#include <errno.h>
#include <sys/stat.h>

#include "seeds.h"
#include "situation.h"

static const struct situation situations[] = {
	{ .socket = SOCKET_NONE }, { .socket = SOCKET_FULL }, { .socket = SOCKET_LISTEN, .cookie = 1 },
	{ .home = 2, .any_vip = 1 }, { .home = 3, .key_current = 1 }, { .home = 6, .any_vip = 1 },
	{ .any_vip = 1, .linear = 120 }, { .socket = SOCKET_REQUEST }, { .socket = SOCKET_TIMEWAIT },
	{ .mark = MARK_DELIVER, .asleep = 1 }, { .home = 2, .headroom = 30 }, { .witness = 1, .nobody = 1 },
};
#define SITUATIONS (sizeof(situations) / sizeof(situations[0]))

static void seed_write(const char *dir, const char *name, int i, const void *head, size_t head_len, const void *bytes,
		       size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%04d", dir, name, i);
	f = fopen(path, "w");
	cr_assert(f && fwrite(head, 1, head_len, f) == head_len && fwrite(bytes, 1, len, f) == len && fclose(f) == 0,
		  "%s: %s", path, strerror(errno));
}

/* Each in three situations, by turns, and with the endpoint that it is sent to. */
static void packets_write(const char *dir)
{
	for (unsigned i = 0; i < 3u * n_seeds; i++) {
		const struct frame *f = &seeds[i / 3];
		struct situation s = situations[(i % 3 * 5 + i / 3) % SITUATIONS];
		struct hw_addr self6 = addr_of(SELF_IP6);

		s.endpoint6 = f->len >= ETH + 40 && memcmp(f->b + ETH + 24, self6.b, 16) == 0;
		seed_write(dir, "packet", i, &s, sizeof(s), f->b, f->len);
	}
}

static void messages_write(const char *dir)
{
	for (int i = 0; i < n_seeds; i++) {
		const struct frame *f = &seeds[i];
		size_t udp = ETH + (get16(f->b + 12) == 0x86dd ? 40 : 20);

		if (f->len > udp + 32 && get16(f->b + udp + 2) == 6081)
			seed_write(dir, "wire", i, "", 0, f->b + udp + 8, f->len - udp - 8);
	}
}

/* The config that is installed, whole and in parts, its key file being descriptor 101 (fuzz_conf.c). */
static void configs_write(const char *dir)
{
	static const char keys[] = "\0# two keys\n7 00112233445566778899aabbccddeeff\n9 ffeeddccbbaa99887766554433221100\n";
	static const char bounds[] = "\0" "255 00112233445566778899aabbccddeeff\n256 00\nx 00112233445566778899aabbccddeeff 1\n";
	FILE *f = fopen("loader/homeward.yaml", "r");
	char text[8192], *key, *p;
	size_t len;

	cr_assert(f, "loader/homeward.yaml: %s", strerror(errno));
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	key = strstr(text, "homeward.keys ");
	cr_assert(key);
	memcpy(key, "101 #         ", 14);
	seed_write(dir, "conf", 4, text, strlen(text), bounds, sizeof(bounds) - 1);
	for (int i = 0; i < 4; i++) {
		seed_write(dir, "conf", i, text, strlen(text), keys, i % 2 ? sizeof(keys) - 1 : 0);
		if (i == 1)
			for (p = strstr(text, "#limits"); p; p = strstr(p, "\n#"))
				memmove(p + (*p == '\n'), p + 1 + (*p == '\n'), strlen(p + (*p == '\n')));
	}
}

int main(int argc, char **argv)
{
	cr_assert(argc == 2);
	mkdir(argv[1], 0777);
	seeds_make();
	packets_write(argv[1]);
	messages_write(argv[1]);
	configs_write(argv[1]);
	return 0;
}

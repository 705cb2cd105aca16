/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The config: what it means when it is good, and for each way to get it wrong
 * the place and the words of the error. A row of the table holds exactly one
 * mistake, so a check that says too much fails as well as one that is silent.
 */
#include "scratch.h"

#include "../../loader/conf.h"

#define ROWS(table) (sizeof(table) / sizeof(table[0]))
#define SECOND 1000000000ULL

/* The parts of a good config, with their lines when put together in this order. */
#define NODE   "node: a\n"                                                   /* 1 */
#define NET    "network: 7\n"                                                /* 2 */
#define KEYS   "key-file: keys\n"                                            /* 3 */
#define IFS    "interfaces: [eth0]\n"                                        /* 4 */
#define TOP    NODE NET KEYS IFS
#define VIPS   "vips:\n- name: web\n  address: 203.0.113.1\n"                /* 5 to 7 */
#define NODE_A "- {name: a, id: 1, pop: p, endpoint: 198.51.100.1}\n"
#define NODES  "nodes:\n" NODE_A                                             /* 8, 9 */
#define GOOD   TOP VIPS NODES                                                /* an addition begins on line 10 */
#define PORTS(list) TOP VIPS "  tcp: " list "\n" NODES                       /* on line 8 */
#define UDP(list) TOP VIPS "  udp: " list "\n" NODES                         /* on line 8 */
#define NAME31 "abcdefghijklmnopqrstuvwxyz01234"

static const char key_line[] = "1 000102030405060708090a0b0c0d0e0f\n";

TestSuite(conf, .init = scratch_begin, .fini = scratch_end);

/* Reads a config of that text; *said is what was said, for the caller to free. */
static struct hw_conf *read_conf(const char *text, size_t len, const char *node, char **said)
{
	char *path = scratch_path("conf");
	struct hw_conf *conf;
	size_t said_len;
	FILE *errors = open_memstream(said, &said_len);

	scratch_write("conf", text, len, 0644);
	conf = hw_conf_read(path, node, errors);
	fclose(errors);
	free(path);
	return conf;
}

/* The errors are exactly those at `places` ("line:column" with blanks between), all in the file `name`. */
static void expect_places(const char *said, const char *name, const char *places, const char *row)
{
	char *got, *path = scratch_path(name), *copy = strdup(said), *line, *save = NULL;
	size_t len, prefix = strlen(path);
	FILE *out = open_memstream(&got, &len);
	unsigned l, c;

	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cr_assert(!strncmp(line, path, prefix) && sscanf(line + prefix, ":%u:%u: ", &l, &c) == 2, "%s: %s",
			  row, line);
		fprintf(out, "%s%u:%u", ftell(out) ? " " : "", l, c);
	}
	fclose(out);
	cr_expect_str_eq(got, places, "%s: at %s, not at %s:\n%s", row, got, places, said);
	free(got);
	free(path);
	free(copy);
}

static const struct row {
	const char *name, *text, *place, *says;
} bad[] = {
	/* the file */
	{ "empty", "", "1:1", "empty" },
	{ "comments only", "# nothing\n\n", "1:1", "empty" },
	{ "an empty document", "---\n", "2:1", "mapping" },
	{ "a word", "homeward\n", "1:1", "mapping" },
	{ "a list", "- node: a\n", "1:1", "mapping" },
	{ "two documents", GOOD "---\nnode: b\n", "10:1", "second YAML document" },
	{ "not UTF-8", NODE "network: 7\xff\n", "2:11", "UTF-8" },
	{ "a control character", NODE "network: \x01\n", "2:10", "UTF-8" },
	{ "a cut UTF-8 character", GOOD "# \xe2\x82", "10:3", "UTF-8" },
	/* YAML */
	{ "an open bracket", TOP "vips: [\nnodes: x\n", "7:1", "not valid YAML" },
	{ "a tab as indentation", NODE "limits:\n\tflows: 7\n", "3:1", "tabs" },
	{ "a colon at the end", NODE "network: 2001:db8::\n", "2:19", "quote" },
	{ "an open quote", "node: \"a\n", "2:1", "not valid YAML" },
	{ "an anchor", "node: &x a\n" NET KEYS IFS VIPS NODES, "1:7", "anchor &x" },
	{ "an alias without an anchor", "node: *x\n" NET KEYS IFS VIPS NODES, "1:7", "alias *x" },
	{ "a tag", "node: !!str a\n" NET KEYS IFS VIPS NODES, "1:7", "tags" },
	{ "a tagged list", NODE NET KEYS "interfaces: !x [eth0]\n" VIPS NODES, "4:13", "tag !x" },
	{ "an anchored mapping", TOP VIPS NODES "limits: &x\n  flows: 7\n", "10:9", "anchor &x" },
	{ "a NUL in quotes", "node: \"a\\0b\"\n" NET KEYS IFS VIPS NODES, "1:7", "NUL" },
	{ "too deep", GOOD "x: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
	  "10:35", "nested" },
	/* keys */
	{ "an unknown key", GOOD "colour: red\n", "10:1", "unknown key \"colour\": take it out" },
	{ "an empty key", GOOD "\"\": red\n", "10:1", "unknown key \"\"" },
	{ "a merge key", GOOD "<<: {network: 8}\n", "10:1", "unknown key \"<<\"" },
	{ "a list as a key", GOOD "? [a]\n: b\n", "10:3", "a key must be a word, not a list" },
	{ "a slip in a key", GOOD "limit: {}\n", "10:1", "did you mean limits?" },
	{ "an underscore in a key", GOOD "limits:\n  ask_bytes: 20000\n", "11:3", "did you mean ask-bytes?" },
	{ "an unknown key of a VIP", TOP VIPS "  udp-ports: [53]\n" NODES, "8:3", "vips.web: unknown key" },
	{ "a key of another section", GOOD "timers: {flows: 7}\n", "10:10", "belongs under limits" },
	{ "a key at the wrong depth", GOOD "limits: {network: 7}\n", "10:10", "belongs at the top level" },
	{ "a key twice", TOP NET VIPS NODES, "5:1", "\"network\" is already on line 2" },
	{ "a section twice", GOOD "limits: {}\ntimers: {}\nlimits: {}\n", "12:1", "already on line 10" },
	{ "a key twice in a node", TOP VIPS "nodes:\n- {name: a, id: 1, pop: p, pop: q, endpoint: 198.51.100.1}\n",
	  "9:28", "nodes.a: key \"pop\"" },
	{ "no node", NET KEYS IFS VIPS NODES, "1:1", "key \"node\" is missing: add it, or use --node" },
	{ "no network", NODE KEYS IFS VIPS NODES, "1:1", "\"network\" is missing" },
	{ "no key-file", NODE NET IFS VIPS NODES, "1:1", "\"key-file\" is missing" },
	{ "no interfaces", NODE NET KEYS VIPS NODES, "1:1", "\"interfaces\" is missing" },
	{ "no vips", TOP NODES, "1:1", "\"vips\" is missing" },
	{ "no nodes, behind a comment", "# x\n\n" TOP VIPS, "3:1", "\"nodes\" is missing" },
	{ "a VIP without a name", TOP "vips:\n- address: 203.0.113.1\n" NODES, "6:3", "vips.#1: key \"name\"" },
	{ "a VIP without an address", TOP "vips:\n- name: web\n" NODES, "6:3", "vips.web: key \"address\"" },
	{ "a node without an id", TOP VIPS "nodes:\n- {name: a, pop: p, endpoint: 198.51.100.1}\n", "9:3",
	  "nodes.a: key \"id\"" },
	{ "a node without a pop", TOP VIPS "nodes:\n- {name: a, id: 1, endpoint: 198.51.100.1}\n", "9:3",
	  "nodes.a: key \"pop\"" },
	{ "a node without an endpoint", TOP VIPS "nodes:\n- {name: a, id: 1, pop: p}\n", "9:3", "\"endpoint\"" },
	/* types */
	{ "a list for a value", "node: [a]\n" NET KEYS IFS VIPS NODES, "1:7", "single value, not a list" },
	{ "a mapping for a value", NODE "network: {a: 1}\n" KEYS IFS VIPS NODES, "2:10", "not a mapping" },
	{ "a value for a list", NODE NET KEYS "interfaces: eth0\n" VIPS NODES, "4:13", "write [...] around it" },
	{ "a mapping for a list", TOP "vips: {name: web}\n" NODES, "5:7", "- before each item" },
	{ "a value for a mapping", GOOD "limits: 7\n", "10:9", "must be a mapping (key: value), not a single" },
	{ "a list for a mapping", GOOD "timers: [1s]\n", "10:9", "must be a mapping (key: value), not a list" },
	{ "an item that is no mapping", TOP VIPS "- web\n" NODES, "8:3", "each item must be a mapping" },
	{ "a list in a list", PORTS("[80, [443]]"), "8:13", "vips.web.tcp: must be a single value" },
	{ "null", NODE "network: null\n" KEYS IFS VIPS NODES, "2:10", "network: has no value" },
	{ "tilde", NODE "network: ~\n" KEYS IFS VIPS NODES, "2:10", "has no value" },
	{ "nothing", GOOD "limits:\n", "10:8", "leave the key out" },
	{ "a null item", PORTS("[80, ~]"), "8:13", "item without a value" },
	{ "an empty list", NODE NET KEYS "interfaces: []\n" VIPS NODES, "4:13", "name at least one" },
	{ "no VIPs", TOP "vips: []\n" NODES, "5:7", "vips: empty list" },
	/* numbers */
	{ "network: too large", NODE "network: 16777216\n" KEYS IFS VIPS NODES, "2:10", "0 to 16777215" },
	{ "network: negative", NODE "network: -1\n" KEYS IFS VIPS NODES, "2:10", "whole number" },
	{ "network: a plus sign", NODE "network: +1\n" KEYS IFS VIPS NODES, "2:10", "whole number" },
	{ "network: hex", NODE "network: 0x7\n" KEYS IFS VIPS NODES, "2:10", "digits only" },
	{ "network: octal", NODE "network: 010\n" KEYS IFS VIPS NODES, "2:10", "begins with 0" },
	{ "network: a fraction", NODE "network: 7.0\n" KEYS IFS VIPS NODES, "2:10", "whole number" },
	{ "network: past 64 bits", NODE "network: 18446744073709551623\n" KEYS IFS VIPS NODES, "2:10", "out of range" },
	{ "network: junk in front", NODE "network: \" 7\"\n" KEYS IFS VIPS NODES, "2:10", "\" 7\" is not" },
	{ "network: junk behind", NODE "network: 7x\n" KEYS IFS VIPS NODES, "2:10", "whole number" },
	{ "network: empty", NODE "network: \"\"\n" KEYS IFS VIPS NODES, "2:10", "whole number" },
	{ "id 0", TOP VIPS NODES "- {name: b, id: 0, pop: p, endpoint: 198.51.100.2}\n", "10:17", "1 to 1023" },
	{ "id 1024", TOP VIPS NODES "- {name: b, id: 1024, pop: p, endpoint: 198.51.100.2}\n", "10:17", "1 to 1023" },
	{ "port 0", PORTS("[0]"), "8:9", "1 to 65535" },
	{ "port 65536", PORTS("[80, 65536]"), "8:13", "65536 is out of range" },
	{ "port by name", PORTS("[80, https]"), "8:13", "\"https\" is not a whole number" },
	{ "port twice", PORTS("[80, 443, 80]"), "8:18", "already on line 8" },
	{ "33 ports", PORTS("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,"
			    "33]"), "8:96", "at most 32" },
	{ "UDP port 0", UDP("[0]"), "8:9", "vips.web.udp: 0 is out of range: 1 to 65535" },
	{ "UDP port 65536", UDP("[53, 65536]"), "8:13", "65536 is out of range" },
	{ "UDP port by name", UDP("[domain]"), "8:9", "\"domain\" is not a whole number" },
	{ "UDP port twice", UDP("[53, 443, 53]"), "8:18", "vips.web.udp: 53 is already on line 8" },
	{ "33 UDP ports", UDP("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,"
			      "33]"), "8:96", "vips.web.udp: too many: at most 32" },
	{ "UDP without a list", UDP("53"), "8:8", "write [...] around it" },
	{ "UDP without a value", UDP(""), "8:7", "has no value" },
	{ "TCP without a value", PORTS("~"), "8:8", "has no value" },
	{ "a slip in udp", TOP VIPS "  upd: [53]\n" NODES, "8:3", "did you mean udp?" },
	{ "udp at the top level", GOOD "udp: [53]\n", "10:1", "belongs under vips" },
	{ "no flows", GOOD "limits: {flows: 0}\n", "10:17", "limits.flows: 0 is out of range: 1 to 16777216" },
	{ "too many flows", GOOD "limits: {flows: 16777217}\n", "10:17", "1 to 16777216" },
	{ "no asks", GOOD "limits: {asks: 0}\n", "10:16", "1 to 10000000" },
	{ "too many asks", GOOD "limits: {asks: 10000001}\n", "10:16", "1 to 10000000" },
	{ "too few ask-bytes", GOOD "limits: {ask-bytes: 9999}\n", "10:21", "10000 to 1000000000" },
	{ "too many ask-bytes", GOOD "limits: {ask-bytes: 1000000001}\n", "10:21", "10000 to 1000000000" },
	/* names */
	{ "empty node", "node: \"\"\n" NET KEYS IFS VIPS NODES, "1:7", "empty name" },
	{ "node with a blank", "node: a b\n" NET KEYS IFS VIPS NODES, "1:7", "is not a name" },
	{ "node in Greek", "node: \xce\xb1\n" NET KEYS IFS VIPS NODES, "1:7", "is not a name" },
	{ "VIP name of 32", TOP "vips:\n- name: " NAME31 "5\n  address: 203.0.113.1\n" NODES, "6:9", "at most 31" },
	{ "pop with a slash", TOP VIPS "nodes:\n- {name: a, id: 1, pop: x/y, endpoint: 198.51.100.1}\n", "9:25",
	  "nodes.a.pop: \"x/y\"" },
	{ "an escape sequence", TOP "vips:\n- name: \"a\\e[31m\"\n  address: 203.0.113.1\n" NODES, "6:9",
	  "\"a?[31m\" is not a name" },
	{ "interface of 16", NODE NET KEYS "interfaces: [abcdefghijklmnop]\n" VIPS NODES, "4:14", "at most 15" },
	{ "interface with a slash", NODE NET KEYS "interfaces: [a/b]\n" VIPS NODES, "4:14", "not an interface" },
	{ "interface with a blank", NODE NET KEYS "interfaces: [eth 0]\n" VIPS NODES, "4:14", "not an interface" },
	{ "interface ..", NODE NET KEYS "interfaces: [..]\n" VIPS NODES, "4:14", "not an interface" },
	{ "interface empty", NODE NET KEYS "interfaces: [\"\"]\n" VIPS NODES, "4:14", "empty interface name" },
	{ "interface twice", NODE NET KEYS "interfaces:\n- eth0\n- eth0\n" VIPS NODES, "6:3", "already on line 5" },
	{ "key-file empty", NODE NET "key-file: ''\n" IFS VIPS NODES, "3:11", "empty file name" },
	{ "key-file not there", NODE NET "key-file: none\n" IFS VIPS NODES, "3:11", "No such file" },
	{ "key-file is a directory", NODE NET "key-file: .\n" IFS VIPS NODES, "3:11", "is a directory" },
	{ "key-file open to others", NODE NET "key-file: open\n" IFS VIPS NODES, "3:11", "mode 0640" },
	/* alike */
	{ "VIP name twice", TOP VIPS "- {name: web, address: 203.0.113.2}\n" NODES, "8:10", "already on line 6" },
	{ "VIP address twice", TOP VIPS "- {name: b, address: 203.0.113.1}\n" NODES, "8:22", "already on line 7" },
	{ "the same IPv6 address", TOP "vips:\n- {name: a, address: \"2001:db8::1\"}\n"
	  "- {name: b, address: \"2001:DB8:0::1\"}\n" NODES, "7:22", "already on line 6" },
	{ "node name twice", GOOD "- {name: a, id: 2, pop: p, endpoint: 198.51.100.2}\n", "10:10", "already on line 9" },
	{ "node id twice", GOOD "- {name: b, id: 1, pop: p, endpoint: 198.51.100.2}\n", "10:17", "already on line 9" },
	{ "endpoint twice", GOOD "- {name: b, id: 2, pop: p, endpoint: 198.51.100.1}\n", "10:38", "already on line 9" },
	{ "a VIP that is an endpoint", TOP "vips:\n- {name: v, address: 198.51.100.1}\n" NODES, "6:22", "(line 8)" },
	{ "node not in nodes", "node: b\n" NET KEYS IFS VIPS NODES, "1:7", "\"b\" is not among the nodes" },
	/* addresses */
	{ "VIP unspecified", TOP "vips:\n- {name: v, address: 0.0.0.0}\n" NODES, "6:22", "an unspecified address" },
	{ "VIP unspecified, IPv6", TOP "vips:\n- {name: v, address: \"::\"}\n" NODES, "6:22", "unspecified" },
	{ "VIP loopback", TOP "vips:\n- {name: v, address: 127.0.0.2}\n" NODES, "6:22", "a loopback address" },
	{ "VIP loopback, IPv6", TOP "vips:\n- {name: v, address: \"::1\"}\n" NODES, "6:22", "loopback" },
	{ "VIP multicast", TOP "vips:\n- {name: v, address: 224.0.0.9}\n" NODES, "6:22", "multicast" },
	{ "VIP broadcast", TOP "vips:\n- {name: v, address: 255.255.255.255}\n" NODES, "6:22", "broadcast" },
	{ "VIP link-local", TOP "vips:\n- {name: v, address: 169.254.1.1}\n" NODES, "6:22", "link-local" },
	{ "VIP mapped", TOP "vips:\n- {name: v, address: \"::ffff:192.0.2.1\"}\n" NODES, "6:22", "write 192.0.2.1" },
	{ "VIP with a prefix", TOP "vips:\n- {name: v, address: 192.0.2.1/32}\n" NODES, "6:22", "without a prefix" },
	{ "VIP is a host name", TOP "vips:\n- {name: v, address: www}\n" NODES, "6:22", "is not an address" },
	{ "endpoint link-local", GOOD "- {name: b, id: 2, pop: p, endpoint: \"fe80::1\"}\n", "10:38",
	  "nodes.b.endpoint: fe80::1 is a link-local address" },
	{ "endpoint with a scope", GOOD "- {name: b, id: 2, pop: p, endpoint: fe80::1%lo}\n", "10:38", "not an address" },
	{ "endpoint with a port", GOOD "- {name: b, id: 2, pop: p, endpoint: '192.0.2.1:6081'}\n", "10:38", "address" },
	/* times */
	{ "a bare number", GOOD "timers: {flow-idle: 300}\n", "10:21", "has no unit: write 300s" },
	{ "0 without a unit", GOOD "timers: {flow-idle: 0}\n", "10:21", "has no unit" },
	{ "an unknown unit", GOOD "timers: {flow-idle: 1d}\n", "10:21", "ms, s, m or h" },
	{ "a blank before the unit", GOOD "timers: {flow-idle: 1 s}\n", "10:21", "is not a time" },
	{ "a fraction", GOOD "timers: {node-down: 1.5s}\n", "10:21", "is not a time" },
	{ "a negative time", GOOD "timers: {node-down: -1s}\n", "10:21", "is not a time" },
	{ "a unit alone", GOOD "timers: {node-down: s}\n", "10:21", "is not a time" },
	{ "flow-idle too short", GOOD "timers: {flow-idle: 999ms}\n", "10:21", "1s to 24h" },
	{ "flow-idle too long", GOOD "timers: {flow-idle: 25h}\n", "10:21", "1s to 24h" },
	{ "node-down too short", GOOD "timers: {node-down: 199ms}\n", "10:21", "200ms to 1m" },
	{ "node-down too long", GOOD "timers: {node-down: 61s}\n", "10:21", "200ms to 1m" },
	{ "node-lost too long", GOOD "timers: {node-lost: 61m}\n", "10:21", "200ms to 1h" },
	{ "ns that wrap around", GOOD "timers: {node-down: 18446744074s}\n", "10:21", "out of range" },
	{ "a number that wraps around", GOOD "timers: {flow-idle: 18446744073709551617s}\n", "10:21", "out of range" },
	{ "node-lost below node-down", GOOD "timers: {node-lost: 2s, node-down: 3s}\n", "10:21", "node-down (3s)" },
	{ "node-lost below the default", GOOD "timers: {node-lost: 500ms}\n", "10:21", "1s, the default" },
	{ "node-down above the default", GOOD "timers: {node-down: 31s}\n", "10:21", "set node-lost too" },
};

Test(conf, bad_configs)
{
	struct hw_conf *conf;
	const struct row *row;
	char *said;

	scratch_write("keys", key_line, strlen(key_line), 0600);
	scratch_write("open", key_line, strlen(key_line), 0640);
	for (row = bad; row < bad + ROWS(bad); row++) {
		conf = read_conf(row->text, strlen(row->text), NULL, &said);
		cr_expect_null(conf, "%s: taken", row->name);
		expect_places(said, "conf", row->place, row->name);
		cr_expect(strstr(said, row->says), "%s: not \"%s\":\n%s", row->name, row->says, said);
		hw_conf_free(conf);
		free(said);
	}
}

Test(conf, all_errors_in_the_order_of_the_file)
{
	static const char text[] =
		"nodes:\n"
		"- {name: a, id: 1, pop: p, endpoint: 127.0.0.1}\n"
		"- {name: a, id: 0, pop: '', endpoint: 198.51.100.1, x: y}\n"
		"vips:\n"
		"- name: web\n"
		"  address: 198.51.100.1\n"
		"  tcp: [0, http, 80, 80]\n"
		"timers: {node-down: 2s, node-lost: 1s, flow-idle: 5}\n"
		"node: b\n"
		"network: *n\n"
		"key-file: keys\n"
		"limits:\n";
	char *said;

	scratch_write("keys", key_line, strlen(key_line), 0600);
	cr_expect_null(read_conf(text, strlen(text), NULL, &said));
	expect_places(said, "conf", "1:1 2:38 3:10 3:17 3:25 3:53 6:12 7:9 7:12 7:22 8:36 8:51 9:7 10:10 12:8", "all");
	free(said);
}

Test(conf, errors_of_the_key_file_come_too)
{
	static const char text[] = "node: c\nnetwork: 7\nkey-file: keys\ninterfaces: [eth0]\n" VIPS NODES "x: y\n";
	static const char keys[] = "1 00\nx 000102030405060708090a0b0c0d0e0f\n";
	char *said, *second, *keys_path = scratch_path("keys");

	scratch_write("keys", keys, strlen(keys), 0600);
	cr_expect_null(read_conf(text, strlen(text), NULL, &said));
	second = strstr(said, keys_path);
	cr_assert_not_null(second, "%s", said);
	expect_places(second, "keys", "1:3 2:1", "key file");
	*second = '\0';
	expect_places(said, "conf", "1:7 10:1", "config");
	free(said);

	/* A good config with a bad key file. */
	cr_expect_null(read_conf(GOOD, strlen(GOOD), NULL, &said));
	expect_places(said, "keys", "1:3 2:1", "key file alone");
	free(said);
	free(keys_path);
}

Test(conf, utf16_is_refused)
{
	char text[2 * sizeof(GOOD)] = "\xff\xfe", *said;
	size_t i;

	scratch_write("keys", key_line, strlen(key_line), 0600);
	for (i = 0; GOOD[i]; i++) {
		text[2 + 2 * i] = GOOD[i];
		text[3 + 2 * i] = '\0';
	}
	cr_expect_null(read_conf(text, sizeof(text), NULL, &said));
	expect_places(said, "conf", "1:1", "UTF-16");
	cr_expect(strstr(said, "UTF-8"), "%s", said);
	free(said);
}

Test(conf, minimal)
{
	struct hw_conf *conf;
	struct hw_addr addr;
	char *said, *path = scratch_path("conf");

	scratch_write("keys", key_line, strlen(key_line), 0600);
	conf = read_conf(GOOD, strlen(GOOD), NULL, &said);
	cr_assert_not_null(conf, "%s", said);
	cr_expect_str_eq(said, "");
	cr_expect_str_eq(conf->path, path);
	cr_expect_eq(conf->network, 7);
	cr_expect_eq(conf->self, &conf->nodes[0]);
	cr_assert_eq(conf->n_interfaces, 1);
	cr_expect_str_eq(conf->interfaces[0], "eth0");
	cr_assert_eq(conf->n_vips, 1);
	cr_expect_str_eq(conf->vips[0].name, "web");
	cr_assert(hw_addr_parse("203.0.113.1", &addr));
	cr_expect(hw_addr_equal(&conf->vips[0].addr, &addr));
	cr_expect_eq(conf->vips[0].n_tcp, 0);
	cr_expect_eq(conf->vips[0].n_udp, 0);
	cr_assert_eq(conf->n_nodes, 1);
	cr_expect_eq(conf->limits.flows, 1048576);
	cr_expect_eq(conf->limits.asks, 20000);
	cr_expect_eq(conf->limits.ask_bytes, 4000000);
	cr_expect_eq(conf->timers.flow_idle, 300 * SECOND);
	cr_expect_eq(conf->timers.node_down, SECOND);
	cr_expect_eq(conf->timers.node_lost, 30 * SECOND);
	cr_expect_eq(conf->keys.n, 1);
	cr_expect_eq(conf->keys.id[0], 1);
	hw_conf_free(conf);
	free(path);
	free(said);
}

/* Which ports are watched and which are counted; the same port may be both. */
Test(conf, ports)
{
	static const struct {
		const char *name, *text;
		int n_tcp, first_tcp;
		unsigned n_udp, last_udp;
	} rows[] = {
		{ "neither", GOOD, 0, 0, 0, 0 },
		{ "no TCP at all", PORTS("[]"), HW_VIP_NO_TCP, 0, 0, 0 },
		{ "no TCP, as a block", TOP VIPS "  tcp:\n    []\n" NODES, HW_VIP_NO_TCP, 0, 0, 0 },
		{ "no UDP, said aloud", UDP("[]"), 0, 0, 0, 0 },
		{ "every TCP port, some UDP", UDP("[1, 65535]"), 0, 0, 2, 65535 },
		{ "UDP only", PORTS("[]\n  udp: [53]"), HW_VIP_NO_TCP, 0, 1, 53 },
		{ "the same port", PORTS("[53]\n  udp: [53]"), 1, 53, 1, 53 },
		{ "neither, said aloud", PORTS("[]\n  udp: []"), HW_VIP_NO_TCP, 0, 0, 0 },
		{ "32 UDP ports", UDP("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,"
				      "4242]"), 0, 0, 32, 4242 },
	};

	scratch_write("keys", key_line, strlen(key_line), 0600);
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *said;
		struct hw_conf *conf = read_conf(rows[i].text, strlen(rows[i].text), NULL, &said);
		const struct hw_conf_vip *vip;

		cr_assert_not_null(conf, "%s: %s", rows[i].name, said);
		vip = &conf->vips[0];
		cr_expect(vip->n_tcp == rows[i].n_tcp && vip->tcp[0] == rows[i].first_tcp, "%s: TCP %d", rows[i].name,
			  vip->n_tcp);
		cr_expect_eq(vip->n_udp, rows[i].n_udp, "%s: UDP %u", rows[i].name, vip->n_udp);
		if (rows[i].n_udp)
			cr_expect_eq(vip->udp[rows[i].n_udp - 1], rows[i].last_udp, "%s", rows[i].name);
		hw_conf_free(conf);
		free(said);
	}
}

Test(conf, full)
{
	static const char text[] =
		"\xef\xbb\xbf%YAML 1.1\n---\n"
		"node: \"fra1\"   # quotes are allowed\n"
		"network: 16777215\n"
		"key-file: keys\n"
		"interfaces: [eth0, enp3s0f1np1.100]\n"
		"vips:\n"
		"  - {name: " NAME31 ", address: 203.0.113.1, tcp: [1, 65535]}\n"
		"  - name: web6\n"
		"    address: 2001:db8:113::1\n"
		"nodes:\n"
		"  - {name: ams1, id: 1023, pop: ams, endpoint: 198.51.100.1}\n"
		"  - {name: fra1, id: 1, pop: fra, endpoint: 2001:db8::2}\n"
		"limits: {flows: 16777216, asks: 10000000, ask-bytes: 1000000000}\n"
		"timers: {flow-idle: 24h, node-down: 60000ms, node-lost: 1m}\n"
		"...\n";
	struct hw_conf *conf;
	struct hw_addr addr;
	char *said;

	scratch_write("keys", key_line, strlen(key_line), 0600);
	conf = read_conf(text, strlen(text), NULL, &said);
	cr_assert_not_null(conf, "%s", said);
	cr_expect_eq(conf->network, 16777215);
	cr_expect_eq(conf->self, &conf->nodes[1]);
	cr_assert_eq(conf->n_interfaces, 2);
	cr_expect_str_eq(conf->interfaces[1], "enp3s0f1np1.100");
	cr_assert_eq(conf->n_vips, 2);
	cr_expect_str_eq(conf->vips[0].name, NAME31);
	cr_assert_eq(conf->vips[0].n_tcp, 2);
	cr_expect_eq(conf->vips[0].tcp[0], 1);
	cr_expect_eq(conf->vips[0].tcp[1], 65535);
	cr_assert(hw_addr_parse("2001:db8:113::1", &addr));
	cr_expect(hw_addr_equal(&conf->vips[1].addr, &addr));
	cr_assert_eq(conf->n_nodes, 2);
	cr_expect_eq(conf->nodes[0].id, 1023);
	cr_expect_str_eq(conf->nodes[1].pop, "fra");
	cr_assert(hw_addr_parse("2001:db8::2", &addr));
	cr_expect(hw_addr_equal(&conf->nodes[1].endpoint, &addr));
	cr_expect_eq(conf->limits.flows, 16777216);
	cr_expect_eq(conf->limits.asks, 10000000);
	cr_expect_eq(conf->limits.ask_bytes, 1000000000);
	cr_expect_eq(conf->timers.flow_idle, 86400 * SECOND);
	cr_expect_eq(conf->timers.node_down, 60 * SECOND);
	cr_expect_eq(conf->timers.node_lost, 60 * SECOND);
	hw_conf_free(conf);
	free(said);
}

Test(conf, node_option)
{
	static const struct {
		const char *name, *text, *node, *place; /* "": good */
	} rows[] = {
		{ "in place of the key", NET KEYS IFS VIPS NODES, "a", "" },
		{ "before the key", "node: zz\n" NET KEYS IFS VIPS NODES, "a", "" },
		{ "not in nodes", GOOD, "b", "9:1" },
		{ "empty", GOOD, "", "9:1" },
		{ "a name that no node can have", GOOD, "a b", "9:1" },
	};
	struct hw_conf *conf;
	char *said;
	size_t i;

	scratch_write("keys", key_line, strlen(key_line), 0600);
	for (i = 0; i < ROWS(rows); i++) {
		conf = read_conf(rows[i].text, strlen(rows[i].text), rows[i].node, &said);
		cr_expect_eq(conf != NULL, !*rows[i].place, "%s: %s", rows[i].name, said);
		expect_places(said, "conf", rows[i].place, rows[i].name);
		if (conf)
			cr_expect_str_eq(conf->self->name, "a");
		else
			cr_expect(strstr(said, "--node"), "%s: %s", rows[i].name, said);
		hw_conf_free(conf);
		free(said);
	}
}

/* A config with so many VIPs, nodes and interfaces. */
static char *large_conf(unsigned vips, unsigned nodes, unsigned interfaces, size_t *len)
{
	char *text;
	FILE *out = open_memstream(&text, len);
	unsigned i;

	fputs("node: n1\nnetwork: 7\nkey-file: keys\nvips:\n", out);
	for (i = 1; i <= vips; i++)
		fprintf(out, "- {name: v%u, address: 10.0.%u.%u}\n", i, i >> 8, i & 255);
	fputs("nodes:\n", out);
	for (i = 1; i <= nodes; i++)
		fprintf(out, "- {name: n%u, id: %u, pop: p, endpoint: 10.1.%u.%u}\n", i, i > 1023 ? 7 : i, i >> 8,
			i & 255);
	fputs("interfaces:\n", out);
	for (i = 1; i <= interfaces; i++)
		fprintf(out, "- eth%u\n", i);
	fclose(out);
	return text;
}

Test(conf, full_lists)
{
	static const struct {
		unsigned vips, nodes, interfaces;
		const char *place;
	} rows[] = {
		{ 255, 1023, 64, "" },
		{ 256, 1, 1, "260:3" },
		{ 1, 1024, 1, "1030:3" },
		{ 1, 1, 65, "73:3" },
	};
	struct hw_conf *conf;
	char *text, *said;
	size_t i, len;

	scratch_write("keys", key_line, strlen(key_line), 0600);
	for (i = 0; i < ROWS(rows); i++) {
		text = large_conf(rows[i].vips, rows[i].nodes, rows[i].interfaces, &len);
		conf = read_conf(text, len, NULL, &said);
		expect_places(said, "conf", rows[i].place, "large");
		cr_expect_eq(conf != NULL, !*rows[i].place);
		if (conf) {
			cr_expect_eq(conf->n_vips, 255);
			cr_expect_eq(conf->nodes[1022].id, 1023);
			cr_expect_str_eq(conf->interfaces[63], "eth64");
		} else {
			cr_expect(strstr(said, "too many: at most"), "%s", said);
		}
		hw_conf_free(conf);
		free(text);
		free(said);
	}
}

Test(conf, must_be_a_file)
{
	static const struct {
		const char *name, *says;
	} rows[] = {
		{ "none", "No such file" },
		{ "directory", "is a directory" },
		{ "fifo", "not a regular file" },
		{ "huge", "too large" },
	};
	char *path, *said, *huge = malloc(1048577);
	struct hw_conf *conf;
	FILE *errors;
	size_t i, len;

	memset(huge, '\n', 1048577);
	scratch_write("huge", huge, 1048577, 0600);
	free(huge);
	path = scratch_path("directory");
	cr_assert_eq(mkdir(path, 0700), 0);
	free(path);
	path = scratch_path("fifo");
	cr_assert_eq(mkfifo(path, 0600), 0);
	free(path);
	for (i = 0; i < ROWS(rows); i++) {
		path = scratch_path(rows[i].name);
		errors = open_memstream(&said, &len);
		conf = hw_conf_read(path, NULL, errors);
		fclose(errors);
		cr_expect_null(conf);
		expect_places(said, rows[i].name, "1:1", rows[i].name);
		cr_expect(strstr(said, rows[i].says), "%s: %s", rows[i].name, said);
		free(path);
		free(said);
	}
}

/* Text that is costly for a YAML reader must not be so here: each is a megabyte of one thing. */
Test(conf, costly_text, .timeout = 60)
{
	static const struct {
		const char *unit, *says;
	} rows[] = {
		{ "[", "nested" }, { "{", "nested" }, { "- ", "nested" }, { "? ", "nested" }, { "{a: ", "nested" },
		{ "- a\n", "too many values" }, { "k: v\n", "too many values" }, { "? a\n", "too many values" },
		{ "a: ", "not valid YAML" }, { "\"", "not valid YAML" }, { "'", "mapping" }, { "a\n", "mapping" },
		{ "---\n", "mapping" }, { "#", "empty" }, { "\n", "empty" },
	};
	char *text = malloc(1048576), *said;
	size_t i, j, len;

	for (i = 0; i < ROWS(rows); i++) {
		len = strlen(rows[i].unit);
		for (j = 0; j < 1048576; j++)
			text[j] = rows[i].unit[j % len];
		cr_expect_null(read_conf(text, 1048576, NULL, &said));
		cr_expect(strstr(said, rows[i].says), "%s: %s", rows[i].unit, said);
		free(said);
	}
	free(text);
}

Test(conf, key_file_beside_or_elsewhere)
{
	char *keys = scratch_path("absolute"), *text, *said;
	struct hw_conf *conf;

	/* absolute */
	scratch_write("absolute", key_line, strlen(key_line), 0600);
	cr_assert(asprintf(&text, NODE NET "key-file: %s\n" IFS VIPS NODES, keys) > 0);
	conf = read_conf(text, strlen(text), NULL, &said);
	cr_expect_not_null(conf, "%s", said);
	hw_conf_free(conf);
	free(said);
	free(text);

	/* beside a config that is named without a directory */
	scratch_write("keys", key_line, strlen(key_line), 0600);
	scratch_write("conf", GOOD, strlen(GOOD), 0644);
	cr_assert_eq(chdir(scratch_dir), 0);
	conf = hw_conf_read("conf", NULL, stderr);
	cr_expect_not_null(conf);
	hw_conf_free(conf);
	cr_assert_eq(chdir("/"), 0);
	free(keys);
}

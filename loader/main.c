/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The command line: `homeward VERB [options]`. One table has a row for each
 * verb, another for each option; what is accepted and what help says both come
 * from them.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "homeward.h"
#include "nearest.h"

static const struct hw_verb verbs[] = {
	{ "load", "[-c FILE] [-p PIN] [-m MODE] [--node NAME] [--chain] [DEV...]",
	  "attach to NICs and fill the maps",
	  "Puts the XDP program on the NICs named, or on those of the config, and on their\n"
	  "egress a tc program that lowers the MSS of SYN-ACKs, so that strays fit; fills\n"
	  "the maps under the pin path from the config, and exits. The data path works from\n"
	  "then on; run `homeward agent` beside it, so that unknown strays are asked about.\n"
	  "Loading again replaces the programs in place, without losing a packet. It takes\n"
	  "over a changed config too, unless an agent runs: that one does so on SIGHUP.\n"
	  "\n"
	  "Another XDP program on a NIC is never replaced: the error names it. --chain puts\n"
	  "homeward beside it, where the kernel and libxdp can.\n",
	  "cpmnCD", hw_load },
	{ "unload", "[-p PIN] [DEV...]",
	  "detach from NICs",
	  "Takes the programs off the NICs named, or off all of them. With the last NIC\n"
	  "the maps go too, and with them all counters and known flows.\n",
	  "pD", hw_unload },
	{ "agent", "[-c FILE] [-p PIN] [--node NAME]",
	  "ask other nodes, keep routes and views fresh",
	  "Runs in the foreground beside a loaded program: asks the other nodes whose an\n"
	  "unknown connection is, watches which nodes are up, follows the routes to them,\n"
	  "and keeps the maps that people read fresh. It is ready when it says so, on\n"
	  "standard error and to systemd (Type=notify).\n"
	  "\n"
	  "SIGHUP reads the config again; a bad config changes nothing. SIGTERM and SIGINT\n"
	  "end the agent and leave the data path running. It can be restarted at any time.\n",
	  "cpn", hw_agent },
	{ "status", "[-p PIN] [-j]",
	  "is it on, does it work, what is wrong",
	  "Shows the NICs, the agent, how many other nodes are up, how full the maps are,\n"
	  "and warnings: all that needs somebody's attention, with the remedy.\n"
	  "\n"
	  "Peers: up means heard lately; lost, not heard from here though others may hear\n"
	  "it; dead, heard by nobody. Without an agent that is not known.\n",
	  "pj", hw_status },
	{ "stats", "[-p PIN] [-j]",
	  "what became of the packets",
	  "Shows how many packets ended in each verdict, then per VIP and per node, and\n"
	  "what the agent did. Counters start with the maps; the agent's, with the agent.\n"
	  "Tables leave out what is zero, JSON has all of it.\n"
	  "\n"
	  "VIPs: NEW connections; MINE, to sockets of this node; CARRIED to their home;\n"
	  "DELIVERED, carried here by others; ASKED, handed to the agent; RESET, nobody's;\n"
	  "DROPPED, all other drops; UDP, served here, on ports in its list. Nodes:\n"
	  "packets carried TO and FROM it; RETURNED, it sent them and they were not ours;\n"
	  "CAME BACK, we sent them and they were not its; ASKED BY, flows asked about.\n",
	  "pj", hw_stats },
	{ "flows", "[-p PIN] [-j]",
	  "the strays whose home is known",
	  "Lists the connections that arrive here and are carried to another node: client,\n"
	  "VIP, home, packets carried, and for how long nothing has come. Connections that\n"
	  "are where they belong are in no map and are not listed. In no order.\n",
	  "pj", hw_flows },
	{ "nodes", "[-p PIN] [-j]",
	  "the other nodes and the ways to them",
	  "Lists all nodes: state, when it was last heard, round-trip time, and the MTU,\n"
	  "device and next hop of the path to it. JSON also has what was carried, the path\n"
	  "MTU that was measured, how far its clock is from ours, and why a node cannot be\n"
	  "reached.\n",
	  "pj", hw_nodes },
	{ "vips", "[-p PIN] [-j]",
	  "the addresses that are watched",
	  "Lists the VIPs: address, the TCP ports that are watched and the UDP ports that\n"
	  "are counted, whether this node can see the TCP sockets, all packets, and those\n"
	  "of UDP to the listed ports. If it cannot see the sockets, unknown packets to the\n"
	  "VIP go to the local stack. In JSON \"tcp\" is null for every port, [] for none.\n",
	  "pj", hw_vips },
	{ "check", "[-c FILE] [--node NAME]",
	  "check a config",
	  "Reads the config and its key file and prints every error, as\n"
	  "file:line:column: message. Touches nothing and needs no privileges but to read\n"
	  "the two files.\n",
	  "cn", hw_check },
	{ "keygen", "",
	  "print a new line for the key file",
	  "Prints a new random key as a line for the key file. The first key of the file\n"
	  "signs and all of them are accepted. To roll keys: append the new line on every\n"
	  "node, then move it to the top on every node, then take the old line away.\n",
	  "", hw_keygen },
	{ "help", "[VERB]",
	  "this list, or all about a verb",
	  "Prints the list of verbs, or what a verb does and which options it takes.\n"
	  "`homeward VERB --help` does the latter too.\n",
	  "V", hw_help },
	{ "version", "",
	  "print the version",
	  "Prints the version.\n",
	  "", hw_version },
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* Letters are those of hw_verb.options; a lower-case one other than 'n' is also the short option. */
static const struct option_row {
	char letter;
	const char *name;
	const char *arg; /* NULL: takes none */
	const char *text;
} options[] = {
	{ 'c', "config", "FILE", "the config (default " HW_DEFAULT_CONF ")" },
	{ 'p', "pin", "PIN", "where the maps are pinned (default " HW_DEFAULT_PIN ")" },
	{ 'm', "mode", "MODE", "native, skb, or auto: what the driver can (default auto)" },
	{ 'n', "node", "NAME", "which of the config's nodes this is (default: its `node`)" },
	{ 'C', "chain", NULL, "beside another XDP program, by libxdp's dispatcher" },
	{ 'j', "json", NULL, "print JSON" },
	{ 'h', "help", NULL, "print this" },
};
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct hw_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static bool takes(const struct hw_verb *verb, const struct option_row *o)
{
	return o->letter == 'h' || strchr(verb->options, o->letter);
}

static bool is_short(const struct option_row *o)
{
	return o->letter >= 'a' && o->letter <= 'z' && o->letter != 'n';
}

/* The verb that was probably meant, or NULL: less than half of it may be wrong. */
static const struct hw_verb *nearest_verb(const char *name)
{
	const struct hw_verb *nearest = NULL;
	unsigned least = 0;

	for (size_t i = 0; i < N_VERBS; i++) {
		unsigned d = hw_nearest_distance(verbs[i].name, name);

		if (name[0] && !strncmp(verbs[i].name, name, strlen(name)))
			d = 1; /* it is how the verb begins */
		if (2 * d < strlen(verbs[i].name) + 1 && (!nearest || d < least)) {
			nearest = &verbs[i];
			least = d;
		}
	}
	return nearest;
}

static int unknown_verb(const char *name)
{
	const struct hw_verb *near = nearest_verb(name);

	if (near)
		hw_err("there is no verb '%s'; did you mean `homeward %s`?", name, near->name);
	else
		hw_err("there is no verb '%s'; `homeward help` lists them", name);
	return HW_USAGE;
}

static void print_usage(FILE *out)
{
	fputs("usage: homeward VERB [options]\n"
	      "Keeps TCP connections alive over anycast: carries strays to their home.\n\n", out);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(out, "  %-9s%s\n", verbs[i].name, verbs[i].summary);
	fputs("\n`homeward help VERB` tells more about each, and its options.\n", out);
}

static void print_help(const struct hw_verb *verb)
{
	printf("homeward %s: %s\n\n  homeward %s%s%s\n\n%s\n", verb->name, verb->summary, verb->name,
	       *verb->usage ? " " : "", verb->usage, verb->details);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *o = &options[i];
		char left[32], letter[8] = "    ";

		if (!takes(verb, o))
			continue;
		if (is_short(o))
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-19s%s\n", left, o->text);
	}
	if (strchr(verb->options, 'D'))
		printf("  %-19s%s\n", "DEV...", "network devices");
	puts("\nExit codes: 0 done, 1 the command line or the config is wrong, 2 the system\nrefused.");
}

int hw_help(const struct hw_options *opt)
{
	const struct hw_verb *verb;

	if (!opt->n_args) {
		print_usage(stdout);
		return HW_DONE;
	}
	verb = find_verb(opt->args[0]);
	if (!verb)
		return unknown_verb(opt->args[0]);
	print_help(verb);
	return HW_DONE;
}

int hw_version(const struct hw_options *opt)
{
	puts("homeward " HW_VERSION);
	return HW_DONE;
}

static bool set_mode(struct hw_options *opt, const char *text)
{
	static const char *const modes[] = { [HW_MODE_AUTO] = "auto", [HW_MODE_NATIVE] = "native", [HW_MODE_SKB] = "skb" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(text, modes[i])) {
			opt->mode = (enum hw_mode)i;
			return true;
		}
	}
	return false;
}

/* Set in what getopt_long returns where the long name was used, so that messages can name what was typed. */
#define LONG 0x100

/* What getopt_long did not like is in optopt; 0: a long option that it does not know. */
static void refuse(const struct hw_verb *verb, bool value_missing, char **argv)
{
	char typed[64] = "";

	if (!optopt)
		snprintf(typed, sizeof(typed), "%.*s", (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
	else if (!(optopt & LONG))
		snprintf(typed, sizeof(typed), "-%c", optopt);
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (optopt == (options[i].letter | LONG))
			snprintf(typed, sizeof(typed), "--%s", options[i].name);
	if (value_missing)
		hw_err("%s: %s needs a value; see `homeward help %s`", verb->name, typed, verb->name);
	else if (optopt & LONG)
		hw_err("%s: %s takes no value; see `homeward help %s`", verb->name, typed, verb->name);
	else
		hw_err("%s: there is no option %s here; see `homeward help %s`", verb->name, typed, verb->name);
}

enum parsed { PARSED, PARSED_HELP, PARSED_WRONG };

/* One option, as getopt_long returned it. Errors are said. */
static enum parsed take_option(const struct hw_verb *verb, int got, char **argv, struct hw_options *opt)
{
	switch (got & ~LONG) {
	case 'h': return PARSED_HELP;
	case 'c': opt->conf = optarg; return PARSED;
	case 'p': opt->pin = optarg; return PARSED;
	case 'n': opt->node = optarg; return PARSED;
	case 'C': opt->chain = true; return PARSED;
	case 'j': opt->json = true; return PARSED;
	case 'm':
		if (set_mode(opt, optarg))
			return PARSED;
		hw_err("%s: --mode is native, skb or auto, not '%s'; see `homeward help %s`", verb->name, optarg,
		       verb->name);
		return PARSED_WRONG;
	default:
		refuse(verb, got == ':', argv);
		return PARSED_WRONG;
	}
}

/* argv[0] is the verb. Errors are said. */
static enum parsed parse(const struct hw_verb *verb, int argc, char **argv, struct hw_options *opt)
{
	struct option longs[N_OPTIONS + 1] = {0};
	char shorts[2 + 2 * N_OPTIONS] = ":";
	char *s = shorts + 1;
	enum parsed result;
	int got, n = 0;

	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *o = &options[i];

		if (!takes(verb, o))
			continue;
		longs[n++] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL,
					     o->letter | LONG };
		if (!is_short(o))
			continue;
		*s++ = o->letter;
		if (o->arg)
			*s++ = ':';
	}
	*s = '\0';
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		result = take_option(verb, got, argv, opt);
		if (result != PARSED)
			return result;
	}
	opt->args = argv + optind;
	opt->n_args = argc - optind;
	n = strchr(verb->options, 'D') ? opt->n_args : strchr(verb->options, 'V') ? 1 : 0;
	if (opt->n_args > n) {
		hw_err("%s: '%s' is an argument too many; see `homeward help %s`", verb->name, opt->args[n], verb->name);
		return PARSED_WRONG;
	}
	return PARSED;
}

static int run(int argc, char **argv)
{
	struct hw_options opt = { .conf = HW_DEFAULT_CONF, .pin = HW_DEFAULT_PIN };
	const struct hw_verb *verb;
	const char *name = argv[1];

	if (argc < 2) {
		print_usage(stderr);
		return HW_USAGE;
	}
	if (!strcmp(name, "-h") || !strcmp(name, "--help"))
		name = "help";
	if (!strcmp(name, "-V") || !strcmp(name, "--version"))
		name = "version";
	verb = find_verb(name);
	if (!verb)
		return unknown_verb(name);
	switch (parse(verb, argc - 1, argv + 1, &opt)) {
	case PARSED:
		return verb->run(&opt);
	case PARSED_HELP:
		print_help(verb);
		return HW_DONE;
	default:
		return HW_USAGE;
	}
}

int main(int argc, char **argv)
{
	int ret;

	hw_quiet_libbpf();
	ret = run(argc, argv);
	/* a full disk behind `homeward flows >file` is not a success */
	if (ret == HW_DONE && (fflush(stdout) || ferror(stdout))) {
		hw_err("standard output: could not be written");
		return HW_SYSTEM;
	}
	return ret;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What every file of the loader knows: exit codes, how to complain, the table
 * of verbs, and the options that travel from the command line to a verb.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HW_VERSION      "0.1.0"
#define HW_DEFAULT_CONF "/etc/homeward/homeward.yaml"
#define HW_DEFAULT_PIN  "/sys/fs/bpf/homeward"

/* Exit codes, of the program and of each verb. */
enum hw_exit {
	HW_DONE = 0,
	HW_USAGE = 1,  /* the command line or the config is wrong */
	HW_SYSTEM = 2, /* the system refused */
};

enum hw_mode { HW_MODE_AUTO, HW_MODE_NATIVE, HW_MODE_SKB };

/* The command line, parsed. Strings belong to argv. */
struct hw_options {
	const char *conf;   /* -c FILE */
	const char *pin;    /* -p PIN */
	const char *node;   /* --node NAME; NULL: as the config says */
	enum hw_mode mode;  /* -m */
	bool chain;         /* --chain */
	bool json;          /* -j */
	char **args;        /* what follows: devices, or the verb that help is wanted for */
	int n_args;
};

/* One verb: a row in main.c's table, a function in a file of its own. */
struct hw_verb {
	const char *name;
	const char *usage;   /* what follows the name */
	const char *summary; /* one line */
	const char *details; /* a paragraph for `help VERB` */
	const char *options; /* short letters it takes, of "cpmj"; 'n' is --node, 'C' is --chain, 'D' is devices */
	int (*run)(const struct hw_options *opt);
};

int hw_load(const struct hw_options *opt);
int hw_unload(const struct hw_options *opt);
int hw_agent(const struct hw_options *opt);
int hw_status(const struct hw_options *opt);
int hw_stats(const struct hw_options *opt);
int hw_flows(const struct hw_options *opt);
int hw_nodes(const struct hw_options *opt);
int hw_vips(const struct hw_options *opt);
int hw_check(const struct hw_options *opt);
int hw_keygen(const struct hw_options *opt);
int hw_help(const struct hw_options *opt);
int hw_version(const struct hw_options *opt);

/* Prints "homeward: <message>\n" to standard error: one line, the object first, the remedy last. */
void hw_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with "homeward: warning: ". */
void hw_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with nothing but "homeward: ", for what the agent and load tell in good times. */
void hw_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Cleanup attributes: ownership shows in the declaration. */
void hw_close(int *fd);
void hw_free(void *p); /* p: address of the pointer */
#define hw_autoclose __attribute__((cleanup(hw_close)))
#define hw_autofree  __attribute__((cleanup(hw_free)))

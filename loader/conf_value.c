/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Single values of a config: names, devices, numbers, times and addresses from
 * their text. What is refused is refused with the text to write instead.
 */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "conf_draft.h"

#define SHOWN "%.60s" /* as much of a value as a message repeats */

struct why {
	char *text;
	size_t len;
};

static bool __attribute__((format(printf, 2, 3))) refuse(const struct why *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, why->len, fmt, args);
	va_end(args);
	return false;
}

/* Names are shown in tables, JSON and metrics, and typed on command lines. */
static bool parse_name(const char *text, const struct why *why)
{
	const char *p;

	if (!*text)
		return refuse(why, "empty name: write 1 to %d letters, digits, dots, dashes or underscores",
			      HW_NAME_LEN - 1);
	for (p = text; *p; p++)
		if (!isascii(*p) || (!isalnum((unsigned char)*p) && !strchr("._-", *p)))
			return refuse(why, "\"" SHOWN "\" is not a name: write letters, digits, dots, dashes and "
				      "underscores only", text);
	if (p - text >= HW_NAME_LEN)
		return refuse(why, "\"" SHOWN "\" is too long: a name has at most %d characters", text,
			      HW_NAME_LEN - 1);
	return true;
}

/* What the kernel takes: dev_valid_name() in net/core/dev.c. */
static bool parse_device(const char *text, const struct why *why)
{
	const char *p;

	if (!*text)
		return refuse(why, "empty interface name: write one that `ip link` shows");
	if (strlen(text) >= IFNAMSIZ)
		return refuse(why, "\"" SHOWN "\" is too long: an interface name has at most %d characters", text,
			      IFNAMSIZ - 1);
	for (p = text; *p; p++)
		if (strchr("/:", *p) || (unsigned char)*p <= ' ' || *p == 0x7f)
			break;
	if (*p || !strcmp(text, ".") || !strcmp(text, ".."))
		return refuse(why, "\"" SHOWN "\" is not an interface name: write one that `ip link` shows", text);
	return true;
}

static bool parse_path(const char *text, const struct why *why)
{
	if (!*text)
		return refuse(why, "empty file name: write the path of the key file");
	if (strlen(text) >= PATH_MAX)
		return refuse(why, "file name too long: at most %d characters", PATH_MAX - 1);
	return true;
}

/* Digits only: strtoull() would take blanks, signs and what is behind. Returns what follows them; NULL: no digits. */
static const char *digits(const char *text, uint64_t *out, bool *overflow)
{
	const char *p = text;

	*overflow = false;
	for (*out = 0; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *p - '0', out))
			*overflow = true;
	return p == text ? NULL : p;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out, const struct why *why)
{
	unsigned long long low = min, high = max;
	bool overflow;
	const char *end = digits(text, out, &overflow);

	if (!end || *end)
		return refuse(why, "\"" SHOWN "\" is not a whole number: write digits only, %llu to %llu", text, low,
			      high);
	/* YAML 1.1 reads 010 as eight, people as ten. */
	if (*text == '0' && text[1])
		return refuse(why, "\"" SHOWN "\" begins with 0: write the number without it", text);
	if (overflow || *out < min || *out > max)
		return refuse(why, SHOWN " is out of range: %llu to %llu", text, low, high);
	return true;
}

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "h", 3600000000000ULL },
	{ "m", 60000000000ULL },
	{ "s", 1000000000ULL },
	{ "ms", 1000000ULL },
};
#define N_UNITS (sizeof(units) / sizeof(units[0]))

/* In the largest unit that gives a whole number. */
static char *time_text(uint64_t ns, char *out, size_t len)
{
	size_t i = 0;

	while (i < N_UNITS - 1 && ns % units[i].ns)
		i++;
	snprintf(out, len, "%llu%s", (unsigned long long)(ns / units[i].ns), units[i].name);
	return out;
}

static bool parse_time(const char *text, uint64_t min, uint64_t max, uint64_t *out, const struct why *why)
{
	char low[32], high[32];
	bool overflow;
	const char *end = digits(text, out, &overflow);
	size_t i;

	if (end && !*end)
		return refuse(why, SHOWN " has no unit: write " SHOWN "s, or ms, m or h in place of s", text, text);
	for (i = 0; end && i < N_UNITS; i++)
		if (!strcmp(end, units[i].name))
			break;
	if (!end || i == N_UNITS)
		return refuse(why, "\"" SHOWN "\" is not a time: write a whole number and ms, s, m or h, as in 300s",
			      text);
	if (__builtin_mul_overflow(*out, units[i].ns, out) || overflow || *out < min || *out > max)
		return refuse(why, SHOWN " is out of range: %s to %s", text, time_text(min, low, sizeof(low)),
			      time_text(max, high, sizeof(high)));
	return true;
}

static bool parse_address(const char *text, struct hw_addr *out, const struct why *why)
{
	char plain[HW_ADDR_LEN];
	const char *martian;

	if (hw_addr_parse_mapped(text, out))
		return refuse(why, "\"" SHOWN "\" is an IPv4-mapped address: write %s", text,
			      hw_addr_text(out, plain));
	if (!hw_addr_parse(text, out)) {
		if (strchr(text, '/'))
			return refuse(why, "\"" SHOWN "\" is not an address: write it without a prefix length", text);
		return refuse(why, "\"" SHOWN "\" is not an address: write one like 203.0.113.1 or 2001:db8:113::1",
			      text);
	}
	martian = hw_addr_martian(out);
	if (martian)
		return refuse(why, SHOWN " is %s %s address: write a unicast address that routers carry", text,
			      *martian == 'u' ? "an" : "a", martian);
	return true;
}

bool conf_value_parse(enum conf_type type, uint64_t min, uint64_t max, const char *text,
		      struct conf_value *out, char *why_text, size_t why_len)
{
	const struct why why = { why_text, why_len };

	out->text = text;
	switch (type) {
	case CONF_NAME:
		return parse_name(text, &why);
	case CONF_DEVICE:
		return parse_device(text, &why);
	case CONF_PATH:
		return parse_path(text, &why);
	case CONF_NUMBER:
		return parse_number(text, min, max, &out->number, &why);
	case CONF_TIME:
		return parse_time(text, min, max, &out->number, &why);
	case CONF_ADDRESS:
		return parse_address(text, &out->addr, &why);
	case CONF_MAP:
		break;
	}
	return refuse(&why, "not a single value");
}

bool conf_value_equal(enum conf_type type, const struct conf_value *a, const struct conf_value *b)
{
	switch (type) {
	case CONF_NUMBER:
	case CONF_TIME:
		return a->number == b->number;
	case CONF_ADDRESS:
		return hw_addr_equal(&a->addr, &b->addr);
	default:
		return !strcmp(a->text, b->text);
	}
}

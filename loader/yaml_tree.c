/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From libyaml's events to a tree. The stream is read with a stack of the open
 * lists and mappings, never by recursion, and both depth and size are limited:
 * libyaml's time grows with the square of the depth.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "yaml_tree.h"

#define DEPTH_MAX 32    /* a config needs 4 */
#define NODES_MAX 65536 /* the largest config needs a third of that */

struct building {
	yaml_parser_t parser;
	const char *text;
	struct hw_diag *diag;
	struct hw_yaml *root;
	struct hw_yaml *open[DEPTH_MAX];
	unsigned depth;
	unsigned nodes;
	unsigned documents;
};

enum step { GO_ON, END, STOP }; /* STOP: noted in diag, the tree is of no use */

/* What to do about libyaml's terser complaints. */
static const char *remedy(const char *problem)
{
	if (strstr(problem, "cannot start any token"))
		return ": indent with spaces, not tabs, and quote text that begins with a special character";
	if (strstr(problem, "tab character"))
		return ": indent with spaces, not tabs";
	if (strstr(problem, "mapping values are not allowed"))
		return ": check the indentation, and quote text with a colon at its end";
	if (strstr(problem, "did not find expected"))
		return ": check the indentation and the brackets";
	return "";
}

/* A byte that is not UTF-8 text: libyaml gives its offset only. */
static void note_bad_byte(struct building *b)
{
	const char *p = b->text, *end = p + b->parser.problem_offset;
	unsigned line = 1, column = 1;

	for (; p < end; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			column++;
		}
	}
	hw_diag_add(b->diag, line, column, "not plain UTF-8 text (%s): save the file as UTF-8", b->parser.problem);
}

static void note_syntax_error(struct building *b)
{
	const yaml_parser_t *p = &b->parser;

	if (p->error == YAML_READER_ERROR)
		note_bad_byte(b);
	else if (p->error == YAML_MEMORY_ERROR || !p->problem)
		b->diag->lost = true;
	else if (p->context)
		hw_diag_add(b->diag, p->problem_mark.line + 1, p->problem_mark.column + 1,
			    "not valid YAML: %s %s that began on line %zu%s", p->problem, p->context,
			    p->context_mark.line + 1, remedy(p->problem));
	else
		hw_diag_add(b->diag, p->problem_mark.line + 1, p->problem_mark.column + 1, "not valid YAML: %s%s",
			    p->problem, remedy(p->problem));
}

/* Puts a new node where the stream is. NULL: the limit is reached (noted). */
static struct hw_yaml *add(struct building *b, enum hw_yaml_kind kind, const yaml_mark_t *mark)
{
	struct hw_yaml *node, *parent = b->depth ? b->open[b->depth - 1] : NULL;

	if (++b->nodes > NODES_MAX) {
		hw_diag_add(b->diag, mark->line + 1, mark->column + 1, "too many values: the most is %d", NODES_MAX);
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		b->diag->lost = true;
		return NULL;
	}
	node->kind = kind;
	node->line = mark->line + 1;
	node->column = mark->column + 1;
	if (!parent)
		b->root = node;
	else if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	if (parent)
		parent->last = node;
	return node;
}

static void refuse_properties(struct building *b, const yaml_mark_t *mark, const yaml_char_t *anchor,
			      const yaml_char_t *tag)
{
	if (anchor)
		hw_diag_add(b->diag, mark->line + 1, mark->column + 1,
			    "anchor &%.40s: anchors and aliases are not taken here: write each value out",
			    (const char *)anchor);
	if (tag)
		hw_diag_add(b->diag, mark->line + 1, mark->column + 1,
			    "tag %.40s: tags are not taken here: write the plain value", (const char *)tag);
}

static enum step on_scalar(struct building *b, const yaml_event_t *ev)
{
	struct hw_yaml *node = add(b, HW_YAML_SCALAR, &ev->start_mark);

	if (!node)
		return STOP;
	refuse_properties(b, &ev->start_mark, ev->data.scalar.anchor, ev->data.scalar.tag);
	node->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = strdup((const char *)ev->data.scalar.value);
	if (!node->text) {
		b->diag->lost = true;
		return STOP;
	}
	/* "\0" in double quotes */
	if (strlen(node->text) != ev->data.scalar.length) {
		hw_diag_add(b->diag, node->line, node->column, "text with a NUL character in it: take it out");
		node->kind = HW_YAML_BAD;
	}
	return GO_ON;
}

static enum step on_alias(struct building *b, const yaml_event_t *ev)
{
	hw_diag_add(b->diag, ev->start_mark.line + 1, ev->start_mark.column + 1,
		    "alias *%.40s: anchors and aliases are not taken here: write each value out",
		    (const char *)ev->data.alias.anchor);
	return add(b, HW_YAML_BAD, &ev->start_mark) ? GO_ON : STOP;
}

static enum step on_open(struct building *b, enum hw_yaml_kind kind, const yaml_event_t *ev)
{
	struct hw_yaml *node;

	if (b->depth == DEPTH_MAX) {
		hw_diag_add(b->diag, ev->start_mark.line + 1, ev->start_mark.column + 1,
			    "nested more than %d deep: a config needs 4 levels", DEPTH_MAX);
		return STOP;
	}
	node = add(b, kind, &ev->start_mark);
	if (!node)
		return STOP;
	if (kind == HW_YAML_LIST)
		refuse_properties(b, &ev->start_mark, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
	else
		refuse_properties(b, &ev->start_mark, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
	b->open[b->depth++] = node;
	return GO_ON;
}

static enum step on_document(struct building *b, const yaml_event_t *ev)
{
	if (!b->documents++)
		return GO_ON;
	hw_diag_add(b->diag, ev->start_mark.line + 1, ev->start_mark.column + 1,
		    "a second YAML document: put everything into one, without a `---` between");
	return END;
}

static enum step on_event(struct building *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(b, ev);
	case YAML_ALIAS_EVENT:
		return on_alias(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, HW_YAML_LIST, ev);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, HW_YAML_MAP, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return GO_ON;
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, ev);
	case YAML_STREAM_END_EVENT:
		return END;
	default:
		return GO_ON;
	}
}

struct hw_yaml *hw_yaml_parse(const char *text, size_t len, struct hw_diag *diag)
{
	struct building b = { .text = text, .diag = diag };
	enum step step = GO_ON;
	yaml_event_t ev;

	/* A byte order mark would shift the columns of the first line. */
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		b.text += 3;
		len -= 3;
	}
	if (!yaml_parser_initialize(&b.parser)) {
		diag->lost = true;
		return NULL;
	}
	/* Said, not guessed from the first bytes: UTF-16 is refused. */
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)b.text, len);
	while (step == GO_ON) {
		if (!yaml_parser_parse(&b.parser, &ev)) {
			note_syntax_error(&b);
			step = STOP;
			break;
		}
		step = on_event(&b, &ev);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&b.parser);
	if (step == STOP) {
		hw_yaml_free(b.root);
		return NULL;
	}
	return b.root;
}

/* As deep as DEPTH_MAX at most. */
void hw_yaml_free(struct hw_yaml *root)
{
	struct hw_yaml *child, *next;

	if (!root)
		return;
	for (child = root->first; child; child = next) {
		next = child->next;
		hw_yaml_free(child);
	}
	free(root->text);
	free(root);
}

bool hw_yaml_is_null(const struct hw_yaml *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	size_t i;

	if (node->kind != HW_YAML_SCALAR || !node->plain)
		return false;
	for (i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		if (!strcmp(node->text, nulls[i]))
			return true;
	return false;
}

const struct hw_yaml *hw_yaml_get(const struct hw_yaml *map, const char *key)
{
	const struct hw_yaml *k;

	if (map->kind != HW_YAML_MAP)
		return NULL;
	for (k = map->first; k; k = k->next->next)
		if (k->kind == HW_YAML_SCALAR && !strcmp(k->text, key))
			return k->next;
	return NULL;
}

/*
 * option_show.c - what a table of options holds, as YAML and as a part of the
 * manual.
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include "conf/option.h"

#include <ctype.h>
#include <stdio.h>

#include "base/buf.h"

/* --- YAML ---------------------------------------------------------------- */

static bool
char_is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		(c >= 'a' && c <= 'z') ||
		(c != '\0' && strchr("_./@+-", c) != NULL);
}

/* Text that needs no quotes, wherever it stands. */
static bool
text_is_plain(struct str text)
{
	if (text.n == 0 || strchr(".@+-", text.p[0]) != NULL)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (!char_is_plain((unsigned char)text.p[i]))
			return false;
	return true;
}

/* Characters beyond ASCII that YAML takes for line breaks, or refuses; returns
 * their length in UTF-8, 0 for any other. */
static size_t
special_at(struct str rest, unsigned *code_out)
{
	const unsigned char *p = (const unsigned char *)rest.p;

	if (rest.n >= 2 && p[0] == 0xc2 && p[1] <= 0xa0) {
		*code_out = p[1];
		return 2;
	}
	if (rest.n < 3)
		return 0;
	*code_out = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	if ((p[0] == 0xe2 || p[0] == 0xef) &&
		(*code_out == 0x2028 || *code_out == 0x2029 ||
			*code_out == 0xfeff || *code_out >= 0xfffe))
		return 3;
	return 0;
}

static void
text_quoted(struct buf *out, struct str text)
{
	buf_add_c(out, "\"");
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		unsigned code;
		size_t n = special_at(
			(struct str){ text.p + i, text.n - i }, &code);

		if (n > 0) {
			buf_printf(out, "\\u%04X", code);
			i += n - 1;
		} else if (c < 0x20 || c == 0x7f) {
			buf_printf(out, "\\x%02X", c);
		} else if (c == '"' || c == '\\') {
			buf_printf(out, "\\%c", c);
		} else {
			buf_add(out, &text.p[i], 1);
		}
	}
	buf_add_c(out, "\"");
}

void
option_quote(struct buf *out, struct str text)
{
	if (text_is_plain(text))
		buf_add_str(out, text);
	else
		text_quoted(out, text);
}

static void
list_show(const struct option_list *list, struct buf *out)
{
	if (list->n == 0) {
		buf_add_c(out, "[]");
		return;
	}
	buf_add_c(out, "[ ");
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			buf_add_c(out, ", ");
		option_quote(out, str_c(list->items[i]));
	}
	buf_add_c(out, " ]");
}

void
option_value(const struct option *o, const void *base, struct buf *out)
{
	const void *at = (const char *)base + o->off;

	switch (o->type) {
	case OPT_SWITCH:
		buf_add_c(out, *(const bool *)at ? "yes" : "no");
		break;
	case OPT_INT:
		buf_printf(out, "%lld", (long long)*(const int64_t *)at);
		break;
	case OPT_SIZE:
		size_show(out, *(const uint64_t *)at);
		break;
	case OPT_DURATION:
		duration_show(out, *(const int64_t *)at);
		break;
	case OPT_TEXT:
	case OPT_PATH:
	case OPT_JID:
	case OPT_DOMAIN:
	case OPT_MACHINE:
	case OPT_NETWORK:
		option_quote(out, str_c(*(const char *const *)at));
		break;
	case OPT_CHOICE:
		option_quote(out, str_c(o->choices[*(const int *)at]));
		break;
	case OPT_LIST:
		if (o->alone && ((const struct option_list *)at)->n == 1)
			option_quote(out,
				str_c(((const struct option_list *)at)
						->items[0]));
		else
			list_show(at, out);
		break;
	}
}

static bool
value_is_unset(const struct option *o, const void *base)
{
	const void *at = (const char *)base + o->off;

	switch (o->type) {
	case OPT_TEXT:
	case OPT_PATH:
	case OPT_JID:
	case OPT_DOMAIN:
	case OPT_MACHINE:
	case OPT_NETWORK:
		return *(const char *const *)at == NULL;
	default:
		return false;
	}
}

void
option_show(const struct option *table, const void *base, struct buf *out,
	int indent)
{
	const struct option *o;

	for (o = table; o != NULL && o->name != NULL; o++) {
		bool unset = value_is_unset(o, base);

		buf_printf(out, "%*s%s%s:", indent, "",
			unset || o->secret ? "# " : "", o->name);
		if (unset) {
			buf_add_c(out, " not set");
		} else if (o->secret) {
			buf_add_c(out, " set, not shown");
		} else {
			buf_add_c(out, " ");
			option_value(o, base, out);
		}
		buf_add_c(out, "\n");
	}
}

/* --- mdoc(7) ------------------------------------------------------------- */

/* Text inside a line of the manual; quoted, it is one argument of a macro. */
static void
mdoc_text(struct buf *out, const char *text, bool quoted)
{
	if (quoted)
		buf_add_c(out, "\"");
	else if (*text == '.' || *text == '\'')
		buf_add_c(out, "\\&");
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			buf_add_c(out, "\\e");
		else if (*text == '"' && quoted)
			buf_add_c(out, "\\(dq");
		else
			buf_add(out, text, 1);
	}
	if (quoted)
		buf_add_c(out, "\"");
}

static void
mdoc_literal(struct buf *out, const char *before, const char *text,
	const char *after)
{
	buf_printf(out, "%s\n.Ql ", before);
	mdoc_text(out, text, true);
	buf_printf(out, "%s\n", after);
}

static const char *
type_name(enum option_type type)
{
	static const char *const names[] = {
		[OPT_SWITCH] = "switch",
		[OPT_INT] = "number",
		[OPT_SIZE] = "size",
		[OPT_DURATION] = "duration",
		[OPT_TEXT] = "text",
		[OPT_PATH] = "file",
		[OPT_JID] = "address",
		[OPT_DOMAIN] = "domain",
		[OPT_MACHINE] = "machine",
		[OPT_NETWORK] = "network",
		[OPT_CHOICE] = "choice",
		[OPT_LIST] = "list",
	};

	return names[type];
}

static void
mdoc_choices(const struct option *o, struct buf *out)
{
	buf_add_c(out, "One of\n");
	for (size_t i = 0; o->choices[i] != NULL; i++) {
		buf_add_c(out, ".Cm ");
		mdoc_text(out, o->choices[i], true);
		buf_add_c(out, o->choices[i + 1] != NULL ? " ,\n" : " .\n");
	}
}

static void
mdoc_range(const struct option *o, struct buf *out)
{
	const char *what = o->type == OPT_LIST ? "Number of items" :
		o->type == OPT_TEXT	       ? "Bytes" :
						 "Range";
	char head[40];

	if (o->min == NULL && o->max == NULL)
		return;
	snprintf(head, sizeof(head), "%s: %s", what,
		o->min == NULL	       ? "at most" :
			o->max == NULL ? "at least" :
					 "from");
	mdoc_literal(out, head, o->min != NULL ? o->min : o->max,
		o->min != NULL && o->max != NULL ? "" : " .");
	if (o->min != NULL && o->max != NULL)
		mdoc_literal(out, "to", o->max, " .");
}

static void
mdoc_default(const struct option *o, struct buf *out)
{
	if (o->required)
		buf_add_c(out, "Required.\n");
	else if (o->dflt == NULL || *o->dflt == '\0')
		buf_add_c(out, "Default: none.\n");
	else
		mdoc_literal(out, "Default:", o->dflt, " .");
}

static void
mdoc_option(const struct option *o, struct buf *out)
{
	char first[2] = { (char)toupper((unsigned char)o->help[0]), '\0' };

	buf_printf(out, ".It Ic %s : Ar %s", o->name, type_name(o->type));
	if (o->type == OPT_LIST)
		buf_printf(out, " No of Ar %s", type_name(o->item));
	buf_add_c(out, "\n");
	mdoc_text(out, first, false);
	mdoc_text(out, o->help + (first[0] != '\0'), false);
	buf_add_c(out, ".\n");
	if (o->alone)
		buf_add_c(out, "One may stand without brackets.\n");
	if (o->choices != NULL)
		mdoc_choices(o, out);
	mdoc_default(o, out);
	mdoc_range(o, out);
	if (o->most != NULL)
		buf_printf(out,
			"Not above\n.Ic %s ;\nwhere only one of the two is set, "
			"the other follows.\n",
			o->most);
	if (o->example != NULL)
		mdoc_literal(out, "Example:", o->example, " .");
}

void
option_mdoc(const struct option *table, struct buf *out)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++)
		mdoc_option(o, out);
}

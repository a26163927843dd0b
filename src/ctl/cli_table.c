/*
 * cli_table.c - answers for people: a table with a line for each row, or, where
 * that would be too wide for one row, or for figures, a line for each field.
 */
#include "config.h"

#include <string.h>

#include "base/mem.h"
#include "ctl/cli.h"

#define COLUMNS_MAX 64
#define WIDTH_MAX 80
#define GAP 2
#define NUMBER_TEXT 24

struct column {
	const char *name; /* of the first row that has it */
	int width;
	bool is_number;
};

struct table {
	struct column columns[COLUMNS_MAX];
	size_t n;
};

/* --- texts -------------------------------------------------------------- */

/* Characters, which is close enough to columns of the terminal. */
static int
text_width(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* What a user has chosen must not move the cursor: C0, DEL, and C1, which is
 * 0xc2 0x80 to 0x9f in UTF-8. */
void
cli_text_print(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)text[0];
		unsigned char next = (unsigned char)text[1];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f) {
			putc('?', out);
		} else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			putc('?', out);
			text++;
		} else {
			putc(c, out);
		}
	}
}

static const char *
value_text(const json_t *value, char number[NUMBER_TEXT])
{
	if (json_is_string(value))
		return json_string_value(value);
	if (!json_is_integer(value))
		return "";
	snprintf(number, NUMBER_TEXT, "%lld",
		(long long)json_integer_value(value));
	return number;
}

/* --- columns ------------------------------------------------------------ */

static struct column *
table_column(struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->columns[i].name, name) == 0)
			return &t->columns[i];
	}
	if (t->n == COLUMNS_MAX)
		return NULL;
	t->columns[t->n] = (struct column){ name, text_width(name), true };
	return &t->columns[t->n++];
}

static void
table_measure(struct table *t, json_t *rows)
{
	char number[NUMBER_TEXT];
	json_t *row, *value;
	const char *name;
	size_t i;

	json_array_foreach (rows, i, row) {
		json_object_foreach (row, name, value) {
			struct column *c = table_column(t, name);
			int width = text_width(value_text(value, number));

			if (c == NULL)
				continue;
			c->is_number = c->is_number && json_is_integer(value);
			if (width > c->width)
				c->width = width;
		}
	}
}

static void
cell_print(FILE *out, const struct column *c, const char *text, bool last)
{
	int fill = c->width - text_width(text);

	if (c->is_number && fill > 0)
		fprintf(out, "%*s", fill, "");
	cli_text_print(out, text);
	if (!last)
		fprintf(out, "%*s", (c->is_number ? 0 : fill) + GAP, "");
}

static void
table_lines(FILE *out, const struct table *t, json_t *rows)
{
	char number[NUMBER_TEXT];
	json_t *row;
	size_t i;

	for (size_t n = 0; n < t->n; n++)
		cell_print(out, &t->columns[n], t->columns[n].name,
			n + 1 == t->n);
	putc('\n', out);
	json_array_foreach (rows, i, row) {
		for (size_t n = 0; n < t->n; n++) {
			const json_t *value =
				json_object_get(row, t->columns[n].name);

			cell_print(out, &t->columns[n],
				value_text(value, number), n + 1 == t->n);
		}
		putc('\n', out);
	}
}

/* The columns of a table that stands upright: one of names, one for each row,
 * all as wide as the widest value.  Returns the width of the whole. */
static int
upright_measure(const struct table *t, json_t *rows, struct column *head,
	struct column *cell)
{
	char number[NUMBER_TEXT];
	json_t *row, *value;
	const char *name;
	size_t i;

	*head = (struct column){ .width = 0 };
	*cell = (struct column){ .is_number = json_array_size(rows) > 1 };
	for (size_t n = 0; n < t->n; n++)
		head->width = MAX(head->width, text_width(t->columns[n].name));
	json_array_foreach (rows, i, row) {
		json_object_foreach (row, name, value)
			cell->width = MAX(cell->width,
				text_width(value_text(value, number)));
	}
	return head->width + (int)json_array_size(rows) * (GAP + cell->width);
}

static void
table_upright(FILE *out, const struct table *t, json_t *rows)
{
	struct column head, cell;
	char number[NUMBER_TEXT];
	json_t *row;
	size_t i;

	upright_measure(t, rows, &head, &cell);
	for (size_t n = 0; n < t->n; n++) {
		const char *name = t->columns[n].name;

		cell_print(out, &head, name, false);
		json_array_foreach (rows, i, row)
			cell_print(out, &cell,
				value_text(json_object_get(row, name), number),
				i + 1 == json_array_size(rows));
		putc('\n', out);
	}
}

/* One row, or figures that fit when each row becomes a column. */
static bool
table_stands_well(const struct table *t, json_t *rows)
{
	struct column head, cell;

	if (json_array_size(rows) == 1)
		return true;
	for (size_t n = 0; n < t->n; n++) {
		if (!t->columns[n].is_number)
			return false;
	}
	return upright_measure(t, rows, &head, &cell) <= WIDTH_MAX;
}

void
cli_table_print(FILE *out, json_t *rows)
{
	struct table t = { .n = 0 };
	int width = 0;

	if (json_array_size(rows) == 0)
		return;
	table_measure(&t, rows);
	for (size_t n = 0; n < t.n; n++)
		width += t.columns[n].width + GAP;
	if (width > WIDTH_MAX && table_stands_well(&t, rows))
		table_upright(out, &t, rows);
	else
		table_lines(out, &t, rows);
}

/*
 * cli_table.c - answers for people, in lines that fit a terminal of 80 columns: a
 * table with a line for each row; where that would be too wide, a line for each
 * field of a single row, or of figures, and else rows of several lines.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "antiphonctl/cli.h"

#define COLUMNS_MAX 64
#define WIDTH_MAX 80
#define GAP 2
#define INDENT 2 /* of the second line of a row, and those behind it */
#define NUMBER_TEXT 24

struct column {
	const char *name; /* of the first row that has it */
	int width;
	int start; /* in its line */
	bool is_number;
	bool is_last; /* of its line */
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

/* How long what text begins with is, if it would move the cursor, or turn the text round
 * that follows: C0, DEL, C1, and embeddings, overrides and isolates; else 0. */
static size_t
control_bytes(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] < 0x80)
		return (c[0] < ' ' && c[0] != '\n' && c[0] != '\t') || c[0] == 0x7f;
	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	/* U+202A to U+202E, U+2066 to U+2069 */
	if (c[0] == 0xe2 && ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
		(c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)))
		return 3;
	return 0;
}

/* What a user has chosen must not do that. */
void
cli_text_print(FILE *out, const char *text)
{
	while (*text != '\0') {
		size_t n = control_bytes(text);

		putc(n != 0 ? '?' : *text, out);
		text += n != 0 ? n : 1;
	}
}

/* Of a cell: nor is it to end the line, and look like other cells in the next one. */
static void
line_print(FILE *out, const char *text)
{
	char *line = str_dup(str_c(text));

	for (char *c = line; *c != '\0'; c++) {
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	}
	cli_text_print(out, line);
	free(line);
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
	t->columns[t->n] = (struct column){ .name = name,
		.width = text_width(name), .is_number = true };
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

/* The columns go on in a further line where the one before is full. */
static void
table_fold(struct table *t)
{
	int at = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct column *c = &t->columns[i];

		if (i != 0 && at + c->width > WIDTH_MAX) {
			t->columns[i - 1].is_last = true;
			at = INDENT;
		}
		c->start = at;
		at += c->width + GAP;
	}
	if (t->n != 0)
		t->columns[t->n - 1].is_last = true;
}

/* --- printing ----------------------------------------------------------- */

static void
word_print(FILE *out, const char *text, size_t n)
{
	char *word = str_dup((struct str){ text, n });

	line_print(out, word);
	free(word);
}

/* Words in lines that end before the edge and begin below the first. */
static void
words_print(FILE *out, const char *text, int start)
{
	int at = start;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		int width = text_width(text) - text_width(text + n);

		if (at != start && at + 1 + width > WIDTH_MAX) {
			fprintf(out, "\n%*s", start, "");
			at = start;
		} else if (at != start) {
			putc(' ', out);
			at++;
		}
		word_print(out, text, n);
		at += width;
		text += n;
		text += strspn(text, " ");
	}
}

static void
cell_print(FILE *out, const struct column *c, const char *text)
{
	int fill = c->width - text_width(text);

	if (c->is_number && fill > 0)
		fprintf(out, "%*s", fill, "");
	if (c->is_last && c->start + text_width(text) > WIDTH_MAX)
		words_print(out, text, c->start);
	else
		line_print(out, text);
	if (!c->is_last)
		fprintf(out, "%*s", (c->is_number ? 0 : fill) + GAP, "");
}

/* row NULL: the names of the columns. */
static void
row_print(FILE *out, const struct table *t, const json_t *row)
{
	char number[NUMBER_TEXT];

	for (size_t n = 0; n < t->n; n++) {
		const struct column *c = &t->columns[n];

		if (n != 0 && t->columns[n - 1].is_last)
			fprintf(out, "\n%*s", c->start, "");
		cell_print(out, c,
			row == NULL ? c->name :
				      value_text(json_object_get(row, c->name),
					      number));
	}
	putc('\n', out);
}

static void
table_lines(FILE *out, const struct table *t, json_t *rows)
{
	json_t *row;
	size_t i;

	row_print(out, t, NULL);
	json_array_foreach (rows, i, row)
		row_print(out, t, row);
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
	cell->start = head->width + GAP;
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

		cell_print(out, &head, name);
		json_array_foreach (rows, i, row) {
			cell.is_last = i + 1 == json_array_size(rows);
			cell_print(out, &cell,
				value_text(json_object_get(row, name), number));
		}
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
	if (width - GAP > WIDTH_MAX && table_stands_well(&t, rows)) {
		table_upright(out, &t, rows);
	} else {
		table_fold(&t);
		table_lines(out, &t, rows);
	}
}

/*
 * command_visit.c - the answer of a command that asks every shard for rows.
 *
 * One shard after the other has the call, and what it says is kept: a door is
 * spoken to on shard 0 alone.
 */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/entity.h"
#include "command/command.h"
#include "command/command_int.h"

struct command_rows {
	void (*each)(struct command_call *call, struct entity *e);
	struct buf cells; /* each a struct cell, then its text */
};

struct cell {
	const char *name; /* NULL: a row begins */
	uint32_t n;
	bool is_number;
};

void
command_keep(struct command_call *call, const char *name, struct str text,
	bool is_number)
{
	struct cell cell = { name, (uint32_t)text.n, is_number };

	buf_add(&call->rows->cells, &cell, sizeof(cell));
	buf_add_str(&call->rows->cells, text);
}

static void
on_entity(struct entity *e, void *arg)
{
	struct command_call *call = command_call_arg(arg);

	call->rows->each(call, e);
}

static void
on_visited(struct shard *sh, void *arg)
{
	struct command_call *call = command_call_arg(arg);
	struct command_rows *rows = call->rows;
	struct str left = buf_str(&rows->cells);
	struct cell cell;

	(void)sh;
	while (left.n != 0) {
		memcpy(&cell, left.p, sizeof(cell));
		left.p += sizeof(cell);
		left.n -= sizeof(cell);
		if (cell.name == NULL)
			call->row(call);
		else
			call->field(call, cell.name,
				(struct str){ left.p, cell.n }, cell.is_number);
		left.p += cell.n;
		left.n -= cell.n;
	}
	buf_done(&rows->cells);
	free(rows);
	call->rows = NULL;
	command_done(call);
}

void
command_visit(struct command_call *call, const struct entity_class *class,
	struct str domain,
	void (*each)(struct command_call *call, struct entity *e))
{
	call->rows = xcalloc(1, sizeof(*call->rows));
	call->rows->each = each;
	entity_visit_all(call->shard, class, domain, on_entity, on_visited,
		call);
}

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
#include "core/place.h"
#include "core/shard.h"
#include "command/command.h"
#include "command/command_int.h"

struct command_rows {
	void (*each)(struct command_call *call, struct entity *e); /* or NULL */
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

/* Shard 0. */
static void
rows_show(struct command_call *call)
{
	struct command_rows *rows = call->rows;
	struct str left = buf_str(&rows->cells);
	struct cell cell;

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
	rows->cells.n = 0;
}

static void
rows_end(struct command_call *call)
{
	rows_show(call);
	buf_done(&call->rows->cells);
	free(call->rows);
	call->rows = NULL;
	command_done(call);
}

static void
on_visited(struct shard *sh, void *arg)
{
	(void)sh;
	rows_end(command_call_arg(arg));
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

/* --- in parts ------------------------------------------------------------------ */

struct walk {
	struct command_call *call;
	bool (*some)(struct command_call *call, struct shard *sh,
		uint64_t *at_io);
	uint64_t at;
	unsigned first, n; /* where it has begun; shards that are done */
	bool more;      /* there */
};

static void walk_go_on(struct walk *w);

static void
on_walked(struct shard *first, void *arg)
{
	struct walk *w = arg;
	struct command_call *call = command_call_arg(w->call);

	if (!w->more) {
		w->at = 0;
		w->n++;
	}
	if (w->n < first->server->n_shards) {
		rows_show(call);
		walk_go_on(w);
	} else {
		free(w);
		rows_end(call);
	}
}

static void
on_walk(struct shard *sh, void *arg)
{
	struct walk *w = arg;

	w->more = w->some(w->call, sh, &w->at);
	shard_post(w->call->shard, on_walked, w, w->call->rows->cells.n);
}

static void
walk_go_on(struct walk *w)
{
	const struct server *srv = w->call->server;
	struct place there = {
		.shard = (uint16_t)((w->first + w->n) % srv->n_shards),
	};

	place_post(srv, there, on_walk, w, 0);
}

void
command_walk(struct command_call *call, unsigned first,
	bool (*some)(struct command_call *call, struct shard *sh, uint64_t *at_io))
{
	struct walk *w = xcalloc(1, sizeof(*w));

	call->rows = xcalloc(1, sizeof(*call->rows));
	w->call = call;
	w->first = first;
	w->some = some;
	walk_go_on(w);
}

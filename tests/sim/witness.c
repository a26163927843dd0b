/*
 * witness.c - a client of a world that writes down what it gets.
 */
#include "config.h"

#include "witness.h"

#include "base/arena.h"
#include "xml/elem.h"
#include "core/server.h"
#include "core/shard.h"
#include "unit/test.h"

#define TURNS 64

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct witness *x = c->user;
	struct elem *copy = elem_first_child(e);
	struct str name = e->name, id, type;
	bool error;

	if (copy != NULL && str_is(copy->ns, NS_CARBONS)) {
		name = copy->name;
		e = elem_child(elem_first_child(copy), NS_CLIENT, "message");
	}
	id = elem_attr(e, "id");
	type = elem_attr(e, "type");
	error = str_eq(type, STR("error"));

	if (str_starts(id, STR("push-")))
		id = STR("push");
	if (x->sees_all && id.p == NULL)
		id = type;
	if (id.p != NULL && (x->sees_all || !str_eq(id, STR("roster"))))
		buf_printf(&x->seen, "%.*s:%.*s%s ", STR_ARG(name),
			STR_ARG(id), error ? "!" : "");
	arena_free(a);
}

void
witness_turn(struct witness *x)
{
	for (int i = 0; i < 8; i++) {
		world_settle(x->c.world);
		client_read(&x->c);
	}
}

static void
witness_begin(struct witness *x, struct world *w, const char *local,
	const char *resource)
{
	*x = (struct witness){ .seen = BUF_INIT };
	client_init(&x->c, w, local, resource);
	x->c.on_stanza = on_stanza;
	x->c.user = x;
}

static void
witness_connect(struct witness *x)
{
	client_connect(&x->c);
	witness_turn(x);
	CHECK(x->c.state == CLIENT_ONLINE);
}

void
witness_start(struct witness *x, struct world *w, const char *local)
{
	witness_begin(x, w, local, "r");
	witness_connect(x);
}

void
witness_start_copied(struct witness *x, struct world *w, const char *local)
{
	witness_begin(x, w, local, "copied");
	x->c.copies = true;
	witness_connect(x);
	seen_anew(x);
}

void
witness_start_at(
	struct witness *x, struct world *w, const char *local, int priority)
{
	witness_begin(x, w, local, "r");
	x->c.priority = priority;
	x->sees_all = true;
	witness_connect(x);
}

const char *
seen(struct witness *x)
{
	client_read(&x->c);
	return buf_c(&x->seen);
}

void
seen_anew(struct witness *x)
{
	witness_turn(x);
	buf_consume(&x->seen, x->seen.n);
}

bool
witness_disk(void *arg, bool writes)
{
	struct faults *f = arg;
	unsigned *n = writes ? &f->writes : &f->reads;

	if (*n == 0)
		return false;
	--*n;
	return true;
}

void
witness_done(struct witness *x)
{
	client_leave(&x->c);
	witness_turn(x);
	client_done(&x->c);
	buf_done(&x->seen);
}

void
turn_shards(struct world *w)
{
	for (unsigned i = 0; i < TURNS; i++)
		shard_turn(w->server->shards[i % w->n_shards]);
}

struct world *
world_of_two(uint64_t seed, const char *module_dir, const char *conf)
{
	struct world *w = world_new(seed, 2, module_dir, conf);

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	return w;
}

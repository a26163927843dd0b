/*
 * muc_maker.c - who has made a room.
 */
#include "config.h"

#include "muc_maker.h"

#include "muc_accounts.h"
#include "room.h"

static struct store_place
made_by(struct jid user)
{
	return (struct store_place){ jid_domain(user), jid_local(user),
		STR(MAP_ROOMS_MADE) };
}

static struct str
number_text(struct arena *a, uint32_t n)
{
	return arena_printf(a, "%u", (unsigned)n);
}

void
maker_done(struct room_maker *m)
{
	free(m->user);
	*m = (struct room_maker){ .user = NULL };
}

void
maker_set(struct room_maker *m, struct jid user, uint32_t as)
{
	maker_done(m);
	m->user = str_dup(jid_bare_str(user));
	m->as = as;
}

/* One that was damaged is nobody's. */
void
maker_take(struct room_maker *m, struct str value)
{
	struct arena *a = arena_new();
	const struct elem *made = stored_read(a, value);
	struct jid user;
	long long as;

	maker_done(m);
	if (made != NULL && elem_is(made, NS_MUC, "made") &&
		jid_parse(&user, a, elem_attr(made, "by"), NULL) &&
		str_to_int(elem_attr(made, "as"), 0, UINT32_MAX, &as))
		maker_set(m, user, (uint32_t)as);
	arena_free(a);
}

void
maker_store(const struct room *r, struct store_tx *tx)
{
	struct arena *a = arena_new();
	struct elem *made = elem_new(a, NS_MUC, "made");
	struct str as = number_text(a, r->maker.as);
	struct buf value = BUF_INIT;

	elem_set_attr(a, made, "by", str_c(r->maker.user));
	elem_set_attr(a, made, "as", as);
	stored_write(&value, made);
	store_tx_set(tx, entity_place(&r->e, MAP_ROOM), STR(KEY_MAKER),
		buf_str(&value));
	store_tx_create(tx, made_by(jid_trusted(str_c(r->maker.user))), as,
		jid_str(r->e.jid));
	buf_done(&value);
	arena_free(a);
}

void
maker_delete(const struct room *r, struct store_tx *tx)
{
	struct arena *a;

	if (r->maker.user == NULL)
		return;
	a = arena_new();
	store_tx_delete(tx,
		made_by(jid_trusted(str_c(r->maker.user))),
		number_text(a, r->maker.as));
	arena_free(a);
}

bool
maker_is_counted(const struct room *r, struct jid user)
{
	const struct host *host = shard_host(r->e.shard, jid_domain(r->e.jid));

	return muc_is_account(r->e.shard, user) && host != NULL &&
		!host_is_admin(host->parent, jid_bare_str(user));
}

struct finding {
	int64_t max;
	maker_fn fn;
	void *arg;
};

/* The smallest number that no row has; rows come in the order of their texts. */
static int64_t
free_number(const struct store_answer *found, int64_t max)
{
	size_t n = MIN((size_t)max, found->n + 1);
	bool *taken = xcalloc(n, sizeof(*taken));
	long long as;
	int64_t out = -1;

	for (size_t i = 0; i < found->n; i++) {
		if (str_to_int(found->entries[i].key, 0, (long long)n - 1, &as))
			taken[as] = true;
	}
	for (size_t i = 0; i < n && out < 0; i++) {
		if (!taken[i])
			out = (int64_t)i;
	}
	free(taken);
	return found->n < (size_t)max ? out : -1;
}

static void
on_made(void *arg, const struct store_answer *found, const struct err *err)
{
	struct finding f = *(struct finding *)arg;

	free(arg);
	f.fn(f.arg, err == NULL ? free_number(found, f.max) : -1, err);
}

void
maker_find(struct module_ctx *m, struct shard *sh, struct jid user, maker_fn fn,
	void *arg)
{
	struct finding *f = xmalloc(sizeof(*f));

	*f = (struct finding){ ((const struct muc_conf *)m->conf)->max_rooms, fn,
		arg };
	module_list(m, sh, made_by(user), on_made, f);
}

/*
 * trouble.c - what befalls sessions at random.
 */
#include "config.h"

#include "trouble.h"

#include "base/arena.h"
#include "base/log.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/stored.h"
#include "account/account.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_save.h"
#include "unit/test.h"
#include "world.h"

static void
each_account(struct shard *sh, void (*fn)(struct account *acc))
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		if (account_if(e) != NULL)
			fn(account_of(e));
	}
}

void
trouble_read_anew(struct shard *sh, void *arg)
{
	(void)arg;
	each_account(sh, account_reload);
}

static void
session_again(struct account *acc, struct session *s)
{
	struct arena *a = arena_new();
	struct buf text = BUF_INIT;

	session_save(s, STR_NONE, &text);
	session_free(s);
	CHECK(session_restore(acc, stored_read(a, buf_str(&text)), STR_NONE) !=
		NULL);
	buf_done(&text);
	arena_free(a);
}

static void
sessions_again(struct account *acc)
{
	struct session *s = acc->sessions, *next;

	for (unsigned n = acc->n_sessions; n > 0; n--, s = next) {
		next = s->next;
		if (s->state == SESSION_ASLEEP && s->requests == NULL &&
			session_handled(s) == session_received(s))
			session_again(acc, s);
	}
}

void
trouble_save_and_restore(struct shard *sh, void *arg)
{
	(void)arg;
	each_account(sh, sessions_again);
}

static void
on_kicked(void *arg, bool ok, const struct err *err)
{
	(void)arg;
	(void)ok;
	(void)err;
}

void
trouble_kick(const struct client *c)
{
	struct arena *a = arena_new();
	struct jid jid = jid_make(a, str_c(c->local), str_c(c->domain), STR_NONE);

	account_kick(c->world->server->shards[0], jid, str_c(c->resource), "go",
		on_kicked, NULL);
	arena_free(a);
}

void
trouble_quiet(void)
{
	for (int i = 0; i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, (enum log_level)-1);
}

static bool
on_disk(void *arg, bool writes)
{
	return writes && world_draw(arg, 6) == 0;
}

void
trouble_disk(struct world *w)
{
	store_fail_when(w->server->store, on_disk, w);
}

void
trouble_nothing_left(const struct world *w)
{
	for (unsigned i = 0; i < w->n_shards; i++) {
		const struct shard_stats *stats = &w->server->shards[i]->stats;

		CHECK_INT(stats->sessions, 0);
		CHECK_INT(stats->session_bytes.now, 0);
		CHECK_INT(stats->bytestream_bytes.now, 0);
		CHECK_INT(stats->line_bytes.now, 0);
	}
}

/*
 * server_sleep.c - what survives a restart of the daemon: sessions, and what classes
 * of modules have in memory.
 *
 * The start-up, and shard 0; what is done on the other shards is the entities'
 * (core/entity_save.h, account/sessions_stop.h, core/sleepers.h).
 */
#include "config.h"

#include "server/server_sleep.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"
#include "core/component.h"
#include "core/entity.h"
#include "core/entity_save.h"
#include "core/host.h"
#include "core/lane.h"
#include "core/place.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "remote/remote.h"
#include "account/account.h"
#include "account/sessions_stop.h"
#include "server/server_quiet.h"
#include "server/server_start.h"

/* Entities that one read names. */
#define OWNERS_MAX 1000
/* For what is under way, and for what comes of goodbyes. */
#define SETTLE_US (5 * US_PER_S)
#define GOODBYE_US (3 * US_PER_S)

/* --- who sleeps ------------------------------------------------------------- */

static void on_woken(struct shard *sh);

struct search {
	struct server *server;
	const struct host *host;
	const struct entity_class *class; /* of addresses there */
	char *after; /* the last that was found; NULL: none was */
	bool more;
	bool done;
	struct err err;
};

static void
sleepers_add_at(struct server *srv, const struct entity_class *class,
	struct jid jid)
{
	struct shard *sh =
		srv->shards[server_place_of(srv, jid_str(jid)).shard];

	srv->n_sleeping += sh->sleepers == NULL;
	srv->n_sleepers += class == &account_class;
	(void)sleepers_add(sh, class, jid, on_woken);
}

/* Somebody may have edited the database: what is no address is left alone. */
static void
sleepers_found(struct search *s, struct str owner)
{
	struct arena *a = arena_new();
	struct str domain = s->host->domain;
	struct jid jid;

	if (jid_parse(&jid, a,
		    arena_printf(a, "%.*s@%.*s", STR_ARG(owner),
			    STR_ARG(domain)),
		    NULL) &&
		str_eq(jid_local(jid), owner) && jid_is_bare(jid))
		sleepers_add_at(s->server, s->class, jid);
	arena_free(a);
}

static void
on_owners(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct search *s = arg;

	s->done = true;
	s->more = false;
	if (err != NULL) {
		s->err = *err;
		return;
	}
	for (size_t i = 0; i < answer->n; i++)
		sleepers_found(s, answer->entries[i].key);
	if (answer->n == 0)
		return;
	free(s->after);
	s->after = str_dup(answer->entries[answer->n - 1].key);
	s->more = true;
}

static bool
find_at_host(struct server *srv, const struct host *host, struct err *err)
{
	struct search s = {
		.server = srv,
		.host = host,
		.class = host->address_class,
	};

	do {
		s.done = false;
		store_owners(srv->store, host->domain, str_c(s.class->asleep),
			s.after != NULL ? str_c(s.after) : STR_NONE, OWNERS_MAX,
			&srv->shards[0]->mailbox, on_owners, &s);
		server_await(srv, &s.done);
	} while (s.more);
	free(s.after);
	if (s.err.code != ERR_NONE)
		*err = s.err;
	return s.err.code == ERR_NONE;
}

static void
on_mark(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct search *s = arg;
	struct str mark = STR_NONE;

	s->done = true;
	if (err != NULL)
		s->err = *err;
	else if (answer->n != 0)
		mark = answer->entries[0].value;
	if (mark.n != 0 && mark.n < sizeof(s->server->stop_mark))
		memcpy(s->server->stop_mark, mark.p, mark.n);
}

/* The mark goes with the last of them. */
static void
forget_mark(struct server *srv)
{
	struct store_tx *tx = store_tx_new();

	store_tx_delete(tx, server_map(), STR(KEY_STOP));
	store_tx_insist(tx);
	store_commit(srv->store, tx, NULL, NULL, NULL);
	memset(srv->stop_mark, 0, sizeof(srv->stop_mark));
}

/* --- messages for other servers ---------------------------------------------- */

/* Somebody may have edited the database. */
static bool
parse_domain(struct jid *jid, struct arena *a, struct str text)
{
	return jid_parse(jid, a, text, NULL) && jid_is_bare(*jid) &&
		jid_local(*jid).n == 0 && str_eq(jid_str(*jid), text);
}

/* Not only where there is the mark of a stop: a kill leaves logs, too. */
static void
log_found(struct server *srv, struct str key)
{
	struct arena *a = arena_new();
	struct jid local, remote;
	struct str name;
	struct shard *sh;
	bool had;

	if (str_cut(key, ' ', &name, &key) && parse_domain(&local, a, name) &&
		parse_domain(&remote, a, key)) {
		sh = srv->shards[server_place_of(srv, jid_str(remote)).shard];
		had = sh->sleepers != NULL;
		remote_sleeps(sh, jid_str(local), remote, on_woken);
		srv->n_sleeping += !had && sh->sleepers != NULL;
	}
	arena_free(a);
}

static void
on_logs(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct search *s = arg;

	s->done = true;
	if (err != NULL)
		s->err = *err;
	for (size_t i = 0; err == NULL && i < answer->n; i++)
		log_found(s->server, answer->entries[i].key);
}

bool
server_find_logs(struct server *srv, struct err *err)
{
	struct search s = { .server = srv };

	store_list(srv->store, server_logs_map(), &srv->shards[0]->mailbox,
		on_logs, &s);
	server_await(srv, &s.done);
	if (s.err.code != ERR_NONE)
		*err = s.err;
	return s.err.code == ERR_NONE;
}

/* --- sessions ---------------------------------------------------------------- */

bool
server_find_sleepers(struct server *srv, struct err *err)
{
	struct search s = { .server = srv };
	const struct host *host = srv->newest->hosts;

	store_get(srv->store, server_map(), STR(KEY_STOP),
		&srv->shards[0]->mailbox, on_mark, &s);
	server_await(srv, &s.done);
	if (s.err.code != ERR_NONE) {
		*err = s.err;
		return false;
	}
	if (srv->stop_mark[0] == '\0')
		return true;
	for (; host != NULL; host = host->hh.next) {
		if (host->address_class != NULL &&
			host->address_class->asleep != NULL &&
			!find_at_host(srv, host, err))
			return false;
	}
	if (srv->n_sleeping == 0)
		forget_mark(srv);
	return true;
}

/* --- waking ----------------------------------------------------------------- */

static void
on_all_woken(struct shard *first, void *arg)
{
	struct server *srv = first->server;

	(void)arg;
	if (--srv->n_sleeping != 0)
		return;
	if (srv->n_sleepers != 0)
		log_info(LOG_SERVER, LOG_NOBODY,
			"sessions of the last stop are back accounts=%u",
			srv->n_sleepers);
	if (srv->stop_mark[0] != '\0')
		forget_mark(srv);
}

static void
on_woken(struct shard *sh)
{
	shard_post(sh->server->shards[0], on_all_woken, NULL, 0);
}

static void
wake_on_shard(struct shard *sh, void *arg)
{
	(void)arg;
	sleepers_run(sh);
}

void
server_wake(struct server *srv)
{
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_post(srv->shards[i], wake_on_shard, NULL, 0);
}

/* --- falling asleep --------------------------------------------------------- */

/* Sessions first: if there is no time for all, they are worth more. */
enum falling_part { PART_SESSIONS, PART_OTHERS, PARTS };

struct falling_asleep {
	struct server *server;
	enum falling_part part;
	unsigned writing; /* shards */
	int64_t began_us;
	struct entities_saved n[PARTS];
	void (*done)(void *arg);
	void *arg;
};

static void
falling_log(const struct falling_asleep *f)
{
	int64_t us = f->server->shards[0]->now_us - f->began_us;
	const struct entities_saved *sessions = &f->n[PART_SESSIONS];
	const struct entities_saved *others = &f->n[PART_OTHERS];

	if (sessions->saved != 0)
		log_info(LOG_SERVER, LOG_NOBODY,
			"sessions were saved n=%llu in_ms=%lld",
			(unsigned long long)sessions->saved,
			(long long)(us / US_PER_MS));
	if (sessions->lost != 0)
		log_error(LOG_SERVER, LOG_NOBODY,
			"sessions could not be saved in time, they are lost as by a crash n=%llu",
			(unsigned long long)sessions->lost);
	if (others->lost != 0)
		log_error(LOG_SERVER, LOG_NOBODY,
			"what modules have in memory could not be saved in time, it is lost as by a crash n=%llu",
			(unsigned long long)others->lost);
}

/* Of one shard, on its way to shard 0. */
struct shard_saved {
	struct falling_asleep *f;
	struct entities_saved n;
};

static void falling_write(struct falling_asleep *f);

static void
falling_end(struct falling_asleep *f)
{
	falling_log(f);
	f->server->is_killed = f->n[PART_SESSIONS].lost != 0;
	f->done(f->arg);
	free(f);
}

static void
on_saved_there(struct shard *first, void *arg)
{
	struct shard_saved saved = *(struct shard_saved *)arg;
	struct falling_asleep *f = saved.f;

	(void)first;
	free(arg);
	f->n[f->part].saved += saved.n.saved;
	f->n[f->part].lost += saved.n.lost;
	if (--f->writing != 0)
		return;
	if (++f->part == PARTS)
		falling_end(f);
	else
		falling_write(f);
}

static void
on_saved(struct shard *sh, const struct entities_saved *n, void *arg)
{
	struct shard_saved *saved = xmalloc(sizeof(*saved));

	*saved = (struct shard_saved){ arg, *n };
	shard_post(sh->server->shards[0], on_saved_there, saved, 0);
}

static void
save_on_shard(struct shard *sh, void *arg)
{
	const struct falling_asleep *f = arg;

	entities_save(sh, f->part == PART_SESSIONS ? &account_class : NULL,
		f->began_us + SLEEP_MAX_S * US_PER_S, on_saved, arg);
}

static void
falling_write(struct falling_asleep *f)
{
	f->writing = f->server->n_shards;
	for (unsigned i = 0; i < f->server->n_shards; i++)
		shard_post(f->server->shards[i], save_on_shard, f, 0);
}

static void
falling_began(struct shard *first, void *arg)
{
	(void)first;
	falling_write(arg);
}

/* What has not reached all by now does not, and who has said it writes that down. */
static void
return_visit(struct shard *sh, void *arg)
{
	(void)arg;
	lane_return(sh);
}

/* While sleepers of the stop before are yet to be woken, what is saved at this one
 * belongs to them. */
static void
falling_save(struct server *srv, void *arg)
{
	if (srv->stop_mark[0] == '\0')
		rand_id(srv->shards[0]->rand, srv->stop_mark);
	shard_visit_all(srv->shards[0], return_visit, falling_began, arg);
}

static void
sleep_visit(struct shard *sh, void *arg)
{
	(void)arg;
	sessions_sleep(sh);
}

static void
sleep_done(struct shard *first, void *arg)
{
	server_when_quiet(first->server, GOODBYE_US, falling_save, arg);
}

static void
falling_sleep(struct server *srv, void *arg)
{
	shard_visit_all(srv->shards[0], sleep_visit, sleep_done, arg);
}

static void
part_visit(struct shard *sh, void *arg)
{
	(void)arg;
	sessions_part(sh);
}

static void
part_done(struct shard *first, void *arg)
{
	server_when_quiet(first->server, GOODBYE_US, falling_sleep, arg);
}

/* Those who go hear what others have to say to that, as rooms, from streams that are
 * there. */
static void
falling_part(struct server *srv, void *arg)
{
	shard_visit_all(srv->shards[0], part_visit, part_done, arg);
}

static void
close_component(struct entity *e, void *arg)
{
	(void)arg;
	entity_close(e, STREAM_SYSTEM_SHUTDOWN, NULL);
}

static void
remotes_stopped(struct shard *first, void *arg)
{
	server_when_quiet(first->server, GOODBYE_US, falling_part, arg);
}

static void
stop_remotes(struct shard *sh, void *arg)
{
	(void)arg;
	remotes_stop(sh);
}

static void
components_closed(struct shard *first, void *arg)
{
	shard_visit_all(first, stop_remotes, remotes_stopped, arg);
}

/* What waits for them goes back to who sent it, for nobody keeps it until the next
 * start: while his session is there to be told. */
static void
falling_close(struct server *srv, void *arg)
{
	if (srv->newest->has_whole)
		entity_visit_all(srv->shards[0], &component_class, STR_NONE,
			close_component, components_closed, arg);
	else
		falling_part(srv, arg);
}

void
server_sleep(struct server *srv, void (*done)(void *arg), void *arg)
{
	struct falling_asleep *f = xcalloc(1, sizeof(*f));

	/* else sessions would be refused; it is waited for, as all that is asked of
	 * the store */
	store_compact_end(srv->store);
	f->server = srv;
	f->began_us = srv->shards[0]->now_us;
	f->done = done;
	f->arg = arg;
	server_when_quiet(srv, SETTLE_US, falling_close, f);
}

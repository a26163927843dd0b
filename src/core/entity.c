/*
 * entity.c - the entities of a shard: found, loaded, given what waited, dropped.
 *
 *   (absent) --entity_get--> LOADING --entity_loaded--> LOADED --idle--> (absent)
 *                               `--entity_failed--> (absent)
 */
#include "config.h"

#include "core/entity.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "conf/conf.h"
#include "core/entity_line.h"
#include "core/entity_ring.h"
#include "core/entity_save.h"
#include "core/fanout.h"
#include "core/lane.h"
#include "core/iq_int.h"
#include "core/module_ctx.h"
#include "core/router.h"
#include "core/slot.h"

/* Of an account, and of its address behind it. */
#define WARM_BYTES 256
/* Entities of one shard, however few there may be in all. */
#define SHARE_MIN 10

struct entity_waiter {
	struct entity_waiter *next;
	void (*fn)(struct entity *e, void *arg);
	void *arg;
};

static void
entity_describe(const void *obj, char *out, size_t n)
{
	const struct entity *e = obj;

	snprintf(out, n, "s%u %s %.*s", e->shard->index, e->class->name,
		STR_ARG(jid_str(e->jid)));
}

struct log_who
entity_who(const struct entity *e)
{
	return (struct log_who){ entity_describe, e };
}

struct entity *
entity_find_by_hash(struct shard *sh, struct str bare, uint64_t hash)
{
	size_t at = table_start(&sh->entities, hash);
	struct entity *e;

	do
		e = table_next(&sh->entities, hash, &at);
	while (e != NULL && !str_eq(jid_str(e->jid), bare));
	return e;
}

struct entity *
entity_warm(struct shard *sh, uint64_t hash)
{
	size_t at = table_start(&sh->entities, hash);
	struct entity *e = table_next(&sh->entities, hash, &at);

	if (e != NULL)
		mem_warm(e, WARM_BYTES);
	return e;
}

struct entity *
entity_find(struct shard *sh, struct str bare)
{
	return entity_find_by_hash(sh, bare, server_hash(sh->server, bare));
}

static enum memuse
counts_as(const struct entity_class *class)
{
	return class->memuse != 0 ? class->memuse : MEMUSE_ACCOUNT;
}

static struct entity *
entity_new(struct shard *sh, const struct entity_class *class, struct jid bare,
	uint64_t hash)
{
	char *mem = xcalloc(1, class->size + bare.bare_len);
	struct entity *e = (struct entity *)(void *)mem;

	memcpy(mem + class->size, bare.text, bare.bare_len);
	e->class = class;
	e->shard = sh;
	e->hash = hash;
	e->jid = jid_bare(bare);
	e->jid.text = mem + class->size;
	e->state = ENTITY_LOADING;
	STAILQ_INIT(&e->inbox);
	table_add(&sh->entities, hash, e);
	if (class->is_item != NULL)
		table_add(&sh->items, hash, e);
	sh->stats.entities += class->has_room == NULL;
	memuse_add(counts_as(class), mem);
	return e;
}

static void entity_free(struct entity *e);
static bool entity_is_idle(const struct entity *e);

static bool
entity_is_held(const struct entity *e)
{
	return e->class->is_held != NULL && e->class->is_held(e);
}

static bool
entity_is_absent(const struct entity *e)
{
	return e->class->is_absent != NULL && e->class->is_absent(e);
}

/* Each shard has its share; where that is used up, those whom nobody needs leave
 * before their time.  A few have room everywhere: who comes to which shard is a
 * matter of luck, and the more so the less there are. */
static bool
entity_make_room(struct shard *sh)
{
	uint64_t share = (uint64_t)sh->snap->config->limits.entities /
		sh->server->n_shards + 1;
	uint64_t max = MAX(share, SHARE_MIN);
	struct entity *e;
	uint64_t hash;

	while (sh->stats.entities >= max) {
		hash = idle_next(sh);
		if (hash == 0)
			return false;
		e = entity_warm(sh, hash);
		if (e != NULL && entity_is_idle(e))
			entity_free(e);
		else
			idle_leave(sh, hash, false);
	}
	return true;
}

static bool
entity_has_room(struct shard *sh, const struct entity_class *class,
	struct jid bare)
{
	if (class->has_room != NULL)
		return class->has_room(sh);
	/* of domains there are as many as the configuration has */
	return jid_local(bare).n == 0 || entity_make_room(sh);
}

/* True: it is loaded already; false: it will be. */
static bool
entity_load(struct entity *e)
{
	const struct entity_class *class = e->class;
	bool absent = idle_is_absent(e->shard, e->hash);

	if (e->shard->sleepers != NULL && entity_wake(e))
		return false;
	if (!absent && class->load != NULL)
		class->load(e);
	else if (!absent && class->maps != NULL)
		entity_load_maps(e);
	else if (absent && class->load_absent != NULL)
		class->load_absent(e);
	else if (absent && class->maps != NULL)
		class->take(e, &(struct store_answer){ .n = 0 });
	return absent || (class->load == NULL && class->maps == NULL);
}

void
entity_load_awake(struct entity *e)
{
	if (e->class->load != NULL)
		e->class->load(e);
	else if (e->class->maps != NULL)
		entity_load_maps(e);
	else
		entity_loaded(e);
}

struct entity *
entity_get(struct shard *sh, const struct entity_class *class, struct jid bare,
	uint64_t hash)
{
	struct entity *e = entity_find_by_hash(sh, jid_bare_str(bare), hash);

	ASSERT_ON(sh);
	if (e != NULL)
		return e->class == class ? e : NULL;
	if (!entity_has_room(sh, class, bare)) {
		sh->stats.refused++;
		return NULL;
	}
	e = entity_new(sh, class, bare, hash);
	if (!entity_load(e))
		return e;
	e->state = ENTITY_LOADED;
	entity_check_idle(e);
	return e;
}

/* What is addressed to a domain of ours (RFC 6120 §10.5.2), and to what else has
 * no mind of its own. */
/* What modules make of messages for a host. */
static bool
host_takes(const struct entity *e, struct stanza *st)
{
	struct host *host = shard_host(e->shard, jid_domain(e->jid));
	struct host_message arg = { e->shard, host, st };

	return host != NULL && host->service == NULL &&
		hook_run(host, HOOK_HOST_MESSAGE, &arg) == HOOK_HANDLED;
}

void
entity_receive_default(struct entity *e, struct stanza *st)
{
	bool asks = st->type == IQ_GET || st->type == IQ_SET;
	bool refused = st->kind == STANZA_MESSAGE &&
		st->type != MESSAGE_HEADLINE;

	if ((asks || refused) && entity_is_absent(e))
		router_bounce(e->shard, st, COND_ITEM_NOT_FOUND, NULL);
	else if (asks)
		iq_dispatch(e, st);
	else if (refused && host_takes(e, st))
		return;
	else if (refused)
		router_bounce(e->shard, st, COND_SERVICE_UNAVAILABLE,
			"This address takes no messages");
	else
		stanza_free(st);
}

static void
entity_receive(struct entity *e, struct stanza *st)
{
	entity_note(&ring_delivered, e, st->type);
	e->calls++;
	if (st->many != NULL)
		fanout_arrived(e, st);
	else if (e->class->receive != NULL)
		e->class->receive(e, st);
	else
		entity_receive_default(e, st);
	e->calls--;
}

void
entity_deliver(struct entity *e, struct stanza *st)
{
	size_t bytes = stanza_bytes(st);

	ASSERT_OWNER(e);
	if (e->state == ENTITY_LOADED) {
		entity_receive(e, st);
		entity_check_idle(e);
		return;
	}
	/* one alone may be larger: in memory it can be more than it was when it
	 * was read */
	if (e->inbox_bytes != 0 && e->inbox_bytes + bytes >
			entity_line_most(e->shard, st)) {
		e->shard->stats.refused++;
		router_bounce(e->shard, st, COND_RESOURCE_CONSTRAINT,
			"Too much is waiting for this address");
		return;
	}
	e->inbox_bytes += (uint32_t)bytes;
	gauge_add(&e->shard->stats.inbox_bytes, bytes);
	STAILQ_INSERT_TAIL(&e->inbox, st, link);
}

static void on_entity_due(struct timer *t);

void
entity_when_loaded(struct entity *e, void (*fn)(struct entity *e, void *arg),
	void *arg)
{
	struct entity_waiter **end = &e->waiters;
	struct entity_waiter *w;

	ASSERT_OWNER(e);
	w = xmalloc(sizeof(*w));
	*w = (struct entity_waiter){ NULL, fn, arg };
	while (*end != NULL)
		end = &(*end)->next;
	*end = w;
	entity_go_on(e);
}

void
entity_go_on(struct entity *e)
{
	if (e->state == ENTITY_LOADED && e->waiters != NULL &&
		!entity_is_held(e))
		shard_timer(e->shard, &e->idle, 0, on_entity_due);
	else
		entity_check_idle(e);
}

/* Nothing waits any more. */
static void
inbox_count_out(struct entity *e)
{
	gauge_remove(&e->shard->stats.inbox_bytes, e->inbox_bytes);
	e->inbox_bytes = 0;
}

/* Those that are left when one of them has it held wait on. */
static void
entity_call_waiters(struct entity *e, bool ok)
{
	struct entity_waiter *w = e->waiters, *next;
	struct entity_waiter **end = &e->waiters;

	e->waiters = NULL;
	e->calls++;
	while (w != NULL && !(ok && entity_is_held(e))) {
		next = w->next;
		w->fn(ok ? e : NULL, w->arg);
		free(w);
		w = next;
	}
	e->calls--;
	if (w == NULL)
		return;
	next = e->waiters; /* what came meanwhile */
	e->waiters = w;
	while (*end != NULL)
		end = &(*end)->next;
	*end = next;
}

void
entity_loaded(struct entity *e)
{
	struct stanza *st;

	if (e->shard->sleepers != NULL)
		entity_woken(e);
	e->state = ENTITY_LOADED;
	entity_note(&ring_loaded, e, 0);
	entity_call_waiters(e, true);
	while ((st = STAILQ_FIRST(&e->inbox)) != NULL) {
		STAILQ_REMOVE_HEAD(&e->inbox, link);
		entity_receive(e, st);
	}
	inbox_count_out(e);
	entity_check_idle(e);
}

/* It is not found any more. */
static void
entity_leave(struct entity *e)
{
	shard_timer_cancel(e->shard, &e->idle);
	inbox_count_out(e);
	entity_refs_leave(e);
	table_remove(&e->shard->entities, e->hash, e);
	if (e->class->is_item != NULL)
		table_remove(&e->shard->items, e->hash, e);
	e->shard->stats.entities -= e->class->has_room == NULL;
}

static void
entity_end(struct entity *e)
{
	slot_drop_all(&e->slots, e);
	memuse_remove(counts_as(e->class), e);
	/* by this entity_ring.c knows who is there; as in TAG_CLEAR() */
	*(volatile uint64_t *)&e->hash = 0;
	free(e);
}

static void
entity_free(struct entity *e)
{
	entity_leave(e);
	idle_leave(e->shard, e->hash, entity_is_absent(e));
	iq_alone_done(e);
	if (e->state == ENTITY_LOADED && e->class->unload != NULL)
		e->class->unload(e);
	entity_end(e);
}

void
entity_drop(struct entity *e)
{
	struct entity_waiter *w = e->waiters, *next;

	assert(e->state == ENTITY_LOADED);
	e->waiters = NULL;
	iq_alone_again(e);
	entity_free(e);
	for (; w != NULL; w = next) {
		next = w->next;
		w->fn(NULL, w->arg);
		free(w);
	}
}

/* It was never loaded; e is not found any more. */
static void
entity_turn_away(struct entity *e, enum stanza_cond cond, const char *text)
{
	struct stanza *st;

	entity_call_waiters(e, false);
	while ((st = STAILQ_FIRST(&e->inbox)) != NULL) {
		STAILQ_REMOVE_HEAD(&e->inbox, link);
		router_bounce(e->shard, st, cond, text);
	}
	entity_end(e);
}

void
entity_failed(struct entity *e, const struct err *why)
{
	struct shard *sh = e->shard;

	/* who is told may ask again at once, and gets another one */
	entity_leave(e);
	if (log_limit_ok(&sh->storage, LOG_ROUTER))
		log_error(LOG_ROUTER, entity_who(e),
			"cannot be loaded, what waited for it is refused reason=\"%s\"",
			why->text);
	entity_turn_away(e, COND_INTERNAL_SERVER_ERROR,
		"The server cannot read its storage");
}

/* --- what happens to all ----------------------------------------------------- */

bool
entity_close(struct entity *e, enum stream_cond cond, const char *text)
{
	return e->state == ENTITY_LOADED && e->class->close != NULL &&
		e->class->close(e, cond, text);
}

void
entity_retire(struct entity *e)
{
	if (e->class->close != NULL) {
		entity_close(e, STREAM_HOST_GONE, NULL);
	} else if (e->state == ENTITY_LOADED) {
		if (e->class->retire != NULL)
			e->class->retire(e);
		entity_drop(e);
	} else {
		entity_leave(e);
		entity_turn_away(e, COND_ITEM_NOT_FOUND,
			"This address is no longer served here");
	}
}

void
entity_forget_module(struct entity *e, const struct module_entry *entry)
{
	if (e->class->forget_module != NULL)
		e->class->forget_module(e, entry);
	slot_drop(&e->slots, &entry->entity_slot, e);
}

void
entity_reload(struct entity *e)
{
	if (e->class->reload != NULL)
		e->class->reload(e);
}

/* --- leaving --------------------------------------------------------------------- */

static bool
entity_is_idle(const struct entity *e)
{
	return e->state == ENTITY_LOADED && e->waiters == NULL &&
		e->alone == NULL && e->calls == 0 &&
		(e->class->is_idle == NULL || e->class->is_idle(e));
}

static void
on_entity_due(struct timer *t)
{
	struct entity *e = CONTAINER_OF(t, struct entity, idle);

	entity_note(&ring_due, e, 0);
	if (e->waiters != NULL) {
		entity_call_waiters(e, true);
		entity_check_idle(e);
	} else if (entity_is_idle(e)) {
		entity_free(e);
	}
}

void
entity_check_idle(struct entity *e)
{
	struct shard *sh = e->shard;
	struct entity *other;
	uint64_t hash;

	if (!entity_is_idle(e))
		return;
	/* what is made anew as easily need not be told that it is used */
	if (e->class->everywhere && timer_is_set(&e->idle))
		return;
	shard_timer(sh, &e->idle,
		entity_is_absent(e) ?
			0 :
			sh->snap->config->limits.account_idle_us,
		on_entity_due);
	hash = idle_take(sh, e->hash);
	other = hash != 0 ? entity_warm(sh, hash) : NULL;
	/* soon: it may be what our caller has just left */
	if (other != NULL && entity_is_idle(other))
		shard_timer(sh, &other->idle, 0, on_entity_due);
}

void
entity_created(struct shard *sh, struct str bare)
{
	idle_forget_absent(sh, server_hash(sh->server, bare));
}

void
entity_in_use(struct entity *e)
{
	if (e->waiters == NULL)
		shard_timer_cancel(e->shard, &e->idle);
}

void
entity_drop_idle(struct shard *sh)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		if (entity_is_idle(e))
			entity_free(e);
	}
}

void
entity_close_all(struct shard *sh)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL)
		entity_close(e, STREAM_SYSTEM_SHUTDOWN, NULL);
}

void
entity_drop_all(struct shard *sh)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;
	struct stanza *st;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		entity_call_waiters(e, false);
		while ((st = STAILQ_FIRST(&e->inbox)) != NULL) {
			STAILQ_REMOVE_HEAD(&e->inbox, link);
			fanout_drop(sh, st);
		}
		entity_free(e);
	}
	while ((st = STAILQ_FIRST(&sh->local)) != NULL) {
		STAILQ_REMOVE_HEAD(&sh->local, link);
		fanout_drop(sh, st);
	}
	lane_drop_all(sh);
}

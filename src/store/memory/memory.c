/*
 * memory.c - the store in memory, for tests and simulations: the same
 * answers as the database gives, and nothing lasts.
 *
 * Every change is one of two, an item put in or taken out, and is written down
 * in the journal, so that going back is the same for all.
 */
#include "config.h"

#include "store/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/storage.h"
#include "store/memory/memory_int.h"

/* --- items -------------------------------------------------------------- */

static struct str
put_str(char **at, struct str s)
{
	struct str out = { *at, s.n };

	if (s.n != 0)
		memcpy(*at, s.p, s.n);
	(*at)[s.n] = '\0';
	*at += s.n + 1;
	return out;
}

static struct mem_item *
mem_item_new(struct str key, struct str with, struct str value,
	struct str words)
{
	struct mem_item *it = xmalloc(
		sizeof(*it) + key.n + with.n + value.n + words.n + 4);
	char *at = it->bytes;

	it->seq = 0;
	it->numbered = it->placed = false;
	it->wall_us = 0;
	it->key = put_str(&at, key);
	it->with = put_str(&at, with);
	it->value = put_str(&at, value);
	it->words = put_str(&at, words);
	return it;
}

size_t
mem_list_search(
	const struct mem_list *l, bool is_log, struct str key, uint64_t seq)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct mem_item *it = l->p[mid];

		if (is_log ? it->seq < seq : str_cmp(it->key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
list_put(struct mem_list *l, size_t at, struct mem_item *it)
{
	vec_push(l);
	memmove(l->p + at + 1, l->p + at, (l->n - 1 - at) * sizeof(l->p[0]));
	l->p[at] = it;
}

static void
list_take(struct mem_list *l, size_t at)
{
	l->n--;
	memmove(l->p + at, l->p + at + 1, (l->n - at) * sizeof(l->p[0]));
}

/* --- places ------------------------------------------------------------- */

static size_t
label_make(char *label, struct store_place at)
{
	char *p = label;

	put_str(&p, at.host);
	put_str(&p, at.owner);
	put_str(&p, at.name);
	return (size_t)(p - label);
}

struct mem_place *
mem_place_find(struct mem_data *d, struct store_place at)
{
	char label[3 * (STORE_KEY_MAX + 1)];
	size_t n = label_make(label, at);
	struct mem_place *pl;

	HASH_FIND(hh, d->places, label, n, pl);
	return pl;
}

static struct mem_place *
mem_place_make(struct mem_data *d, struct store_place at)
{
	struct mem_place *pl = mem_place_find(d, at);
	char *p;

	if (pl != NULL)
		return pl;
	pl = xcalloc(1, sizeof(*pl) + at.host.n + at.owner.n + at.name.n + 3);
	p = pl->label;
	pl->host = put_str(&p, at.host);
	pl->owner = put_str(&p, at.owner);
	pl->name = put_str(&p, at.name);
	pl->label_n = (size_t)(p - pl->label);
	HASH_ADD_KEYPTR(hh, d->places, pl->label, pl->label_n, pl);
	return pl;
}

static void
place_free(struct mem_data *d, struct mem_place *pl)
{
	HASH_DEL(d->places, pl);
	HASH_CLEAR(hh, pl->by_id);
	for (size_t i = 0; i < pl->map.n; i++)
		free(pl->map.p[i]);
	for (size_t i = 0; i < pl->log.n; i++)
		free(pl->log.p[i]);
	vec_done(&pl->map);
	vec_done(&pl->log);
	free(pl);
}

struct mem_item *
mem_map_find(const struct mem_place *pl, struct str key)
{
	size_t i = mem_list_search(&pl->map, false, key, 0);

	if (i == pl->map.n || !str_eq(pl->map.p[i]->key, key))
		return NULL;
	return pl->map.p[i];
}

struct mem_item *
mem_log_find(const struct mem_place *pl, struct str id)
{
	struct mem_item *it;

	HASH_FIND(hh, pl->by_id, id.p, id.n, it);
	return it;
}

/* --- the two changes, and back ------------------------------------------ */

static void
change_play(const struct mem_change *c, bool put_in)
{
	struct mem_place *pl = c->place;
	struct mem_list *l = c->is_log ? &pl->log : &pl->map;
	size_t at = mem_list_search(l, c->is_log, c->item->key, c->item->seq);

	if (put_in)
		list_put(l, at, c->item);
	else
		list_take(l, at);
	if (!c->is_log)
		return;
	if (put_in)
		HASH_ADD_KEYPTR(
			hh, pl->by_id, c->item->key.p, c->item->key.n, c->item);
	else
		HASH_DEL(pl->by_id, c->item);
}

void
mem_change_do(struct mem_data *d, struct mem_place *pl, struct mem_item *it,
	bool is_log, bool put_in)
{
	struct mem_change c = { pl, it, is_log, put_in };

	*vec_push(&d->journal) = c;
	pl->changes++;
	change_play(&c, put_in);
}

void
mem_item_change(struct mem_data *d, struct mem_place *pl, struct mem_item *old,
	struct str value, struct str words)
{
	struct mem_item *it = mem_item_new(old->key, old->with, value, words);

	it->seq = old->seq;
	it->numbered = old->numbered;
	it->placed = old->placed;
	it->wall_us = old->wall_us;
	mem_change_do(d, pl, old, true, false);
	mem_change_do(d, pl, it, true, true);
}

/* A place goes with the last that is known of it. */
static void
change_forget(struct mem_data *d, const struct mem_change *c, bool item_too)
{
	struct mem_place *pl = c->place;

	if (item_too)
		free(c->item);
	if (--pl->changes == 0 && pl->map.n == 0 && pl->log.n == 0)
		place_free(d, pl);
}

static void
journal_undo(struct mem_data *d, size_t down_to)
{
	while (d->journal.n > down_to) {
		struct mem_change *c = &d->journal.p[--d->journal.n];

		change_play(c, !c->put_in);
		change_forget(d, c, c->put_in);
	}
}

bool
mem_is_lost(const struct store_db *db, enum store_moment at, struct err *err)
{
	const struct mem_data *d = db->data;

	if (d->loses == NULL || !d->loses(d->loses_arg, at))
		return false;
	err_set(err, ERR_LOST, "the database is gone, as a test wants it");
	return true;
}

static void
mem_lose_when(struct store_db *db,
	bool (*fn)(void *arg, enum store_moment at), void *arg)
{
	pthread_mutex_lock(&db->data->lock);
	db->data->loses = fn;
	db->data->loses_arg = arg;
	pthread_mutex_unlock(&db->data->lock);
}

bool
mem_begin(struct store_db *db, struct err *err)
{
	pthread_mutex_lock(&db->data->lock);
	if (!mem_is_lost(db, STORE_AT_BEGIN, err))
		return true;
	pthread_mutex_unlock(&db->data->lock);
	return false;
}

/* When the answer is lost, what is left to the rollback is the lock. */
bool
mem_commit(struct store_db *db, struct err *err)
{
	struct mem_data *d = db->data;

	d->done = false;
	if (mem_is_lost(db, STORE_AT_COMMIT, err))
		return false;
	for (size_t i = 0; i < d->journal.n; i++)
		change_forget(d, &d->journal.p[i], !d->journal.p[i].put_in);
	d->journal.n = 0;
	d->done = true;
	if (mem_is_lost(db, STORE_AT_ANSWER, err))
		return false;
	pthread_mutex_unlock(&d->lock);
	return true;
}

void
mem_rollback(struct store_db *db)
{
	if (db->writes)
		journal_undo(db->data, 0);
	pthread_mutex_unlock(&db->data->lock);
}

bool
mem_savepoint(struct store_db *db, struct err *err)
{
	(void)err;
	db->data->savepoint = db->data->journal.n;
	return true;
}

static bool
mem_release(struct store_db *db, struct err *err)
{
	(void)db;
	(void)err;
	return true;
}

void
mem_revert(struct store_db *db)
{
	journal_undo(db->data, db->data->savepoint);
}

/* --- writing ------------------------------------------------------------ */

static bool
mem_set(struct store_db *db, struct store_place at, struct str key,
	struct str value, bool must_be_new, struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);
	struct mem_item *old = pl != NULL ? mem_map_find(pl, key) : NULL;

	if (mem_is_lost(db, STORE_AT_WRITE, err))
		return false;
	if (old != NULL && must_be_new)
		return err_set(err, ERR_CONFLICT, "it exists already");
	if (old != NULL)
		mem_change_do(db->data, pl, old, false, false);
	if (pl == NULL)
		pl = mem_place_make(db->data, at);
	mem_change_do(
		db->data, pl, mem_item_new(key, STR_NONE, value, STR_NONE),
		false, true);
	return true;
}

static bool
mem_del(struct store_db *db, struct store_place at, struct str key,
	struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);
	struct mem_item *old = pl != NULL ? mem_map_find(pl, key) : NULL;

	(void)err;
	if (old != NULL)
		mem_change_do(db->data, pl, old, false, false);
	return true;
}

static void
place_clear(struct mem_data *d, struct mem_place *pl)
{
	while (pl->map.n != 0)
		mem_change_do(
			d, pl, pl->map.p[pl->map.n - 1], false, false);
	while (pl->log.n != 0)
		mem_change_do(d, pl, pl->log.p[pl->log.n - 1], true, false);
}

static bool
mem_clear(struct store_db *db, struct store_place at, struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);

	(void)err;
	if (pl != NULL)
		place_clear(db->data, pl);
	return true;
}

static bool
mem_clear_owner(
	struct store_db *db, struct str host, struct str owner, struct err *err)
{
	struct mem_place *pl, *next;

	(void)err;
	HASH_ITER (hh, db->data->places, pl, next) {
		if (str_eq(pl->host, host) && str_eq(pl->owner, owner))
			place_clear(db->data, pl);
	}
	return true;
}

static uint64_t
next_seq(const struct mem_place *pl)
{
	return pl->log.n != 0 ? pl->log.p[pl->log.n - 1]->seq + 1 : 1;
}

static bool
append_check(const struct mem_place *pl, struct str id, uint64_t number,
	struct err *err)
{
	size_t i;

	if (pl->log.n != 0 && pl->log.p[0]->numbered != (id.p == NULL))
		return err_set(err, ERR_INVALID,
			"a log has either ids or numbers");
	i = mem_list_search(&pl->log, true, STR_NONE, number);
	if ((id.p != NULL && mem_log_find(pl, id) != NULL) ||
		(number != 0 && i < pl->log.n && pl->log.p[i]->seq == number))
		return err_set(err, ERR_CONFLICT, "it exists already");
	return true;
}

static bool
mem_append(struct store_db *db, const struct store_op *op, struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, op->at);
	struct str id = op->key;
	uint64_t number = op->number;
	bool numbered = id.p == NULL, placed = number != 0;
	struct mem_item *it;
	char text[24];

	if (mem_is_lost(db, STORE_AT_WRITE, err) ||
		(pl != NULL && !append_check(pl, id, number, err)))
		return false;
	if (pl == NULL)
		pl = mem_place_make(db->data, op->at);
	if (number == 0)
		number = next_seq(pl);
	if (numbered) {
		id.p = text;
		id.n = (size_t)snprintf(text, sizeof(text), "%llu",
			(unsigned long long)number);
	}
	it = mem_item_new(id, op->with, op->value, op->words);
	it->seq = number;
	it->numbered = numbered;
	it->placed = placed;
	it->wall_us = op->wall_us;
	mem_change_do(db->data, pl, it, true, true);
	return true;
}

static bool
mem_replace_entry(struct store_db *db, struct store_place at, struct str id,
	struct str value, struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);
	struct mem_item *old = pl != NULL ? mem_log_find(pl, id) : NULL;

	if (mem_is_lost(db, STORE_AT_WRITE, err))
		return false;
	if (old == NULL)
		return true;
	mem_item_change(db->data, pl, old, value, STR_NONE);
	return true;
}

static bool
mem_index(struct store_db *db, struct store_place at, struct str id,
	struct str words, struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);
	struct mem_item *old = pl != NULL ? mem_log_find(pl, id) : NULL;

	if (mem_is_lost(db, STORE_AT_WRITE, err))
		return false;
	if (old != NULL && old->placed)
		mem_item_change(db->data, pl, old, old->value, words);
	return true;
}

static bool
mem_backup(struct store_db *db, const char *path, struct err *err)
{
	(void)db;
	return err_set(err, ERR_REFUSED,
		"cannot copy to %.80s: the storage is in memory; use the "
		"sqlite driver",
		path);
}

/* --- handles ------------------------------------------------------------ */

static struct store_db *
mem_open_beside(const struct store_db *writer, struct err *err)
{
	struct store_db *db = xcalloc(1, sizeof(*db));

	(void)err;
	db->data = writer->data;
	return db;
}

static struct store_db *
mem_open(const struct store_conf *conf, struct err *err)
{
	struct store_db *db = xcalloc(1, sizeof(*db));

	(void)conf;
	(void)err;
	db->writes = true;
	db->data = xcalloc(1, sizeof(*db->data));
	pthread_mutex_init(&db->data->lock, NULL);
	return db;
}

static void
mem_close(struct store_db *db)
{
	struct mem_place *pl, *next;

	if (db->writes) {
		HASH_ITER (hh, db->data->places, pl, next)
			place_free(db->data, pl);
		pthread_mutex_destroy(&db->data->lock);
		vec_done(&db->data->journal);
		vec_done(&db->data->results);
		free(db->data);
	}
	free(db);
}

const struct config_driver storage_memory = {
	.name = "memory",
	.help = "nowhere but in memory: everything is forgotten when the server stops",
};

const struct store_driver store_memory = {
	.name = "memory",
	.open = mem_open,
	.open_beside = mem_open_beside,
	.close = mem_close,
	.begin = mem_begin,
	.commit = mem_commit,
	.rollback = mem_rollback,
	.savepoint = mem_savepoint,
	.release = mem_release,
	.revert = mem_revert,
	.write_batch = mem_write_batch,
	.was_done = mem_was_done,
	.set = mem_set,
	.del = mem_del,
	.clear = mem_clear,
	.clear_owner = mem_clear_owner,
	.append = mem_append,
	.del_entry = mem_del_entry,
	.replace_entry = mem_replace_entry,
	.index = mem_index,
	.trim_to = mem_trim_to,
	.trim_age = mem_trim_age,
	.trim_count = mem_trim_count,
	.trim = mem_trim_oldest,
	.get = mem_get,
	.list = mem_list_map,
	.page = mem_page,
	.list_many = mem_list_many,
	.owners = mem_owners,
	.log_owners = mem_log_owners,
	.range = mem_range,
	.talks = mem_talks,
	.get_entries = mem_get_entries,
	.sizes = mem_sizes,
	.backup = mem_backup,
	.lose_when = mem_lose_when,
};

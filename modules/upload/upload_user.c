/*
 * upload_user.c - what one user has, may and is about to upload, at his place.
 *
 * Owner shard: that of the user's account, or, for one of elsewhere, of his bare
 * address.  In the map "upload" of his owner:
 *
 *	series	of what he has: another account of the name has another one
 *	usage	what he has: upload_limits.h
 *	limits	what is his own of the limits; an operator has said so
 *
 * He is read when somebody asks for him, and leaves memory when nothing of his is
 * under way.  Invariant: memory says what the last transaction does, so that two that
 * are under way at once build on each other.
 */
#include "config.h"

#include "upload.h"

#define KEY_SERIES "series"
#define KEY_USAGE "usage"
#define KEY_LIMITS "limits"

static struct store_place
user_map(const struct upload_user *u)
{
	return (struct store_place){ str_c(u->host), str_c(u->owner),
		STR(UPLOAD_MAP) };
}

/* --- slots -------------------------------------------------------------------------- */

static int64_t
user_wall_us(const struct upload_user *u)
{
	return shard_wall_us(u->here->shard);
}

struct upload_claim *
upload_claim_find(const struct upload_user *u, struct str id)
{
	struct upload_claim *c;

	LIST_FOREACH (c, &u->claims, link)
		if (str_is(id, c->id))
			return c;
	return NULL;
}

unsigned
upload_user_slots(const struct upload_user *u)
{
	const struct upload_claim *c;
	unsigned n = 0;

	LIST_FOREACH (c, &u->claims, link)
		n += c->state != CLAIM_USED;
	return n;
}

void
upload_user_reserved(const struct upload_user *u, struct upload_reserved *out)
{
	const struct upload_claim *c;

	*out = (struct upload_reserved){ .first_us = 0 };
	LIST_FOREACH (c, &u->claims, link) {
		if (c->state == CLAIM_USED)
			continue;
		out->bytes[c->purpose] += c->bytes;
		out->files++;
		if (out->first_us == 0 || c->slot_us < out->first_us)
			out->first_us = c->slot_us;
	}
}

void
upload_claim_remove(struct upload_claim *c)
{
	LIST_REMOVE(c, link);
	free(c);
}

static void user_check(struct upload_user *u);

static void
on_claim_ends(struct timer *timer)
{
	struct upload_user *u = CONTAINER_OF(timer, struct upload_user, timer);
	struct upload_claim *c = LIST_FIRST(&u->claims), *next;
	int64_t now = user_wall_us(u);

	for (; c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->slot_us > now || c->state == CLAIM_TAKEN)
			continue;
		upload_claim_remove(c);
	}
	user_check(u);
}

/* One that is taken is looked at again when its PUT has ended. */
static void
user_watch(struct upload_user *u)
{
	const struct upload_claim *c;
	int64_t first = INT64_MAX;

	LIST_FOREACH (c, &u->claims, link)
		if (c->state != CLAIM_TAKEN)
			first = MIN(first, c->slot_us);
	if (first != INT64_MAX)
		shard_timer(u->here->shard, &u->timer,
			MAX(first - user_wall_us(u), 0), on_claim_ends);
	else
		shard_timer_cancel(u->here->shard, &u->timer);
}

struct upload_claim *
upload_claim_add(struct upload_user *u, struct str id,
	enum upload_purpose purpose, uint64_t bytes, int64_t slot_us)
{
	struct upload_claim *c = xcalloc(1, sizeof(*c));

	memcpy(c->id, id.p, UPLOAD_ID_BYTES);
	c->purpose = purpose;
	c->bytes = bytes;
	c->slot_us = slot_us;
	LIST_INSERT_HEAD(&u->claims, c, link);
	return c;
}

/* --- life ----------------------------------------------------------------------------- */

static void
user_free(struct upload_user *u)
{
	struct upload_claim *c;

	while ((c = LIST_FIRST(&u->claims)) != NULL)
		upload_claim_remove(c);
	shard_timer_cancel(u->here->shard, &u->timer);
	explicit_bzero(u->key, sizeof(u->key));
	free(u->host);
	free(u->bare);
	free(u->owner);
	free(u);
}

static void
user_leave(struct upload_user *u)
{
	if (!u->gone)
		table_remove(&u->here->users, u->hash, u);
	u->gone = true;
}

/* It is not busy any more, or a claim is another: leaves memory where nobody needs it,
 * and u is freed. */
static void
user_check(struct upload_user *u)
{
	user_watch(u);
	if (u->busy != 0 || u->loading || (!u->gone && !LIST_EMPTY(&u->claims)))
		return;
	user_leave(u);
	user_free(u);
}

static struct upload_user *
user_get(struct upload_shard *us, struct str host, struct str bare)
{
	uint64_t hash = server_hash(us->shard->server, bare);
	size_t at = table_start(&us->users, hash);
	struct upload_user *u;

	while ((u = table_next(&us->users, hash, &at)) != NULL)
		if (str_is(bare, u->bare) && str_is(host, u->host))
			return u;
	return NULL;
}

static struct upload_user *
user_new(struct upload_shard *us, struct str host, struct str bare)
{
	struct upload_user *u = xcalloc(1, sizeof(*u));
	struct arena *a = arena_new();

	u->here = us;
	u->host = str_dup(host);
	u->bare = str_dup(bare);
	u->owner = str_dup(upload_owner(a, host, bare));
	u->hash = server_hash(us->shard->server, bare);
	STAILQ_INIT(&u->waiting);
	upload_own_init(&u->own);
	table_add(&us->users, u->hash, u);
	arena_free(a);
	return u;
}

struct upload_user *
upload_user_find(struct module_ctx *m, struct shard *sh, struct str host,
	struct str bare)
{
	struct upload_user *u = user_get(upload_shard_of(m, sh), host, bare);

	return u != NULL && u->loaded ? u : NULL;
}

void
upload_user_forget(struct upload_shard *us, struct str host, struct str bare)
{
	struct upload_user *u = user_get(us, host, bare);

	if (u == NULL)
		return;
	user_leave(u);
	user_check(u);
}

struct release {
	struct module_entry *entry; /* held */
	char *host, *bare;
	char id[UPLOAD_ID_BYTES + 1];
};

/* At the place of the user, who is in memory as long as a slot of his is taken, unless
 * his account has gone. */
static void
on_release(struct shard *sh, void *arg)
{
	struct release r = *(struct release *)arg;
	struct upload_user *u = user_get(
		upload_shard_at(r.entry, sh), str_c(r.host), str_c(r.bare));
	struct upload_claim *c =
		u != NULL ? upload_claim_find(u, str_c(r.id)) : NULL;

	free(arg);
	if (c != NULL && c->state == CLAIM_TAKEN) {
		c->state = CLAIM_FREE;
		user_check(u);
	}
	free(r.host);
	free(r.bare);
	module_release(r.entry);
}

void
upload_claim_release(struct module_entry *entry, struct shard *sh,
	struct str host, struct str bare, struct str id)
{
	struct release *r = xcalloc(1, sizeof(*r));

	module_entry_hold(entry);
	r->entry = entry;
	r->host = str_dup(host);
	r->bare = str_dup(bare);
	memcpy(r->id, id.p, UPLOAD_ID_BYTES);
	place_post(sh->server, server_place_of(sh->server, bare), on_release, r,
		sizeof(*r));
}

void
upload_users_done(struct upload_shard *us)
{
	struct table_walk walk = table_walk(&us->users);
	struct upload_user *u;

	while ((u = table_step(&us->users, &walk)) != NULL)
		user_free(u);
	table_done(&us->users);
}

/* --- limits ------------------------------------------------------------------------------ */

void
upload_user_limits(struct module_ctx *m, const struct upload_user *u,
	struct upload_limits *out)
{
	upload_limits_of(m->conf, out);
	upload_own_apply(&u->own, out);
}

/* --- stored ------------------------------------------------------------------------------- */

static void
series_read(struct upload_user *u, struct str text)
{
	if (text.n == 0 || text.n >= sizeof(u->series))
		return;
	memcpy(u->series, text.p, text.n);
	u->series[text.n] = '\0';
	u->stored = true;
}

void
upload_user_write(struct upload_user *u, struct store_tx *tx)
{
	struct store_place at = user_map(u);
	struct buf text = BUF_INIT;

	if (u->owner[0] != '/')
		store_tx_require(tx,
			(struct store_place){ at.host, at.owner,
				STR(MAP_ACCOUNT) },
			STR(KEY_CREATED));
	if (!u->stored)
		store_tx_set(tx, at, STR(KEY_SERIES), str_c(u->series));
	upload_usage_write(&text, &u->usage);
	store_tx_set(tx, at, STR(KEY_USAGE), buf_str(&text));
	text.n = 0;
	upload_own_write(&text, &u->own);
	store_tx_set(tx, at, STR(KEY_LIMITS), buf_str(&text));
	buf_done(&text);
}

/* --- jobs ------------------------------------------------------------------------------------ */

static void
on_job_home(struct shard *sh, void *arg)
{
	struct upload_job *job = arg;
	struct module_entry *entry = job->entry;

	job->done(sh, job);
	free(job->host);
	free(job->bare);
	free(job);
	module_release(entry);
}

static void
job_go_home(struct shard *sh, struct upload_job *job)
{
	place_post(sh->server, job->home, on_job_home, job, sizeof(*job));
}

void
upload_job_end(struct upload_job *job)
{
	struct upload_user *u = job->user;

	job->user = NULL;
	job_go_home(u->here->shard, job);
	u->busy--;
	user_check(u);
}

static struct module_ctx *
job_module(struct shard *sh, const struct upload_job *job)
{
	return upload_module(sh, str_c(job->host), job->entry);
}

/* u is busy until it has ended. */
static void
job_run(struct upload_user *u, struct upload_job *job)
{
	struct module_ctx *m = job_module(u->here->shard, job);

	u->busy++;
	job->user = u;
	if (m != NULL) {
		job->run(m, u, job);
		return;
	}
	err_set(&job->err, ERR_CLOSED, "the module is not in force any more");
	upload_job_end(job);
}

static void
user_take(struct upload_user *u, const struct store_answer *answer)
{
	struct rand_source *rand = u->here->shard->rand;

	for (size_t i = 0; i < answer->n; i++) {
		const struct store_entry *e = &answer->entries[i];

		if (str_is(e->key, KEY_SERIES))
			series_read(u, e->value);
		else if (str_is(e->key, KEY_USAGE))
			upload_usage_read(&u->usage, e->value);
		else if (str_is(e->key, KEY_LIMITS))
			upload_own_read(&u->own, e->value);
	}
	if (!u->stored)
		rand_id(rand, u->series);
	rand_id(rand, u->key);
	rand_id(rand, u->key + RAND_ID_SIZE - 1);
	u->loaded = true;
}

static void
on_user_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct upload_user *u = arg;
	struct upload_job *job;

	u->loading = false;
	if (err == NULL)
		user_take(u, answer);
	else
		user_leave(u);
	u->busy++;
	while ((job = STAILQ_FIRST(&u->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&u->waiting, link);
		if (err == NULL) {
			job_run(u, job);
		} else {
			job->err = *err;
			job_go_home(u->here->shard, job);
		}
	}
	u->busy--;
	user_check(u);
}

/* At the place of the user. */
static void
on_job_arrives(struct shard *sh, void *arg)
{
	struct upload_job *job = arg;
	struct module_ctx *m = job_module(sh, job);
	struct upload_shard *us;
	struct upload_user *u;

	if (m == NULL) {
		err_set(&job->err, ERR_CLOSED,
			"the module is not in force any more");
		job_go_home(sh, job);
		return;
	}
	us = upload_shard_of(m, sh);
	u = user_get(us, str_c(job->host), str_c(job->bare));
	if (u == NULL)
		u = user_new(us, str_c(job->host), str_c(job->bare));
	if (u->loaded) {
		job_run(u, job);
		return;
	}
	STAILQ_INSERT_TAIL(&u->waiting, job, link);
	if (u->loading)
		return;
	u->loading = true;
	module_list(m, sh, user_map(u), on_user_read, u);
}

void
upload_ask(struct module_ctx *m, struct shard *sh, struct upload_job *job,
	struct str host, struct str bare)
{
	job->entry = module_hold(m);
	job->home = place_of_shard(sh);
	job->host = str_dup(host);
	job->bare = str_dup(bare);
	place_post(sh->server, server_place_of(sh->server, bare), on_job_arrives,
		job, sizeof(*job));
}

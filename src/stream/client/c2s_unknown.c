/*
 * c2s_unknown.c - what a login shows of an account that does not exist: the
 * same as of one that does (hostile 28).
 *
 * Owner shard.  Accounts keep the iterations and the size of the salt with which
 * their password was set, or with which they were imported, so a host that has
 * changed `scram_iterations' has several such looks in use.  Each that is met
 * with an account is remembered, in the store and on all shards; a name without
 * an account then has one of them, as if its owner had set a password some time
 * ago: when a look is new, half of the names take it over, each at a time of its
 * own within the next year, the sooner the more of them, and the others keep
 * what they had.  So no name changes its look when nothing would have changed
 * it, and no look is that of accounts alone.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/store.h"
#include "core/host.h"
#include "core/server.h"
#include "account/credentials.h"

/* One entry for each look: "10000/16", and the time when it was first met in
 * microseconds, as decimal numbers. */
#define MAP_LOOKS "looks"
#define LOOKS_MAX 16 /* of a host */
#define YEAR_US (INT64_C(365) * 86400 * US_PER_S)

struct look {
	struct c2s_look seen;
	int64_t since_us; /* wall clock */
};

/* Of a host, on one shard. */
struct c2s_looks {
	UT_hash_handle hh;
	bool loaded;
	size_t n;
	struct look looks[LOOKS_MAX]; /* the first that was met at the front */
	char host[];
};

static struct c2s_looks *
looks_get(struct shard *sh, struct str host)
{
	struct c2s_shard *cs = c2s_shard(sh);
	struct c2s_looks *l;

	HASH_FIND(hh, cs->looks, host.p, (unsigned)host.n, l);
	if (l != NULL)
		return l;
	l = xcalloc(1, sizeof(*l) + host.n + 1);
	memcpy(l->host, host.p, host.n);
	HASH_ADD_KEYPTR(hh, cs->looks, l->host, (unsigned)host.n, l);
	return l;
}

void
c2s_looks_free(struct c2s_shard *cs)
{
	struct c2s_looks *l, *next;

	HASH_ITER (hh, cs->looks, l, next) {
		HASH_DEL(cs->looks, l);
		free(l);
	}
	buf_done(&cs->unknown);
}

static bool
look_eq(struct c2s_look a, struct c2s_look b)
{
	return a.iterations == b.iterations && a.salt_bytes == b.salt_bytes;
}

/* Keeps the order of time; false when it is there already, or there is no more
 * room. */
static bool
looks_add(struct c2s_looks *l, struct look look)
{
	size_t at = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (look_eq(l->looks[i].seen, look.seen))
			return false;
		if (l->looks[i].since_us <= look.since_us)
			at = i + 1;
	}
	if (l->n == LOOKS_MAX)
		return false;
	memmove(&l->looks[at + 1], &l->looks[at],
		(l->n - at) * sizeof(l->looks[0]));
	l->looks[at] = look;
	l->n++;
	return true;
}

/* --- kept ----------------------------------------------------------------- */

static struct store_place
looks_place(struct str host)
{
	return (struct store_place){ host, STR(""), STR(MAP_LOOKS) };
}

static bool
look_read(struct look *out, const struct store_entry *e)
{
	struct str iterations, salt;
	long long i, s, since;

	if (!str_cut(e->key, '/', &iterations, &salt) ||
		!str_to_int(iterations, 1, SCRAM_ITERATIONS_MAX, &i) ||
		!str_to_int(salt, 1, SCRAM_SALT_MAX, &s) ||
		!str_to_int(e->value, 0, INT64_MAX, &since))
		return false;
	*out = (struct look){ { (uint32_t)i, (uint32_t)s }, since };
	return true;
}

static void
look_write(struct shard *sh, struct str host, const struct look *look)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	struct store_tx *tx = store_tx_new();

	buf_printf(&key, "%u/%u", (unsigned)look->seen.iterations,
		(unsigned)look->seen.salt_bytes);
	buf_printf(&value, "%lld", (long long)look->since_us);
	store_tx_set(tx, looks_place(host), buf_str(&key), buf_str(&value));
	/* one that is lost is met again */
	store_commit(sh->server->store, tx, NULL, NULL, NULL);
	buf_done(&key);
	buf_done(&value);
}

struct looks_wait {
	struct shard *shard;
	void (*then)(struct shard *sh, uint64_t token);
	uint64_t token;
	char host[];
};

/* A store that cannot tell leaves us with the looks that are met from now on. */
static void
on_looks_listed(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct looks_wait *w = arg;
	struct c2s_looks *l;
	struct look look;

	if (w->shard->streams == NULL) { /* the stream layer has ended */
		free(w);
		return;
	}
	l = looks_get(w->shard, str_c(w->host));
	for (size_t i = 0; err == NULL && i < answer->n; i++) {
		if (look_read(&look, &answer->entries[i]))
			looks_add(l, look);
	}
	l->loaded = true;
	w->then(w->shard, w->token);
	free(w);
}

bool
c2s_looks_loaded(struct shard *sh, struct str host,
	void (*then)(struct shard *sh, uint64_t token), uint64_t token)
{
	struct looks_wait *w;

	if (looks_get(sh, host)->loaded)
		return true;
	w = xcalloc(1, sizeof(*w) + host.n + 1);
	w->shard = sh;
	w->then = then;
	w->token = token;
	memcpy(w->host, host.p, host.n);
	store_list(sh->server->store, looks_place(host), &sh->mailbox,
		on_looks_listed, w);
	return false;
}

/* --- met ------------------------------------------------------------------ */

struct looks_news {
	struct look look;
	char host[];
};

static void
news_visit(struct shard *sh, void *arg)
{
	const struct looks_news *news = arg;

	if (sh->streams != NULL)
		looks_add(looks_get(sh, str_c(news->host)), news->look);
}

static void
news_done(struct shard *from, void *arg)
{
	(void)from;
	free(arg);
}

void
c2s_looks_meet(struct shard *sh, struct str host, struct c2s_look seen)
{
	struct look look = { seen, shard_wall_us(sh) };
	struct looks_news *news;

	if (!looks_add(looks_get(sh, host), look))
		return;
	look_write(sh, host, &look);
	news = xcalloc(1, sizeof(*news) + host.n + 1);
	news->look = look;
	memcpy(news->host, host.p, host.n);
	shard_visit_all(sh, news_visit, news_done, news);
}

/* --- shown ---------------------------------------------------------------- */

/* Has the owner of the name that hashes to h taken over a look which is that
 * old?  The share of those that have grows as the third root of the time. */
static bool
took_over(uint64_t h, int64_t age_us)
{
	uint64_t u = h & 0xffff;

	return (h >> 63) != 0 &&
		age_us >= (int64_t)(u * u * u >> 32) * (YEAR_US >> 16);
}

struct c2s_look
c2s_look_of(struct shard *sh, struct str host, struct str account,
	uint32_t iterations)
{
	const struct c2s_looks *l = looks_get(sh, host);
	struct c2s_look shown = { iterations, SCRAM_SALT_BYTES };
	int64_t now = shard_wall_us(sh);
	struct hash_key key;

	/* the same for every stream, and after a restart */
	memcpy(&key, sh->server->secret, sizeof(key));
	for (size_t i = 0; i < l->n; i++) {
		const struct look *look = &l->looks[i];
		struct hash_key k = key;

		k.k0 ^= look->seen.iterations;
		k.k1 ^= look->seen.salt_bytes;
		if (i == 0 || took_over(hash_bytes(&k, account.p, account.n),
				      now - look->since_us))
			shown = look->seen;
	}
	return shown;
}

struct str
c2s_unknown_text(struct c2s_shard *cs)
{
	struct credentials creds = { .verifiers = { { 0 } } };

	for (unsigned i = 0; cs->unknown.n == 0 && i < SCRAM_HASHES; i++) {
		creds.verifiers[i].iterations = SCRAM_ITERATIONS_DEFAULT;
		creds.verifiers[i].salt_len = SCRAM_SALT_BYTES;
	}
	if (cs->unknown.n == 0)
		credentials_format(&cs->unknown, &creds);
	return buf_str(&cs->unknown);
}

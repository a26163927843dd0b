/*
 * test_c2s_unknown.c - a login to an account that does not exist: it takes the
 * same work, and shows the same, as one to an account that does (hostile 28).
 *
 * Work is counted, and not timed: what is asked of the store, of the hashes and
 * of malloc.  The linker puts the functions below between (--wrap).
 */
#include "config.h"

#include "stream/client/c2s.h"

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/text.h"
#include "net/conn.h"
#include "store/store.h"
#include "core/server.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "sasl_client.h"
#include "test.h"

#define HOME "192.0.2.1"
#define MANY 300
#define UNLIMITED                                                              \
	"limits: { auth_failures_per_account: 1000000, "                       \
	"auth_failures_per_address: 1000000, auth_failures_spread: 1000000 }"

/* --- work ----------------------------------------------------------------- */

struct work {
	uint64_t reads;      /* of the store */
	uint64_t hashed;     /* bytes */
	uint64_t rounds;     /* of PBKDF2 */
	uint64_t allocated;  /* bytes */
	uint64_t allocations;
};

static struct work work;
static bool in_store; /* whose answer is as large as what it has found */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static void
count_allocation(size_t n)
{
	if (in_store)
		return;
	work.allocated += n;
	work.allocations++;
}

void *
__wrap_malloc(size_t n)
{
	count_allocation(n);
	return __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	count_allocation(n * size);
	return __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	count_allocation(n);
	return __real_realloc(p, n);
}

bool __real_store_turn(struct store *s);
bool __wrap_store_turn(struct store *s);

bool
__wrap_store_turn(struct store *s)
{
	bool busy;

	in_store = true;
	busy = __real_store_turn(s);
	in_store = false;
	return busy;
}

void __real_store_get(struct store *s, struct store_place at, struct str key,
	struct mailbox *reply, store_read_fn fn, void *arg);
void __wrap_store_get(struct store *s, struct store_place at, struct str key,
	struct mailbox *reply, store_read_fn fn, void *arg);

void
__wrap_store_get(struct store *s, struct store_place at, struct str key,
	struct mailbox *reply, store_read_fn fn, void *arg)
{
	work.reads++;
	__real_store_get(s, at, key, reply, fn, arg);
}

void __real_store_list(struct store *s, struct store_place at,
	struct mailbox *reply, store_read_fn fn, void *arg);
void __wrap_store_list(struct store *s, struct store_place at,
	struct mailbox *reply, store_read_fn fn, void *arg);

void
__wrap_store_list(struct store *s, struct store_place at,
	struct mailbox *reply, store_read_fn fn, void *arg)
{
	work.reads++;
	__real_store_list(s, at, reply, fn, arg);
}

int __real_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *p, size_t n);
int __wrap_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *p, size_t n);

int
__wrap_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *p, size_t n)
{
	work.hashed += n;
	return __real_EVP_DigestUpdate(ctx, p, n);
}

int __real_PKCS5_PBKDF2_HMAC(const char *pass, int passlen,
	const unsigned char *salt, int saltlen, int iter, const EVP_MD *digest,
	int keylen, unsigned char *out);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen,
	const unsigned char *salt, int saltlen, int iter, const EVP_MD *digest,
	int keylen, unsigned char *out);

int
__wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen,
	const unsigned char *salt, int saltlen, int iter, const EVP_MD *digest,
	int keylen, unsigned char *out)
{
	work.rounds += (uint64_t)iter;
	return __real_PKCS5_PBKDF2_HMAC(pass, passlen, salt, saltlen, iter,
		digest, keylen, out);
}

/* --- what is shown -------------------------------------------------------- */

static void
say_first(struct peer *p, const char *mechanism, const char *name)
{
	struct buf plain = BUF_INIT, text = BUF_INIT;

	if (strcmp(mechanism, "PLAIN") == 0) {
		buf_add(&plain, "", 1);
		buf_add_c(&plain, name);
		buf_add(&plain, "", 1);
		buf_add_c(&plain, "wrong");
	} else {
		buf_printf(&plain, "n,,n=%s,r=abc", name);
	}
	buf_printf(&text, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
		"mechanism='%s'>", mechanism);
	base64_encode(&text, plain.p, plain.n);
	buf_add_c(&text, "</auth>");
	peer_say(p, buf_c(&text));
	buf_done(&plain);
	buf_done(&text);
}

/* "16/4096": bytes of the salt, iterations; what the peer was told is left in
 * p->got. */
static void
look_take(struct peer *p, char *out, size_t n, struct buf *salt_out)
{
	struct buf raw = BUF_INIT, salt = BUF_INIT;
	struct str got = buf_str(&p->got), text, rest;

	CHECK_GOT(p, "<challenge");
	CHECK(str_cut(got, '>', &text, &rest));
	str_cut(rest, '<', &text, &rest);
	CHECK(base64_decode(&raw, text));
	CHECK(base64_decode(&salt, client_attr(buf_str(&raw), 's')));
	snprintf(out, n, "%zu/%.*s", salt.n,
		STR_ARG(client_attr(buf_str(&raw), 'i')));
	if (salt_out != NULL)
		buf_add(salt_out, salt.p, salt.n);
	buf_done(&raw);
	buf_done(&salt);
}

static const char *
look_of(struct world *w, unsigned shard, const char *name)
{
	static _Thread_local char text[32];
	struct peer p;

	peer_open_from(&p, w, shard, HOME);
	peer_say(&p, HEADER);
	say_first(&p, "SCRAM-SHA-256", name);
	look_take(&p, text, sizeof(text), NULL);
	peer_done(&p);
	return text;
}

/* --- the same work -------------------------------------------------------- */

/* All of one login that fails, from <auth/> to <failure/>. */
static struct work
work_of(struct world *w, const char *mechanism, const char *name)
{
	struct work before;
	struct peer p;

	peer_open_from(&p, w, 0, HOME);
	peer_say(&p, HEADER);
	before = work;
	say_first(&p, mechanism, name);
	if (strcmp(mechanism, "PLAIN") != 0) {
		CHECK_GOT(&p, "<challenge");
		peer_say(&p, SASL("response", "YmFk"));
	}
	before = (struct work){
		work.reads - before.reads,
		work.hashed - before.hashed,
		work.rounds - before.rounds,
		work.allocated - before.allocated,
		work.allocations - before.allocations,
	};
	peer_done(&p);
	return before;
}

/* Without what is made or grown now and then, whoever comes. */
static struct work
least_work(struct world *w, const char *mechanism, const char *name)
{
	struct work least = work_of(w, mechanism, name);

	for (int i = 0; i < 10; i++) {
		struct work one = work_of(w, mechanism, name);

		least.reads = MIN(least.reads, one.reads);
		least.hashed = MIN(least.hashed, one.hashed);
		least.rounds = MIN(least.rounds, one.rounds);
		least.allocated = MIN(least.allocated, one.allocated);
		least.allocations = MIN(least.allocations, one.allocations);
	}
	return least;
}

TEST(a_login_takes_the_same_work_whether_or_not_there_is_an_account)
{
	static const char *const mechanisms[] = { "SCRAM-SHA-1",
		"SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN" };
	struct work yes, no;
	struct world w;

	world_init(&w, 1, "auth: { scram_iterations: 5000 }\n" UNLIMITED, "");
	world_add_account_as(&w, "there", 5000, 16);
	for (size_t i = 0; i < COUNT(mechanisms); i++) {
		TEST_CASE(mechanisms[i]);
		yes = least_work(&w, mechanisms[i], "there");
		no = least_work(&w, mechanisms[i], "their");
		CHECK_INT(yes.reads, 1);
		CHECK_INT(no.reads, 1);
		CHECK(yes.hashed > 0);
		CHECK_INT(yes.hashed, no.hashed);
		CHECK_INT(yes.rounds, no.rounds);
		CHECK_INT(yes.allocations, no.allocations);
		CHECK_INT(yes.allocated, no.allocated);
	}
	CHECK_INT(yes.rounds, 5000);
	world_done(&w);
}

/* --- the same to see ------------------------------------------------------ */

TEST(a_name_without_an_account_looks_as_accounts_do)
{
	struct world w;

	world_init(&w, 2, "auth: { scram_iterations: 7000 }", "");
	CHECK_STR(str_c(look_of(&w, 0, "nobody")), "16/7000");
	world_add_account_as(&w, "imported", 4096, 36);
	CHECK_STR(str_c(look_of(&w, 0, "imported")), "36/4096");
	for (unsigned shard = 0; shard < 2; shard++) {
		CHECK_STR(str_c(look_of(&w, shard, "nobody")), "36/4096");
		CHECK_STR(str_c(look_of(&w, shard, "somebody")), "36/4096");
	}
	world_done(&w);
}

struct seen {
	char look[MANY][32];
	size_t old, new;
};

static void
look_at_many(struct world *w, struct seen *seen)
{
	char name[16];

	seen->old = seen->new = 0;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "nobody%u", i);
		snprintf(seen->look[i], sizeof(seen->look[i]), "%s",
			look_of(w, i % 2, name));
		seen->old += strcmp(seen->look[i], "16/4096") == 0;
		seen->new += strcmp(seen->look[i], "16/9000") == 0;
	}
	CHECK_INT(seen->old + seen->new, MANY);
}

static size_t
changed_back(const struct seen *before, const struct seen *after)
{
	size_t n = 0;

	for (unsigned i = 0; i < MANY; i++)
		n += strcmp(before->look[i], "16/9000") == 0 &&
			strcmp(after->look[i], "16/4096") == 0;
	return n;
}

TEST(a_new_number_of_iterations_is_taken_over_as_by_accounts)
{
	static struct seen first, again, month, years;
	struct world w;

	world_init(&w, 2, UNLIMITED, "");
	CHECK_STR(str_c(look_of(&w, 0, "romeo")), "16/4096");
	look_at_many(&w, &first);
	CHECK_INT(first.old, MANY);
	world_add_account_as(&w, "new", 9000, 16);
	CHECK_STR(str_c(look_of(&w, 1, "new")), "16/9000");
	look_at_many(&w, &first);
	look_at_many(&w, &again);
	CHECK_INT(memcmp(&first, &again, sizeof(first)), 0);
	CHECK(first.new > 0 && first.new < MANY / 20);
	clock_manual_advance(&w.clock, 30 * 86400 * US_PER_S);
	look_at_many(&w, &month);
	CHECK_INT(changed_back(&first, &month), 0);
	CHECK(month.new > MANY / 10 && month.new < MANY / 3);
	for (int i = 0; i < 20; i++)
		clock_manual_advance(&w.clock, 365 * 86400 * US_PER_S);
	look_at_many(&w, &years);
	CHECK_INT(changed_back(&month, &years), 0);
	CHECK(years.new > MANY / 3 && years.old > MANY / 3);
	world_done(&w);
}

TEST(what_was_shown_is_shown_again_after_a_restart)
{
	struct world w;
	struct c2s_shard *cs;
	char before[40][32], name[16];

	world_init(&w, 1, UNLIMITED, "");
	world_add_account_as(&w, "new", 9000, 16);
	look_of(&w, 0, "romeo");
	look_of(&w, 0, "new");
	clock_manual_advance(&w.clock, 90 * 86400 * US_PER_S);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "nobody%u", i);
		snprintf(before[i], sizeof(before[i]), "%s",
			look_of(&w, 0, name));
	}
	/* all that a start finds is what is in the store */
	cs = c2s_shard(w.server->shards[0]);
	c2s_looks_free(cs);
	cs->unknown = (struct buf)BUF_INIT;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "nobody%u", i);
		CHECK_STR(str_c(look_of(&w, 0, name)), before[i]);
	}
	world_done(&w);
}

TEST_MAIN

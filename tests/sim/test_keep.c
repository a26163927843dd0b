/*
 * test_keep.c - what is stored before it is delivered: archives and messages for
 * those who are away, on a disk that is slow, or fails.
 */
#include "config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "unit/test.h"
#include "witness.h"
#include "world.h"

#define MESSAGES_MAX 300
#define TO(who) " to='" who "@" WORLD_HOST "' "
#define TO_DEVICE(who) " to='" who "@" WORLD_HOST "/r' "
#define BODY "><body>x</body></message>"

static struct world *
world_with(uint64_t seed, const char *archive)
{
	struct buf conf = BUF_INIT;
	struct world *w;

	buf_printf(&conf,
		/* nobody rests because much waits: time stands still */
		"limits: { stanzas_burst: 100000, bytes_burst: 16MiB, "
		"inbox_bytes: 16MiB }\n"
		"modules: { archive: off, testarchive: { %s }, "
		"offline: { max_messages: 10000, stranger_share: 100, "
		"sender_share: 100 } }\n",
		archive);
	w = world_of_two(seed, TEST_MODULE_DIR, buf_c(&conf));
	buf_done(&conf);
	return w;
}

/* --- reading archives --------------------------------------------------------- */

static void
on_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct buf *out = arg;

	CHECK(err == NULL);
	for (size_t i = 0; err == NULL && i < answer->n; i++) {
		const char *id = memmem(answer->entries[i].value.p,
			answer->entries[i].value.n, " id=", 4);

		CHECK(id != NULL);
		buf_printf(out, "%.*s ", (int)strcspn(id + 5, "'\""), id + 5);
	}
}

/* The ids in the log called name of local: "0 1 2 ". */
static const char *
archive(struct world *w, const char *local, const char *name, struct buf *out)
{
	struct store_place at = { STR(WORLD_HOST), str_c(local), str_c(name) };
	struct store_range all = { .max = 10000 };

	buf_consume(out, out->n);
	store_range(w->server->store, at, &all, &w->server->shards[0]->mailbox,
		on_read, out);
	world_settle(w);
	return buf_c(out);
}

/* --- order ------------------------------------------------------------------------ */

/* Messages and presence by turns, in any grouping, to one who is there. */
TEST(what_arrives_is_in_the_order_of_the_archives_and_of_sending)
{
	for (unsigned n = 0; n <= MESSAGES_MAX; n += n < 4 ? 1 : 74) {
		struct world *w = world_with(n, "");
		struct buf want = BUF_INIT, kept = BUF_INIT, log = BUF_INIT;
		struct witness romeo, juliet;

		witness_start(&romeo, w, "romeo");
		witness_start(&juliet, w, "juliet");
		for (unsigned i = 0; i < n; i++) {
			client_send(&romeo.c, "<message id='%u'" TO("juliet")
				BODY "<presence id='p'" TO("juliet") "/>", i);
			buf_printf(&want, "message:%u presence:p ", i);
			buf_printf(&kept, "%u ", i);
			if (world_draw(w, 3) == 0)
				turn_shards(w);
		}
		turn_shards(w);
		/* not before it is on disk, nor what came behind it */
		CHECK_CSTR(seen(&juliet), "");
		witness_turn(&juliet);
		CHECK_CSTR(seen(&juliet), buf_c(&want));
		CHECK_CSTR(archive(w, "juliet", "testarchive_got", &log),
			buf_c(&kept));
		CHECK_CSTR(archive(w, "juliet", "testarchive_copy", &log),
			buf_c(&kept));
		CHECK_CSTR(archive(w, "romeo", "testarchive_sent", &log),
			buf_c(&kept));
		CHECK_CSTR(seen(&romeo), "");
		witness_done(&romeo);
		witness_done(&juliet);
		world_free(w);
		buf_done(&want);
		buf_done(&kept);
		buf_done(&log);
	}
}

static void
on_moved(void *arg, bool more, const struct err *err)
{
	(void)arg;
	CHECK(!more && err == NULL);
}

/* All that juliet's archive has goes. */
static void
archive_empty(struct world *w)
{
	const struct store_trim all = { .before_us = INT64_MAX,
		.waits = STR("offline") };

	store_trim(w->server->store,
		(struct store_place){ STR(WORLD_HOST), STR("juliet"),
			STR("archive") },
		&all, &w->server->shards[0]->mailbox, on_moved, NULL);
}

/* At any moment while she comes for what waits, which is in the archive alone. */
TEST(what_leaves_the_archive_while_it_is_given_is_given_once)
{
	for (unsigned turns = 0; turns < 80; turns++) {
		struct world *w = world_of_two(turns, TEST_MODULE_DIR, "");
		struct witness romeo, juliet;

		witness_start(&romeo, w, "romeo");
		for (unsigned i = 0; i < 3; i++)
			client_send(&romeo.c, "<message id='%u'" TO("juliet")
				BODY, i);
		witness_turn(&romeo);
		witness_start_at(&juliet, w, "juliet", -1);
		seen_anew(&juliet);
		juliet.sees_all = false;
		client_send(&juliet.c, "<presence/>");
		for (unsigned i = 0; i < turns; i++)
			world_turn(w);
		archive_empty(w);
		witness_turn(&juliet);
		CHECK(strstr(seen(&juliet), "message:0 message:1 message:2 ") !=
			NULL);
		CHECK(strstr(strstr(seen(&juliet), "message:2"), "message:0") ==
			NULL);
		witness_done(&romeo);
		witness_done(&juliet);
		world_free(w);
	}
}

/* Two that keep it, of which neither hides it from the other. */
TEST(messages_for_one_who_is_away_are_archived_and_kept)
{
	for (unsigned n = 0; n <= MESSAGES_MAX; n += n < 4 ? 1 : 74) {
		struct world *w = world_with(n, "");
		struct buf want = BUF_INIT, kept = BUF_INIT, log = BUF_INIT;
		struct witness romeo, juliet;

		witness_start(&romeo, w, "romeo");
		for (unsigned i = 0; i < n; i++) {
			client_send(&romeo.c, "<message id='%u'" TO("juliet")
				BODY, i);
			buf_printf(&want, "message:%u ", i);
			buf_printf(&kept, "%u ", i);
			if (world_draw(w, 3) == 0)
				turn_shards(w);
		}
		witness_start(&juliet, w, "juliet");
		CHECK_CSTR(seen(&juliet), buf_c(&want));
		CHECK_CSTR(archive(w, "juliet", "testarchive_got", &log),
			buf_c(&kept));
		CHECK_CSTR(archive(w, "juliet", "offline", &log), "");
		CHECK_CSTR(seen(&romeo), "");
		witness_done(&romeo);
		witness_done(&juliet);
		world_free(w);
		buf_done(&want);
		buf_done(&kept);
		buf_done(&log);
	}
}

/* A slow disk holds up whom it concerns, and nobody else: what is sent is on its
 * way at once. */
TEST(what_is_sent_does_not_wait_for_its_archive)
{
	struct world *w = world_with(1, "got: no");
	struct faults faults = { 1, 0 };
	struct buf log = BUF_INIT;
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c,
		"<message id='1'" TO("juliet") BODY
		"<presence id='2'" TO("juliet") "/>");
	turn_shards(w);
	CHECK_CSTR(seen(&juliet), "message:1 presence:2 ");
	CHECK_CSTR(archive(w, "romeo", "testarchive_sent", &log), "1 ");
	/* it has gone out, and nobody can take it back */
	store_fail_when(w->server->store, witness_disk, &faults);
	client_send(&romeo.c, "<message id='3'" TO("juliet") BODY);
	witness_turn(&romeo);
	CHECK_CSTR(seen(&romeo), "");
	CHECK_CSTR(seen(&juliet), "message:1 presence:2 message:3 ");
	CHECK_CSTR(archive(w, "romeo", "testarchive_sent", &log), "1 ");
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
	buf_done(&log);
}

/* There was room when it was archived; that it has grown since changes nothing. */
TEST(what_is_sent_and_archived_is_not_refused_afterwards)
{
	struct world *w = world_with(3, "");
	struct buf log = BUF_INIT;
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&juliet.c, "<message id='1'" TO_DEVICE("romeo") BODY);
	turn_shards(w);
	client_send(&romeo.c, "<message id='grow'" TO("juliet") BODY);
	turn_shards(w);
	CHECK_CSTR(seen(&romeo), "");
	witness_turn(&juliet);
	CHECK_CSTR(archive(w, "romeo", "testarchive_sent", &log), "grow ");
	CHECK_CSTR(seen(&romeo), "message:1 ");
	CHECK_CSTR(seen(&juliet), "message:grow ");
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
	buf_done(&log);
}

TEST(what_waits_before_it_is_sent_holds_up_what_is_sent_behind_it)
{
	struct world *w = world_with(2, "before: yes");
	struct faults faults = { 0, 0 };
	struct buf log = BUF_INIT;
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c,
		"<message id='1'" TO("juliet") BODY
		"<presence id='2'" TO("juliet") "/>");
	turn_shards(w);
	CHECK_CSTR(archive(w, "juliet", "testarchive_got", &log), "");
	witness_turn(&juliet);
	CHECK_CSTR(seen(&juliet), "message:1 presence:2 ");
	store_fail_when(w->server->store, witness_disk, &faults);
	faults.writes = 1;
	client_send(&romeo.c, "<message id='3'" TO("juliet") BODY);
	witness_turn(&romeo);
	CHECK_CSTR(seen(&romeo), "message:3! ");
	CHECK_CSTR(seen(&juliet), "message:1 presence:2 ");
	CHECK_CSTR(archive(w, "romeo", "testarchive_sent", &log), "1 ");
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
	buf_done(&log);
}

/* --- copies of what is sent (XEP-0280 §8) -------------------------------------- */

/* They may show its id, which has to be there then; and no device sees what was
 * sent, or an error to it, before what was sent earlier. */
TEST(a_copy_waits_until_what_is_sent_is_archived)
{
	static const char *const conf[] = { "got: no", "before: yes" };

	for (size_t i = 0; i < COUNT(conf); i++) {
		struct world *w = world_with(i, conf[i]);
		struct witness romeo, copied, juliet;

		witness_start(&romeo, w, "romeo");
		witness_start_copied(&copied, w, "romeo");
		witness_start(&juliet, w, "juliet");
		seen_anew(&romeo);
		client_send(&romeo.c,
			"<message id='1'" TO("juliet") BODY
			"<message id='2' type='error'" TO_DEVICE("juliet") BODY
			"<message id='3'" TO("juliet") BODY);
		turn_shards(w);
		CHECK_CSTR(seen(&juliet),
			i == 0 ? "message:1 message:2! message:3 " : "");
		client_send(&juliet.c, "<message id='1' type='error'"
			TO_DEVICE("romeo") BODY);
		turn_shards(w);
		CHECK_CSTR(seen(&romeo), i == 0 ? "message:1! " : "");
		CHECK_CSTR(seen(&copied), "");
		witness_turn(&copied);
		CHECK_CSTR(seen(&copied),
			"sent:1 sent:2! sent:3 received:1! ");
		CHECK_CSTR(seen(&romeo), "message:1! ");
		witness_done(&romeo);
		witness_done(&copied);
		witness_done(&juliet);
		world_free(w);
	}
}

TEST(there_is_no_copy_of_what_is_sent_and_cannot_be_archived)
{
	static const char *const conf[] = { "got: no", "before: yes" };

	for (size_t i = 0; i < COUNT(conf); i++) {
		struct world *w = world_with(i, conf[i]);
		struct faults faults = { 1, 0 };
		struct witness romeo, copied, juliet;

		witness_start(&romeo, w, "romeo");
		witness_start_copied(&copied, w, "romeo");
		witness_start(&juliet, w, "juliet");
		store_fail_when(w->server->store, witness_disk, &faults);
		client_send(&romeo.c,
			"<message id='1'" TO("juliet") BODY
			"<message id='2' type='error'" TO_DEVICE("juliet") BODY);
		witness_turn(&copied);
		client_send(&romeo.c, "<message id='3'" TO("juliet") BODY);
		witness_turn(&copied);
		CHECK_CSTR(seen(&juliet), i == 0 ?
			"message:1 message:2! message:3 " :
			"message:2! message:3 ");
		CHECK_CSTR(seen(&copied), i == 0 ? "sent:2! sent:3 " :
			"sent:2! received:1! sent:3 ");
		witness_done(&romeo);
		witness_done(&copied);
		witness_done(&juliet);
		world_free(w);
	}
}

/* Both are in its archive, in this order. */
TEST(a_device_sees_what_is_sent_and_what_comes_in_the_order_of_the_archive)
{
	for (unsigned n = 0; n <= MESSAGES_MAX; n += n < 4 ? 1 : 74) {
		struct world *w = world_with(n, "");
		struct buf want = BUF_INIT;
		struct witness romeo, copied, juliet;

		witness_start(&romeo, w, "romeo");
		witness_start_copied(&copied, w, "romeo");
		witness_start(&juliet, w, "juliet");
		for (unsigned i = 0; i < n; i++) {
			client_send(&juliet.c, "<message id='%u'" TO("romeo")
				BODY, i);
			turn_shards(w);
			client_send(&romeo.c, "<message id='%u'" TO("juliet")
				BODY, i);
			turn_shards(w);
			buf_printf(&want, "message:%u sent:%u ", i, i);
			if (world_draw(w, 3) == 0)
				world_settle(w);
		}
		witness_turn(&copied);
		CHECK_CSTR(seen(&copied), buf_c(&want));
		witness_done(&romeo);
		witness_done(&copied);
		witness_done(&juliet);
		world_free(w);
		buf_done(&want);
	}
}

/* The account leaves memory meanwhile. */
TEST(copies_that_wait_are_dropped_with_the_account)
{
	struct world *w = world_with(1, "got: no");
	int64_t before = memuse_sum(MEMUSE_WIRE).objects;
	struct witness romeo, copied;

	witness_start(&romeo, w, "romeo");
	witness_start_copied(&copied, w, "romeo");
	client_send(&romeo.c,
		"<message id='1'" TO("juliet") BODY
		"<message id='2' type='error'" TO_DEVICE("juliet") BODY);
	turn_shards(w);
	CHECK_CSTR(seen(&copied), "");
	client_done(&romeo.c);
	client_done(&copied.c);
	world_free(w);
	CHECK_INT(memuse_sum(MEMUSE_WIRE).objects, before);
	buf_done(&romeo.seen);
	buf_done(&copied.seen);
}

/* --- a disk that fails --------------------------------------------------------- */

/* Each message is delivered and in the archive, or its sender has an error, and
 * presence that was behind it is seen. */
TEST(what_cannot_be_stored_is_refused_and_not_delivered)
{
	for (unsigned n = 1; n <= MESSAGES_MAX; n += n < 4 ? 1 : 74) {
		struct world *w = world_with(n, "");
		struct faults faults = { 0, 0 };
		struct buf log = BUF_INIT, want = BUF_INIT;
		struct witness romeo, juliet;

		witness_start(&romeo, w, "romeo");
		witness_start(&juliet, w, "juliet");
		client_send(&romeo.c, "<message id='a'" TO("juliet") BODY);
		witness_turn(&romeo);
		for (unsigned i = 0; i < n; i++) {
			client_send(&romeo.c, "<message id='%u'" TO("juliet")
				BODY, i);
			buf_printf(&want, "message:%u! ", i);
		}
		client_send(&romeo.c,
			"<message type='headline' id='h'" TO("juliet") BODY
			"<presence id='p'" TO("juliet") "/>");
		turn_shards(w);
		/* of hers, and with it what he has written of his own */
		store_fail_when(w->server->store, witness_disk, &faults);
		faults.writes = 1;
		witness_turn(&romeo);
		CHECK_CSTR(seen(&romeo), buf_c(&want));
		CHECK_CSTR(seen(&juliet), "message:a presence:p ");
		CHECK_CSTR(archive(w, "juliet", "testarchive_got", &log), "a ");
		client_send(&romeo.c, "<message id='z'" TO("juliet") BODY);
		witness_turn(&romeo);
		CHECK_CSTR(seen(&juliet), "message:a presence:p message:z ");
		CHECK_CSTR(archive(w, "juliet", "testarchive_copy", &log),
			"a z ");
		witness_done(&romeo);
		witness_done(&juliet);
		world_free(w);
		buf_done(&log);
		buf_done(&want);
	}
}

TEST(presence_that_is_stored_and_cannot_be_is_dropped)
{
	struct world *w = world_with(3, "presence: yes");
	struct faults faults = { 0, 0 };
	struct buf log = BUF_INIT;
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c, "<presence id='1'" TO("juliet") "/>");
	turn_shards(w);
	store_fail_when(w->server->store, witness_disk, &faults);
	faults.writes = 1;
	witness_turn(&romeo);
	client_send(&romeo.c, "<presence id='2'" TO("juliet") "/>");
	witness_turn(&romeo);
	CHECK_CSTR(seen(&romeo), "");
	CHECK_CSTR(seen(&juliet), "presence:2 ");
	/* a handler behind the archive takes it: it is stored all the same */
	client_send(&romeo.c, "<presence type='subscribe' id='3'" TO("juliet")
		"/>");
	witness_turn(&romeo);
	CHECK_CSTR(seen(&juliet), "presence:2 presence:3 ");
	CHECK_CSTR(archive(w, "juliet", "testarchive_got", &log), "2 3 ");
	buf_done(&log);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* --- a store that is busy ------------------------------------------------------- */

/* More waits than may, until the store turns. */
static void
store_fill(struct world *w)
{
	struct buf value = BUF_INIT;

	memset(buf_reserve(&value, STORE_VALUE_MAX), 'x', STORE_VALUE_MAX);
	value.n = STORE_VALUE_MAX;
	for (int i = 0; i < 4; i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_set(tx,
			(struct store_place){ STR("x"), STR("x"), STR("x") },
			STR("k"), buf_str(&value));
		store_commit(w->server->store, tx, NULL, NULL, NULL);
	}
	buf_done(&value);
}

/* Streams rest meanwhile, and are looked at again now and then. */
static void
turn_for_long(struct world *w)
{
	turn_shards(w);
	clock_manual_advance(&w->clock, US_PER_S);
	turn_shards(w);
}

TEST(changes_and_messages_wait_in_order_while_the_store_is_busy)
{
	struct world *w = world_with(6, "");
	struct buf log = BUF_INIT;
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	store_fill(w);
	client_send(&romeo.c,
		"<presence type='subscribe' id='1'" TO("juliet") "/>"
		"<message id='2'" TO("juliet") BODY
		"<iq type='set' id='3'><query xmlns='jabber:iq:roster'>"
		"<item jid='c@x.example'/></query></iq>"
		"<message id='4'" TO("juliet") BODY);
	for (int i = 0; i < 8; i++)
		turn_for_long(w);
	CHECK_CSTR(seen(&romeo), "");
	CHECK_CSTR(seen(&juliet), "");
	witness_turn(&juliet);
	CHECK_CSTR(seen(&romeo), "iq:push iq:push iq:3 ");
	CHECK_CSTR(seen(&juliet), "presence:1 message:2 message:4 ");
	CHECK_CSTR(archive(w, "juliet", "testarchive_got", &log), "2 4 ");
	CHECK_CSTR(archive(w, "romeo", "testarchive_sent", &log), "2 4 ");
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
	buf_done(&log);
}

/* What waits for one who is away is bounded for each account, while much waits
 * in all; who is refused knows. */
TEST(what_an_account_stores_while_the_store_is_busy_is_bounded)
{
	struct world *w = world_new(7, 2, TEST_MODULE_DIR,
		"limits: { inbox_bytes: 64KiB, stanza_bytes: 16KiB }\n"
		"modules: { offline: { stranger_share: 100, sender_share: 100 } }\n");
	struct witness romeo, juliet;
	unsigned refused = 0;
	char body[10000];

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	witness_start(&romeo, w, "romeo");
	store_fill(w);
	for (int i = 0; i < 20; i++) {
		client_send(&romeo.c, "<message id='%d'" TO("juliet")
			"><body>%s</body></message>", i, body);
		turn_for_long(w);
	}
	for (const char *p = seen(&romeo); (p = strchr(p, '!')) != NULL; p++)
		refused++;
	CHECK(refused >= 10 && refused <= 18);
	CHECK(strstr(seen(&romeo), "message:0!") == NULL);
	CHECK(strstr(seen(&romeo), "message:19! ") != NULL);
	witness_turn(&romeo);
	client_send(&romeo.c, "<message id='20'" TO("juliet") BODY);
	witness_start(&juliet, w, "juliet");
	CHECK(str_starts(str_c(seen(&juliet)), STR("message:0 message:1 ")));
	CHECK(strstr(seen(&juliet), "message:20 ") != NULL);
	CHECK(strstr(seen(&juliet), "message:19 ") == NULL);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* However small a subscription is, what waits with it is not. */
TEST(what_waits_with_subscriptions_while_the_disk_is_slow_is_bounded)
{
	struct world *w = world_new(8, 2, TEST_MODULE_DIR,
		"limits: { stanzas_burst: 100000, bytes_burst: 16MiB }\n");
	struct witness romeo;
	int64_t before;

	world_add_account(w, "romeo");
	witness_start(&romeo, w, "romeo");
	before = memuse_sum(MEMUSE_ARENA).bytes;
	for (int i = 0; i < 1000; i++) {
		client_send(&romeo.c, "<presence type='subscribe'" TO("juliet")
			"/><presence type='unsubscribe'" TO("juliet") "/>");
		turn_shards(w);
	}
	CHECK(memuse_sum(MEMUSE_ARENA).bytes - before < 4 << 20);
	witness_turn(&romeo);
	CHECK(memuse_sum(MEMUSE_ARENA).bytes - before < 4 << 20);
	client_send(&romeo.c, "<iq type='get' id='p'>"
		"<query xmlns='jabber:iq:roster'/></iq>");
	witness_turn(&romeo);
	CHECK(strstr(seen(&romeo), "iq:p ") != NULL);
	witness_done(&romeo);
	world_free(w);
}

/* How many errors come others decide. */
TEST(errors_wait_for_what_they_are_about_while_there_is_room)
{
	struct world *w = world_new(9, 2, TEST_MODULE_DIR,
		"limits: { stanzas_burst: 100000, bytes_burst: 16MiB, "
		"inbox_bytes: 64KiB, stanza_bytes: 16KiB }\n");
	struct witness romeo, copied, juliet;
	uint64_t most = 0;

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	witness_start(&romeo, w, "romeo");
	witness_start_copied(&copied, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c, "<message type='chat' id='1'" TO("nobody") BODY);
	turn_shards(w);
	for (int i = 0; i < 100; i++) {
		client_send(&juliet.c, "<message id='%d' type='error'"
			TO_DEVICE("romeo") BODY, i);
		turn_shards(w);
	}
	for (unsigned i = 0; i < 2; i++)
		most = MAX(most,
			w->server->shards[i]->stats.line_bytes.highest);
	CHECK(most > 32 << 10 && most < 128 << 10);
	witness_turn(&copied);
	CHECK(strstr(seen(&copied), "sent:1 received:0! received:1! ") != NULL);
	CHECK(strstr(seen(&copied), "received:99! ") != NULL);
	witness_done(&romeo);
	witness_done(&copied);
	witness_done(&juliet);
	world_free(w);
}

/* RFC 6121 knows no way to say again what a contact was. */
TEST(the_last_presence_of_a_contact_finds_room_in_a_full_line)
{
	struct world *w = world_new(8, 2, TEST_MODULE_DIR,
		"limits: { inbox_bytes: 64KiB, stanza_bytes: 16KiB, "
		"stanzas_burst: 100000, bytes_burst: 16MiB }\n");
	struct witness romeo, juliet;
	char status[10000];

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	memset(status, 'x', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&juliet.c, "<presence type='subscribe'" TO("romeo") "/>");
	witness_turn(&juliet);
	client_send(&romeo.c, "<presence type='subscribed'" TO("juliet") "/>");
	seen_anew(&romeo);
	seen_anew(&juliet);
	client_send(&juliet.c,
		"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>"
		"<item jid='c@x.example'/></query></iq>");
	turn_shards(w);
	for (int i = 0; i < 100; i++) {
		client_send(&romeo.c, "<presence id='%d'><status>%s</status>"
			"</presence>", i, i % 10 == 0 ? status : "");
		turn_shards(w);
	}
	client_send(&romeo.c, "<message id='m'" TO("juliet")
		"><body>%s</body></message>", status);
	turn_shards(w);
	witness_turn(&juliet);
	CHECK(strstr(seen(&juliet), "presence:99 ") != NULL);
	CHECK(strstr(seen(&romeo), "presence:99!") == NULL);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* --- what there is no room for --------------------------------------------------- */

/* "id", and '+' for each time at which it is said to have been sent. */
static void
on_late(struct client *c, struct arena *a, struct elem *e)
{
	struct buf *out = c->user;

	if (str_is(e->name, "message")) {
		buf_printf(out, "%.*s", STR_ARG(elem_attr(e, "id")));
		elem_each_child(e, child)
			if (elem_is(child, NS_DELAY, "delay"))
				buf_add_c(out, "+");
		buf_add_c(out, " ");
	}
	arena_free(a);
}

/* However much comes while it waits in line, and asks whether there is room. */
TEST(what_cannot_be_kept_while_it_waits_is_delivered_as_it_was)
{
	for (unsigned n = 0; n <= MESSAGES_MAX; n += n < 4 ? 1 : 74) {
		struct world *w = world_of_two(n, TEST_MODULE_DIR,
			"limits: { stanzas_burst: 100000, bytes_burst: 16MiB, "
			"inbox_bytes: 16MiB }\n"
			"modules: { offline: { max_messages: 1, "
			"stranger_share: 100, sender_share: 100 } }\n");
		struct buf want = BUF_INIT, got = BUF_INIT;
		struct witness romeo, juliet;

		witness_start_at(&juliet, w, "juliet", -1);
		witness_start(&romeo, w, "romeo");
		juliet.c.on_stanza = on_late;
		juliet.c.user = &got;
		client_send(&romeo.c, "<message id='kept'" TO("juliet") BODY);
		witness_turn(&romeo);
		buf_add_c(&want, "kept+ ");
		for (unsigned i = 0; i < n; i++) {
			client_send(&romeo.c, "<message id='%u'" TO("juliet")
				BODY, i);
			turn_shards(w);
			buf_printf(&want, "%u ", i);
		}
		client_send(&juliet.c, "<presence/>");
		witness_turn(&juliet);
		CHECK_CSTR(buf_c(&got), buf_c(&want));
		witness_done(&romeo);
		witness_done(&juliet);
		world_free(w);
		buf_done(&want);
		buf_done(&got);
	}
}

/* --- where there is nothing to store for --------------------------------------- */

TEST(nothing_is_stored_for_an_address_without_an_account)
{
	struct world *w = world_with(4, "");
	struct buf log = BUF_INIT;
	struct witness romeo;

	witness_start(&romeo, w, "romeo");
	client_send(&romeo.c, "<message id='1'" TO("nobody") BODY);
	client_send(&romeo.c, "<message id='2' type='groupchat'" TO("nobody")
		BODY);
	witness_turn(&romeo);
	CHECK_CSTR(seen(&romeo), "message:2! ");
	CHECK_CSTR(archive(w, "nobody", "testarchive_got", &log), "");
	witness_done(&romeo);
	world_free(w);
	buf_done(&log);
}

/* Who has gone does not take along what he has sent, nor what has come. */
TEST(an_account_that_is_left_while_it_stores_loses_nothing)
{
	struct world *w = world_with(5, "before: yes");
	struct buf log = BUF_INIT;
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c, "<message id='1'" TO("juliet") BODY);
	turn_shards(w);
	client_break(&romeo.c);
	client_leave(&juliet.c);
	turn_shards(w);
	witness_done(&juliet);
	witness_start(&juliet, w, "juliet");
	CHECK_CSTR(seen(&juliet), "message:1 ");
	CHECK_CSTR(archive(w, "juliet", "testarchive_got", &log), "1 ");
	CHECK_CSTR(archive(w, "romeo", "testarchive_sent", &log), "1 ");
	client_done(&romeo.c);
	buf_done(&romeo.seen);
	witness_done(&juliet);
	world_free(w);
	buf_done(&log);
}

TEST_MAIN

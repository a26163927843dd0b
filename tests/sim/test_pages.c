/*
 * test_pages.c - pages of an archive (XEP-0313 §4) between whose slices something
 * happens: the owner has the archive deleted by another of his devices, at each moment
 * that there is; or the client's link breaks, and the server stops.  And what the
 * conversations take in memory that one asks for (XEP-0430).
 */
#include "config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "unit/test.h"
#include "device.h"
#include "witness.h"
#include "world.h"

/* A page of all of them is four slices. */
#define SAID 20
#define LONG 20000
#define MOMENTS 8 /* at which it may be deleted, so many turns apart */
#define APART 5

/* What a client is shown of a page. */
struct reader {
	struct client c;
	unsigned n;
	char ids[SAID][64];
	char first[64], last[64];
	bool answered, refused, complete;
};

static void
keep_text(char out[64], struct arena *a, const struct elem *parent, const char *name)
{
	const struct elem *e = elem_child(parent, NS_RSM, name);

	if (e != NULL)
		snprintf(out, 64, "%s", arena_str(a, elem_text(a, e)).p);
}

static void
on_answer(struct reader *r, struct arena *a, const struct elem *e)
{
	const struct elem *fin = elem_child(e, NS_MAM, "fin");
	const struct elem *set =
		fin != NULL ? elem_child(fin, NS_RSM, "set") : NULL;

	r->answered = true;
	r->refused = fin == NULL;
	r->complete = fin != NULL && str_is(elem_attr(fin, "complete"), "true");
	if (set == NULL)
		return;
	keep_text(r->first, a, set, "first");
	keep_text(r->last, a, set, "last");
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct reader *r = c->user;
	const struct elem *result = elem_child(e, NS_MAM, "result");

	if (result != NULL && r->n < SAID)
		snprintf(r->ids[r->n++], sizeof(r->ids[0]), "%s",
			arena_str(a, elem_attr(result, "id")).p);
	else if (str_is(elem_attr(e, "id"), "page"))
		on_answer(r, a, e);
	arena_free(a);
}

static void
reader_settle(struct reader *r)
{
	for (int i = 0; i < 8; i++) {
		world_settle(r->c.world);
		client_read(&r->c);
	}
}

static void
reader_start(struct reader *r, struct world *w)
{
	*r = (struct reader){ .n = 0 };
	client_init(&r->c, w, "romeo", "reader");
	r->c.on_stanza = on_stanza;
	r->c.user = r;
	client_connect(&r->c);
	reader_settle(r);
}

/* inner: what stands in the <set/>, and behind it. */
static void
reader_ask(struct reader *r, const char *inner)
{
	r->n = 0;
	r->answered = false;
	r->first[0] = r->last[0] = '\0';
	client_send(&r->c,
		"<iq type='set' id='page'><query xmlns='" NS_MAM "'>"
		"<set xmlns='" NS_RSM "'><max>%u</max>%s</query></iq>",
		SAID, inner);
}

/* All that romeo has said, from the first to the last. */
static void
fill(struct world *w, struct witness *romeo, struct reader *r)
{
	for (unsigned i = 0; i < SAID; i++)
		client_send(&romeo->c,
			"<message type='chat' to='juliet@" WORLD_HOST
			"'><body>%*s</body></message>", LONG, "x");
	world_settle(w);
	reader_ask(r, "</set>");
	reader_settle(r);
	CHECK(r->n == SAID && r->complete);
}

static const struct way {
	const char *what;
	bool after;   /* the first message */
	bool back;    /* the last page, */
	bool flipped; /* from its end */
} ways[] = {
	{ "from the first", false, false, false },
	{ "behind one", true, false, false },
	{ "the last page", false, true, false },
	{ "the last page, flipped", false, true, true },
	{ "the first, flipped", false, false, true },
};

static void
ask_this_way(struct reader *r, const struct way *way, const char *behind)
{
	struct buf inner = BUF_INIT;

	if (way->after)
		buf_printf(&inner, "<after>%s</after>", behind);
	if (way->back)
		buf_add_c(&inner, "<before/>");
	buf_add_c(&inner, "</set>");
	if (way->flipped)
		buf_add_c(&inner, "<flip-page/>");
	reader_ask(r, buf_c(&inner));
	buf_done(&inner);
}

/* What is shown is of all, in its order, with the ends that are said; how many are
 * left out. */
static unsigned
check_shown(const struct reader *r, const struct reader *all,
	const struct way *way)
{
	unsigned at = 0, first = way->after, n = r->n;

	for (unsigned i = 0; i < n; i++, at++) {
		const char *id = r->ids[way->flipped ? n - 1 - i : i];

		while (at < SAID && strcmp(all->ids[at], id) != 0)
			at++;
		CHECK(at < SAID);
	}
	if (n != 0) {
		CHECK_CSTR(r->first, r->ids[way->flipped ? n - 1 : 0]);
		CHECK_CSTR(r->last, r->ids[way->flipped ? 0 : n - 1]);
		CHECK_CSTR(r->last, all->ids[SAID - 1]);
	}
	return SAID - first - n;
}

/*
 * All but the last is deleted, so many turns behind the question, while its client
 * takes all, or nothing yet: how many messages the page has then, or -1, where it is
 * refused.
 */
static int
page_while_trimmed(const struct way *way, unsigned turns, bool slow)
{
	struct world *w = world_of_two(turns + 1, TEST_MODULE_DIR,
		"limits: { stanzas_burst: 100000, bytes_burst: 16MiB, inbox_bytes: 16MiB }\n"
		"modules: { archive: { client_trim: yes } }\n");
	struct witness romeo;
	struct reader r, all;
	int n;

	witness_start(&romeo, w, "romeo");
	reader_start(&r, w);
	fill(w, &romeo, &r);
	all = r;
	if (slow)
		conn_mem_take(r.c.conn, 0);
	ask_this_way(&r, way, all.ids[0]);
	for (unsigned i = 0; i < turns; i++)
		world_turn(w);
	seen_anew(&romeo);
	client_send(&romeo.c,
		"<iq type='set' id='t'><trim xmlns='" NS_MAM_TRIM "'><id>%s</id>"
		"</trim></iq>", all.ids[SAID - 2]);
	witness_turn(&romeo);
	CHECK_CSTR(seen(&romeo), "iq:t ");
	if (slow)
		conn_mem_take(r.c.conn, SIZE_MAX);
	reader_settle(&r);
	CHECK(r.answered);
	n = r.refused ? -1 : (int)r.n;
	if (r.refused)
		CHECK(way->after && r.n == 0);
	else
		CHECK(check_shown(&r, &all, way) == 0 || r.complete);
	client_done(&r.c);
	witness_done(&romeo);
	world_free(w);
	return n;
}

/* §4.3.2: what is not there any more when its turn comes is not shown, and that is
 * no error of a page that began where all was there. */
TEST(what_is_deleted_between_two_slices_is_not_shown_and_no_error)
{
	for (size_t i = 0; i < COUNT(ways); i++) {
		const int all = SAID - ways[i].after;
		unsigned between = 0;

		TEST_CASE(ways[i].what);
		for (unsigned j = 0; j < 2 * MOMENTS; j++) {
			int n = page_while_trimmed(&ways[i], j / 2 * APART,
				j % 2 != 0);

			between += n > 1 && n < all;
		}
		CHECK(between != 0);
	}
}

/* --- a client that sleeps --------------------------------------------------------- */

static void
on_last_page(struct device *d, struct elem *e)
{
	unsigned *answers = d->user;

	*answers += str_is(elem_attr(e, "id"), "page");
}

/* A server that can be started anew, and a device that has said all there is, and takes
 * nothing more; *answers counts its pages. */
static struct world *
world_of_full_device(struct device *d, unsigned *answers)
{
	struct world *w = world_new_lasting(1, 1, TEST_MODULE_DIR,
		"limits: { stanzas_burst: 100000, bytes_burst: 16MiB, "
		"inbox_bytes: 16MiB, write_queue_bytes: 64KiB }\n");

	world_add_account(w, "romeo");
	device_init(d, w, "romeo", "device");
	d->on_stanza = on_last_page;
	d->user = answers;
	device_come(d);
	device_settle(d);
	for (unsigned i = 0; i < SAID; i++)
		device_say(d, NO_TAG,
			"<message type='chat' to='juliet@" WORLD_HOST
			"'><body>%*s</body></message>", LONG, "x");
	device_settle(d);
	conn_mem_take(d->c.conn, 0);
	return w;
}

static void
device_asks(struct device *d)
{
	device_say(d, NO_TAG,
		"<iq type='set' id='page'><query xmlns='" NS_MAM "'/></iq>");
	device_settle(d);
}

/* When it has come again. */
static void
device_is_answered(struct device *d, unsigned n)
{
	device_come(d);
	device_settle(d);
	CHECK(d->resumed == 1);
	CHECK_INT(*(unsigned *)d->user, n);
}

/* So that it asks again: what it has asked for counts as dealt with, and it would wait
 * for ever. */
TEST(a_page_of_a_client_that_sleeps_is_answered_when_the_server_stops)
{
	unsigned answers = 0;
	struct device d;
	struct world *w = world_of_full_device(&d, &answers);

	device_asks(&d);
	client_break(&d.c);
	device_settle(&d);
	CHECK(answers == 0);
	world_restart(w, 1);
	device_is_answered(&d, 1);
	device_done(&d);
	world_free(w);
}

/* --- conversations (XEP-0430) ------------------------------------------------------- */

#define TALKS 24
#define MARKS 16 /* of each that are remembered */
#define MARK_BYTES 3000

/* Those of a client that names in its markers what is in no archive. */
static void
mark_much(struct world *w, struct witness *romeo)
{
	for (int i = 0; i < TALKS * MARKS; i++) {
		client_send(&romeo->c,
			"<message type='chat' to='u%d@" WORLD_HOST "'><displayed"
			" xmlns='" NS_MARKERS "' id='%0*d'/></message>",
			i % TALKS, MARK_BYTES, i);
		world_settle(w);
	}
	for (int i = 0; i < 50; i++)
		world_sleep(w, US_PER_S / 10);
}

/* What one asks for may take as much as one conversation has, and not all of them. */
TEST(the_markers_of_one_conversation_at_a_time_are_in_memory)
{
	struct world *w = world_of_two(1, TEST_MODULE_DIR,
		"limits: { stanzas_burst: 100000, bytes_burst: 16MiB }\n");
	struct witness romeo;
	struct reader r;
	int64_t before, peak = 0;

	witness_start(&romeo, w, "romeo");
	reader_start(&r, w);
	mark_much(w, &romeo);
	reader_settle(&r);
	before = memuse_sum(MEMUSE_ARENA).bytes;
	r.answered = false;
	client_send(&r.c, "<iq type='get' id='page'><inbox xmlns='" NS_INBOX
		"'/></iq>");
	for (int i = 0; i < 100000 && !r.answered; i++) {
		world_turn(w);
		peak = MAX(peak, memuse_sum(MEMUSE_ARENA).bytes - before);
		client_read(&r.c);
	}
	CHECK(r.answered);
	/* of one: what is remembered, what is read, and the answer of the store */
	CHECK(peak > MARKS * MARK_BYTES);
	CHECK(peak < TALKS * MARKS * MARK_BYTES / 2);
	client_done(&r.c);
	witness_done(&romeo);
	world_free(w);
}

/* What has yet to begin when a client is put to sleep by a stop is not dealt with, and
 * comes again; what has begun is answered. */
TEST(a_page_that_waits_for_another_is_answered_when_the_server_has_stopped)
{
	unsigned answers = 0;
	struct device d;
	struct world *w = world_of_full_device(&d, &answers);

	device_asks(&d);
	device_asks(&d);
	CHECK(answers == 0);
	world_restart(w, 1);
	client_break(&d.c);
	device_is_answered(&d, 2);
	device_done(&d);
	world_free(w);
}

/* --- a client that takes little, and acknowledges late -------------------------------- */

#define DAYS 40 /* seeds */
#define STEPS 60

/* One of the things that a link does, or its client. */
static void
device_is_tried(struct device *d, struct world *w)
{
	if (d->c.conn == NULL) {
		device_come(d);
		return;
	}
	switch (world_draw(w, 8)) {
	case 0:
		client_break(&d->c);
		break;
	case 1:
	case 2:
		conn_mem_take(d->c.conn, world_draw(w, 3) * LONG);
		break;
	case 3:
		conn_mem_take(d->c.conn, SIZE_MAX);
		break;
	case 4:
		d->mute = !d->mute;
		if (!d->mute && device_is_on(d))
			client_send(&d->c, "<a xmlns='" NS_SM "' h='%u'/>",
				(unsigned)d->h);
		break;
	case 5:
		world_sleep(w, (int64_t)world_draw(w, 30 * US_PER_S));
		break;
	default:
		if (device_is_on(d))
			device_say(d, NO_TAG, "<iq type='get' id='ping'>"
				"<ping xmlns='urn:xmpp:ping'/></iq>");
	}
	for (uint64_t n = world_draw(w, 20); n > 0; n--)
		world_turn(w);
	if (d->c.conn != NULL)
		client_read(&d->c);
}

/* It takes all, and says what it has. */
static void
device_is_well(struct device *d)
{
	if (d->c.conn == NULL)
		device_come(d);
	d->mute = false;
	conn_mem_take(d->c.conn, SIZE_MAX);
	device_settle(d);
	client_send(&d->c, "<a xmlns='" NS_SM "' h='%u'/><r xmlns='" NS_SM "'/>",
		(unsigned)d->h);
	device_settle(d);
	client_send(&d->c, "<r xmlns='" NS_SM "'/>");
	device_settle(d);
}

/* Nobody forgets to go on, whatever was full, slept, or was not acknowledged. */
TEST(a_page_is_answered_however_its_client_takes_and_acknowledges_it)
{
	for (uint64_t seed = 1; seed <= DAYS; seed++) {
		struct world *w = world_of_two(seed, TEST_MODULE_DIR,
			"limits: { stanzas_burst: 100000, bytes_burst: 16MiB, "
			"inbox_bytes: 16MiB, write_queue_bytes: 64KiB }\n"
			"modules: { sm: { sleep: 1h, answer_within: 1h } }\n");
		unsigned answers = 0;
		struct device d;

		device_init(&d, w, "romeo", "device");
		d.on_stanza = on_last_page;
		d.user = &answers;
		device_come(&d);
		device_settle(&d);
		for (unsigned i = 0; i < SAID; i++)
			device_say(&d, NO_TAG,
				"<message type='chat' to='juliet@" WORLD_HOST
				"'><body>%*s</body></message>", LONG, "x");
		device_settle(&d);
		device_say(&d, NO_TAG, "<iq type='set' id='page'><query xmlns='"
			NS_MAM "'/></iq>");
		for (unsigned i = 0; i < STEPS; i++)
			device_is_tried(&d, w);
		device_is_well(&d);
		CHECK_INT(d.failed, 0);
		CHECK_INT(answers, 1);
		CHECK_INT(d.out.n, 0);
		device_done(&d);
		world_free(w);
	}
}

TEST_MAIN

/*
 * test_stream_initiated.c - streams that we open: against one that is accepted, and
 * against bytes of a script, cut anywhere.
 */
#include "config.h"

#include "stream/stream.h"

#include <stdio.h>

#include "base/arena.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "conf/option.h"
#include "net/conn.h"
#include "core/host.h"
#include "core/place.h"
#include "stream/client/c2s.h"

#include "c2s_world.h"
#include "test.h"

/* --- a kind of stream that logs in as a client would ------------------------ */

struct caller {
	struct stream x;
	struct trip *trip;
};

/* What is left when a stream has been freed. */
struct trip {
	struct world world;
	struct conn *ours, *theirs; /* theirs: NULL with a script */
	struct caller *caller;      /* NULL: freed */
	struct buf wrote;           /* by us */
	struct buf heard;           /* names of elements, and events */
	char why[240];
	bool goodbye;
};

static void
hear(struct stream *x, const char *what)
{
	struct caller *c = CONTAINER_OF(x, struct caller, x);

	buf_printf(&c->trip->heard, "%s ", what);
}

static void
on_described(const void *x, char *out, size_t n)
{
	(void)x;
	snprintf(out, n, "caller");
}

static void
on_end_logged(const struct stream *x, const char *what, const char *why)
{
	const struct caller *c = CONTAINER_OF(x, struct caller, x);

	snprintf(c->trip->why, sizeof(c->trip->why), "%s: %s", what, why);
}

static struct str
on_domain_asked(const struct stream *x)
{
	(void)x;
	return STR("example.net");
}

static const char *
on_peer_asked(const struct stream *x)
{
	(void)x;
	return "example.org";
}

static struct host *
on_host_asked(const struct stream *x)
{
	return shard_host(x->shard, on_domain_asked(x));
}

static void
on_judged(struct stream *x, struct stream_header *h)
{
	(void)x;
	if (!str_is(h->from, "example.org"))
		stream_header_refuse(h, STREAM_INVALID_FROM, NULL);
	else if (h->given.n == 0)
		stream_header_refuse(h, STREAM_BAD_FORMAT, NULL);
}

static void
on_opened(struct stream *x, const struct stream_header *h)
{
	(void)h;
	hear(x, "opened");
}

static void
on_features(struct stream *x, const struct elem *e)
{
	if (elem_child(e, NS_TLS, "starttls") != NULL)
		stream_write_bytes(x, STR("<starttls " TLS "/>"));
	else if (elem_child(e, NS_SASL, "mechanisms") != NULL)
		stream_write_bytes(x, STR(AUTH_ROMEO));
	else if (elem_child(e, NS_BIND, "bind") != NULL)
		stream_write_bytes(x, STR(BIND("orchard")));
}

static void
on_element(struct stream *x, struct arena *a, struct elem *e)
{
	char name[40];

	snprintf(name, sizeof(name), "%.*s", STR_ARG(e->name));
	hear(x, name);
	if (elem_is(e, NS_STREAM, "features")) {
		on_features(x, e);
	} else if (elem_is(e, NS_TLS, "proceed")) {
		x->next = NEXT_TLS;
	} else if (elem_is(e, NS_SASL, "success")) {
		stream_authenticated(x);
		stream_restart(x, place_of_shard(x->shard));
	} else if (elem_is(e, NS_CLIENT, "iq")) {
		stream_bound(x);
	}
	arena_free(a);
}

static int64_t
on_due_asked(const struct stream *x)
{
	(void)x;
	return OPTION_NEVER;
}

static void
on_due(struct stream *x)
{
	stream_arm(x);
}

static void
on_full(struct stream *x, bool refused)
{
	(void)x;
	(void)refused;
}

static void
on_drained(struct stream *x)
{
	(void)x;
}

static void
on_ended(struct stream *x, bool goodbye)
{
	struct caller *c = CONTAINER_OF(x, struct caller, x);

	c->trip->goodbye |= goodbye; /* the second time it is the connection */
}

static void
on_closed(struct stream *x)
{
	struct caller *c = CONTAINER_OF(x, struct caller, x);

	stream_count_out(x);
	c->trip->caller = NULL;
	c->trip->ours = NULL;
}

static const struct stream_kind caller_kind = {
	.ns = { NS_CLIENT, sizeof(NS_CLIENT) - 1 },
	.alpn = "xmpp-client",
	.declares = " xmlns:more='urn:more'",
	.describe = on_described,
	.log_end = on_end_logged,
	.domain = on_domain_asked,
	.host = on_host_asked,
	.peer = on_peer_asked,
	.judge = on_judged,
	.opened = on_opened,
	.element = on_element,
	.due = on_due_asked,
	.do_due = on_due,
	.full = on_full,
	.drained = on_drained,
	.ended = on_ended,
	.closed = on_closed,
};

/* --- its two ends ------------------------------------------------------------ */

static void
on_ours_written(void *arg, const char *p, size_t n)
{
	struct trip *t = arg;

	buf_add(&t->wrote, p, n);
	if (t->theirs != NULL)
		conn_mem_feed(t->theirs, p, n);
}

static void
on_theirs_written(void *arg, const char *p, size_t n)
{
	struct trip *t = arg;

	if (t->ours != NULL)
		conn_mem_feed(t->ours, p, n);
}

static void
on_theirs_closed(void *arg)
{
	struct trip *t = arg;

	t->theirs = NULL;
	if (t->ours != NULL)
		conn_mem_hangup(t->ours);
}

static void
on_ours_closed(void *arg)
{
	struct trip *t = arg;

	if (t->theirs != NULL)
		conn_mem_hangup(t->theirs);
}

static void
trip_open(struct trip *t, bool direct)
{
	struct conn_mem_sink sink = { on_ours_written, on_ours_closed, t };
	struct shard *sh = t->world.server->shards[0];

	t->wrote.n = t->heard.n = 0;
	t->why[0] = '\0';
	t->ours = conn_new_mem(sh->net, &sink);
	t->caller = xcalloc(1, sizeof(*t->caller));
	t->caller->trip = t;
	stream_open_to(&t->caller->x, &caller_kind, sh, t->ours, direct);
	CHECK(stream_count_in(&t->caller->x));
	world_settle(&t->world);
}

static void
trip_close(struct trip *t)
{
	if (t->theirs != NULL)
		conn_mem_hangup(t->theirs);
	if (t->ours != NULL)
		conn_mem_hangup(t->ours);
	world_settle(&t->world);
	CHECK(t->caller == NULL);
}

static void
trip_init(struct trip *t)
{
	*t = (struct trip){ .ours = NULL };
	world_init(&t->world, 1, "", "");
}

static void
trip_done(struct trip *t)
{
	world_done(&t->world);
	buf_done(&t->wrote);
	buf_done(&t->heard);
}

#define CHECK_HEARD(t, text) CHECK_STR(str_c(buf_c(&(t)->heard)), text)

/* --- against a stream of ours ------------------------------------------------- */

static void
trip_call_ours(struct trip *t, bool direct)
{
	struct conn_mem_sink sink = { on_theirs_written, on_theirs_closed, t };
	struct shard *sh = t->world.server->shards[0];

	t->theirs = conn_new_mem(sh->net, &sink);
	c2s_accept_mem(sh, t->theirs, direct);
	trip_open(t, direct);
}

TEST(it_logs_in_where_it_is_accepted_by_us)
{
	struct trip t;

	trip_init(&t);
	trip_call_ours(&t, false);
	CHECK_HEARD(&t,
		"opened features proceed opened features success opened features iq ");
	CHECK(t.caller->x.stage == STAGE_BOUND && conn_is_secure(t.ours));
	trip_close(&t);
	trip_call_ours(&t, true);
	CHECK_HEARD(&t, "opened features success opened features iq ");
	stream_end(&t.caller->x, STREAM_COND_NONE, NULL);
	world_settle(&t.world);
	CHECK(t.caller == NULL && t.goodbye);
	trip_done(&t);
}

/* --- against a script ----------------------------------------------------------- */

#define HEAD_WITH(more)                                                        \
	"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "           \
	"xmlns:stream='http://etherx.jabber.org/streams' " more ">"
#define THEIRS HEAD_WITH("id='i1' from='example.org' version='1.0'")
#define FEATURES(text) "<stream:features>" text "</stream:features>"
#define STARTTLS "<starttls " TLS "/>"
#define PROCEED "<proceed " TLS "/>"
#define MECHANISMS SASL("mechanisms", "<mechanism>PLAIN</mechanism>")
#define SUCCESS SASL("success", "")
#define RESULT "<iq type='result' id='bind1'/>"

static const char *const script[] = {
	THEIRS FEATURES(STARTTLS),
	PROCEED,
	THEIRS FEATURES(MECHANISMS),
	SUCCESS,
	THEIRS FEATURES("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"),
	RESULT,
};
#define SAID                                                                   \
	"opened features proceed opened features success opened features iq "

static void
trip_hear(struct trip *t, const char *p, size_t n)
{
	if (t->ours != NULL)
		conn_mem_feed(t->ours, p, n);
	world_settle(&t->world);
}

/* Each part of the script is cut after n bytes of it. */
static void
trip_run(struct trip *t, size_t cut)
{
	trip_open(t, false);
	for (size_t i = 0; i < COUNT(script); i++) {
		size_t n = strlen(script[i]), first = MIN(cut, n);

		trip_hear(t, script[i], first);
		trip_hear(t, script[i] + first, n - first);
	}
	CHECK_HEARD(t, SAID);
	CHECK(t->caller != NULL && t->caller->x.stage == STAGE_BOUND);
	trip_close(t);
}

TEST(what_it_hears_may_be_cut_anywhere)
{
	size_t longest = 0;
	struct trip t;

	for (size_t i = 0; i < COUNT(script); i++)
		longest = MAX(longest, strlen(script[i]));
	trip_init(&t);
	for (size_t cut = 0; cut < longest; cut++)
		trip_run(&t, cut);
	trip_open(&t, false);
	for (size_t i = 0; i < COUNT(script); i++)
		for (const char *p = script[i]; *p != '\0'; p++)
			trip_hear(&t, p, 1);
	CHECK_HEARD(&t, SAID);
	trip_close(&t);
	trip_done(&t);
}

/* RFC 6120 §4.7: who, to whom, no id, and it comes first. */
TEST(its_header_comes_first_and_again_after_each_step)
{
	static const char header[] =
		"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
		"xmlns:stream='http://etherx.jabber.org/streams' "
		"xmlns:more='urn:more' from='example.net' to='example.org' "
		"version='1.0' xml:lang='en'>";
	struct buf all = BUF_INIT;
	struct trip t;

	trip_init(&t);
	trip_open(&t, false);
	CHECK_STR(str_c(buf_c(&t.wrote)), header);
	trip_close(&t);
	trip_run(&t, 0);
	buf_printf(&all, "%s%s%s%s%s%s</stream:stream>", header, STARTTLS,
		header, AUTH_ROMEO, header, BIND("orchard"));
	CHECK(str_eq(buf_str(&t.wrote),
		(struct str){ all.p, all.n - strlen("</stream:stream>") }));
	buf_done(&all);
	trip_open(&t, true);
	CHECK_STR(str_c(buf_c(&t.wrote)), header);
	trip_close(&t);
	trip_done(&t);
}

static const struct {
	const char *label, *in, *out, *heard;
} faults[] = {
	{ "their namespace", HEAD("jabber:server", S, "id='1' from='example.org' version='1.0'"),
		"<invalid-namespace ", "" },
	{ "no namespace", "<stream:stream xmlns:stream='" S "' id='1' version='1.0'>",
		"<invalid-namespace ", "" },
	{ "that of the stream", HEAD(C, "urn:other", "id='1' from='example.org' version='1.0'"),
		"<invalid-namespace ", "" },
	{ "no version", HEAD_WITH("id='1' from='example.org'"),
		"<unsupported-version ", "" },
	{ "an old version", HEAD_WITH("id='1' from='example.org' version='0.9'"),
		"<unsupported-version ", "" },
	{ "from another", HEAD_WITH("id='1' from='example.com' version='1.0'"),
		"<invalid-from ", "" },
	{ "no id", HEAD_WITH("from='example.org' version='1.0'"),
		"<bad-format ", "" },
	{ "an error in place of a header",
		"<stream:error xmlns:stream='" S "'><host-unknown "
		"xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
		"<bad-format ", "" },
	{ "no XMPP", "HTTP/1.1 400 Bad Request\r\n\r\n",
		"<not-well-formed ", "" },
	{ "restricted", "<!DOCTYPE a>", "<restricted-xml ", "" },
	{ "an end at once", THEIRS "</stream:stream>",
		"</stream:stream>", "opened " },
	{ "an error behind it", THEIRS "<stream:error><host-unknown "
		"xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
		NULL, "opened error " },
	{ "more behind proceed", THEIRS FEATURES(STARTTLS) PROCEED "<a/>",
		"<policy-violation ", "opened features proceed " },
	{ "a header behind proceed", THEIRS FEATURES(STARTTLS) PROCEED THEIRS,
		"<policy-violation ", "opened features proceed " },
	{ "a second header", THEIRS THEIRS, "<restricted-xml ", "opened " },
};

TEST(what_is_wrong_ends_it)
{
	struct trip t;

	trip_init(&t);
	for (size_t i = 0; i < COUNT(faults); i++) {
		TEST_CASE(faults[i].label);
		trip_open(&t, false);
		trip_hear(&t, faults[i].in, strlen(faults[i].in));
		CHECK_HEARD(&t, faults[i].heard);
		if (faults[i].out != NULL)
			CHECK(strstr(buf_c(&t.wrote), faults[i].out) != NULL);
		trip_close(&t);
		CHECK_INT(t.world.server->shards[0]->stats.streams, 0);
	}
	trip_done(&t);
}

/* White space alone may stand behind <proceed/>, as it may behind <starttls/>. */
TEST(a_line_feed_behind_proceed_is_nothing)
{
	struct trip t;

	trip_init(&t);
	trip_open(&t, false);
	trip_hear(&t, script[0], strlen(script[0]));
	trip_hear(&t, PROCEED "\n", strlen(PROCEED "\n"));
	CHECK_HEARD(&t, "opened features proceed ");
	CHECK(conn_is_secure(t.ours));
	trip_close(&t);
	trip_done(&t);
}

/* When the server stops it waits for them, too. */
TEST(they_count_until_they_are_gone)
{
	struct trip t;

	trip_init(&t);
	trip_open(&t, false);
	trip_hear(&t, script[0], strlen(script[0]));
	world_done(&t.world);
	CHECK(t.caller == NULL);
	CHECK(strstr(buf_c(&t.wrote), "<system-shutdown ") != NULL);
	buf_done(&t.wrote);
	buf_done(&t.heard);
}

TEST_MAIN

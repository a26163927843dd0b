/*
 * session_scene.h - a session of romeo that stands behind a stream that is none, and
 * juliet, who is a client and writes to him.
 */
#ifndef TESTS_UNIT_SESSION_SCENE_H
#define TESTS_UNIT_SESSION_SCENE_H

#include "account/session.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/share.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/entity.h"
#include "core/stored.h"
#include "core/wire.h"
#include "account/account.h"
#include "account/account_int.h"
#include "account/session_out.h"
#include "account/session_save.h"
#include "c2s_world.h"
#include "test.h"

#define AUTH_JULIET AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l")
#define ROMEO "romeo@example.org"
#define SLEEP_US (60 * US_PER_S)
#define LIMITS                                                                 \
	"limits: { write_queue_bytes: 64KiB, write_queue_max_bytes: 256KiB,"   \
	" sessions_per_account: 3, bytes_per_second: 1GiB, bytes_burst: 1GiB }"

/* --- a stream that is none -------------------------------------------------------- */

/* What it was written; it takes so many stanzas before it is full. */
struct fake {
	struct session *session;
	struct buf got;
	int takes; /* -1: all */
	unsigned taken;
	bool rests;
	bool refuses;
	enum stream_cond closed;
};

static inline bool
fake_attach(void *stream, struct session *s)
{
	struct fake *f = stream;

	f->session = f->refuses ? NULL : s;
	return !f->refuses;
}

static inline void
fake_took(struct fake *f)
{
	f->taken++;
	if (f->takes == 0 || (f->takes > 0 && --f->takes == 0))
		session_full(f->session);
}

static inline void
fake_write_wire(void *stream, const struct wire *w, struct str to)
{
	struct fake *f = stream;

	wire_write(w, to, &f->got);
	fake_took(f);
}

static inline void
fake_write(void *stream, const struct stanza *st)
{
	struct wire *w = wire_new(st);

	fake_write_wire(stream, w, jid_str(st->to));
	wire_unref(w);
}

static inline void
fake_close(void *stream, enum stream_cond cond, const char *text)
{
	struct fake *f = stream;

	(void)text;
	f->session = NULL;
	f->closed = cond;
}

static inline void
fake_cut(void *stream, const char *why)
{
	((struct fake *)stream)->closed = STREAM_POLICY_VIOLATION;
	(void)why;
}

static inline void
fake_rest(void *stream, bool rests)
{
	struct fake *f = stream;

	CHECK(f->rests != rests);
	f->rests = rests;
}

static const struct session_stream fake_ops = {
	.attach = fake_attach,
	.write = fake_write,
	.write_wire = fake_write_wire,
	.close = fake_close,
	.cut = fake_cut,
	.rest = fake_rest,
};

/* --- the scene ---------------------------------------------------------------------- */

/* romeo's session a stands behind a fake; juliet is a client. */
struct scene {
	struct world w;
	struct peer juliet, romeo; /* romeo/x, so that the account stays */
	struct fake one, two;
	struct session *s;
};

static inline struct account *
romeo_of(struct scene *s)
{
	return account_of(
		entity_find(world_owner(&s->w, "romeo"), STR(ROMEO)));
}

static inline struct session *
bind(struct scene *s, const char *resource, struct fake *f)
{
	enum stanza_cond cond;

	*f = (struct fake){ .got = BUF_INIT, .takes = -1 };
	f->session = session_bind(romeo_of(s), str_c(resource), &fake_ops, f,
		&cond);
	return f->session;
}

static inline void
be_available(struct session *s)
{
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE, session_jid(s),
		(struct jid){ .text = NULL }, STR_NONE);

	session_set_presence(s, st, 0);
	stanza_free(st);
}

static inline void
scene_init(struct scene *s)
{
	world_init(&s->w, 2, LIMITS, "");
	peer_open(&s->juliet, &s->w, 0, true);
	peer_login(&s->juliet, AUTH_JULIET, BIND("j"));
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("x"));
	s->s = bind(s, "a", &s->one);
	s->two = (struct fake){ .got = BUF_INIT, .takes = -1 };
	be_available(s->s);
}

static inline void
scene_done(struct scene *s)
{
	peer_done(&s->juliet);
	peer_done(&s->romeo);
	buf_done(&s->one.got);
	buf_done(&s->two.got);
	world_done(&s->w);
}

/* As the stream would that breaks, if somebody keeps its session. */
static inline void
sleep_now(struct scene *s)
{
	s->one.session = NULL;
	session_detach(s->s, SLEEP_US);
}

static inline bool
is_there(struct scene *s, const char *resource)
{
	return session_find(romeo_of(s), str_c(resource)) != NULL;
}

/* juliet to romeo/a or romeo, one after the other. */
static inline void
say(struct scene *s, const char *to, unsigned from, unsigned until,
	size_t n_body)
{
	struct buf text = BUF_INIT;

	for (unsigned i = from; i < until; i++) {
		text.n = 0;
		buf_printf(&text, "<message to='%s' type='chat' id='m%04u'>"
			"<body>%0*d</body></message>", to, i, (int)n_body, 7);
		peer_say(&s->juliet, buf_c(&text));
	}
	buf_done(&text);
}

/* from..until and no others, each once, in order. */
static inline void
check_got(const struct buf *got, unsigned from, unsigned until)
{
	const char *at = got->n != 0 ? got->p : "";
	const char *end = at + got->n;
	unsigned n = 0;

	for (unsigned i = from; i < until; i++) {
		char id[16];
		size_t len = (size_t)snprintf(id, sizeof(id), "id=\"m%04u\"", i);

		at = memmem(at, (size_t)(end - at), id, len);
		CHECK(at != NULL);
	}
	at = got->p;
	while (got->n != 0 &&
		(at = memmem(at, (size_t)(end - at), "id=\"m", 5)) != NULL) {
		at++;
		n++;
	}
	CHECK_INT(n, until - from);
}

static inline size_t
kept_bytes(const struct session *s)
{
	return s->out->kept_bytes + s->out->waiting_bytes;
}

static inline int64_t
share_of_romeo(struct scene *s)
{
	struct account *acc = romeo_of(s);

	return share_bytes(budget_share(acc->e.shard->server, acc->e.hash));
}

#define CAPS "http://jabber.org/protocol/caps"

static inline void
send_presence(struct session *s, const char *show, bool caps)
{
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE, session_jid(s),
		(struct jid){ .text = NULL }, STR("p1"));

	if (show != NULL)
		elem_add_with_text(st->arena, st->root, NS_CLIENT, "show",
			str_c(show));
	if (caps) {
		struct elem *c = elem_add(st->arena, st->root, CAPS, "c");

		elem_set_attr(st->arena, c, "hash", STR("sha-1"));
		elem_set_attr(st->arena, c, "node", STR("urn:node"));
		elem_set_attr(st->arena, c, "ver", STR("dmVy"));
	}
	session_set_presence(s, st, 3);
	stanza_free(st);
}

#endif

/*
 * million_login.c - the client's half of a login, from the connection to the
 * first presence, with SCRAM-SHA-1 over keys that are derived once.
 *
 *   GREETING --features--> AUTH --challenge--> PROOF --success--> GREETING
 *       --features--> BIND --result--> ROSTER --result--> online
 *
 * What the server says is searched, not parsed: a client that reads well would
 * cost more than the server.
 */
#include "config.h"

#include "million.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "xmpp/ns.h"
#include "net/conn.h"

/* At once; one turn of a shard finds so many. */
#define LOGINS 64
/* By the simulated clock, for each step of all that log in. */
#define STEP_US 100

enum login_state { LOGIN_NONE, GREETING, AUTH, PROOF, BIND, ROSTER };

struct login {
	enum login_state state;
	unsigned number;
	bool known;     /* has authenticated */
	struct buf in;  /* since the last step */
	char nonce[24]; /* ours */
};

static void
say(struct million *m, const struct login *l, const struct buf *out)
{
	conn_mem_feed(m->conns[l->number], out->p, out->n);
}

/* The text between two marks in what came; STR_NONE. */
static struct str
between(struct buf *in, const char *from, const char *to)
{
	const char *text = buf_c(in);
	const char *start = strstr(text, from), *end;

	if (start == NULL)
		return STR_NONE;
	start += strlen(from);
	end = strstr(start, to);
	if (end == NULL)
		return STR_NONE;
	return (struct str){ start, (size_t)(end - start) };
}

/* --- what is said ----------------------------------------------------------- */

static void
say_hello(struct million *m, struct login *l)
{
	struct buf out = BUF_INIT;

	buf_add_c(&out, "<stream:stream xmlns='jabber:client' "
		"xmlns:stream='http://etherx.jabber.org/streams' "
		"to='" MILLION_HOST "' version='1.0'>");
	say(m, l, &out);
	buf_done(&out);
	l->state = GREETING;
}

static void
say_auth(struct million *m, struct login *l)
{
	struct buf first = BUF_INIT, out = BUF_INIT;

	snprintf(l->nonce, sizeof(l->nonce), "nonce%07u", l->number);
	buf_printf(&first, "n,,n=u%07u,r=%s", l->number, l->nonce);
	buf_add_c(&out,
		"<auth xmlns='" NS_SASL "' mechanism='SCRAM-SHA-1'>");
	base64_encode(&out, first.p, first.n);
	buf_add_c(&out, "</auth>");
	say(m, l, &out);
	buf_done(&out);
	buf_done(&first);
	l->state = AUTH;
}

/* RFC 5802 §3, with keys that are there already. */
static void
proof_add(struct million *m, struct buf *reply, struct str auth)
{
	size_t n = scram_digest_size(SCRAM_SHA_1);
	uint8_t proof[SCRAM_DIGEST_MAX];

	scram_hmac(SCRAM_SHA_1, (struct str){ (char *)m->stored_key, n }, auth,
		proof);
	for (size_t i = 0; i < n; i++)
		proof[i] ^= m->client_key[i];
	buf_add_c(reply, ",p=");
	base64_encode(reply, proof, n);
}

static void
say_proof(struct million *m, struct login *l, struct str challenge)
{
	struct buf first = BUF_INIT, auth = BUF_INIT, reply = BUF_INIT;
	struct buf out = BUF_INIT;
	struct str nonce, rest;

	if (!base64_decode(&first, challenge) ||
		!str_cut(buf_str(&first), ',', &nonce, &rest))
		million_die("login", "a challenge that is none");
	buf_printf(&reply, "c=biws,%.*s", STR_ARG(nonce));
	buf_printf(&auth, "n=u%07u,r=%s,%.*s,%.*s", l->number, l->nonce,
		STR_ARG(buf_str(&first)), STR_ARG(buf_str(&reply)));
	proof_add(m, &reply, buf_str(&auth));
	buf_add_c(&out, "<response xmlns='" NS_SASL "'>");
	base64_encode(&out, reply.p, reply.n);
	buf_add_c(&out, "</response>");
	say(m, l, &out);
	buf_done(&out);
	buf_done(&reply);
	buf_done(&auth);
	buf_done(&first);
	l->state = PROOF;
}

static void
say_text(struct million *m, struct login *l, const char *text,
	enum login_state next)
{
	conn_mem_feed(m->conns[l->number], text, strlen(text));
	l->state = next;
}

/* --- steps -------------------------------------------------------------------- */

static void
features_step(struct million *m, struct login *l)
{
	if (strstr(buf_c(&l->in), "</stream:features>") == NULL)
		return;
	l->in.n = 0;
	if (!l->known)
		say_auth(m, l);
	else
		say_text(m, l, "<iq type='set' id='b'><bind xmlns='" NS_BIND
			"'><resource>phone</resource></bind></iq>", BIND);
}

static void
challenge_step(struct million *m, struct login *l)
{
	struct str found = between(&l->in, NS_SASL "'>", "</challenge>");

	if (found.p == NULL)
		return;
	say_proof(m, l, found);
	l->in.n = 0;
}

static void
success_step(struct million *m, struct login *l)
{
	if (strstr(buf_c(&l->in), "<success") == NULL)
		return;
	l->in.n = 0;
	l->known = true;
	say_hello(m, l);
}

static void
login_step(struct million *m, struct login *l)
{
	if (strstr(buf_c(&l->in), "error") != NULL ||
		strstr(buf_c(&l->in), "failure") != NULL)
		million_die("login", buf_c(&l->in));
	switch (l->state) {
	case LOGIN_NONE:
		break;
	case GREETING:
		features_step(m, l);
		break;
	case AUTH:
		challenge_step(m, l);
		break;
	case PROOF:
		success_step(m, l);
		break;
	case BIND:
		if (strstr(buf_c(&l->in), "</jid>") == NULL)
			break;
		l->in.n = 0;
		say_text(m, l, "<iq type='get' id='r'>"
			"<query xmlns='jabber:iq:roster'/></iq>", ROSTER);
		break;
	case ROSTER:
		if (strstr(buf_c(&l->in), "id=\"r\"") == NULL)
			break;
		say_text(m, l, "<presence/>", LOGIN_NONE);
		buf_done(&l->in);
		m->online++;
		break;
	}
}

bool
million_login_takes(struct million *m, unsigned number, const char *p, size_t n)
{
	struct login *l = &m->logins[number % LOGINS];

	if (l->state == LOGIN_NONE || l->number != number)
		return false;
	buf_add(&l->in, p, n);
	return true;
}

/* The next ones, where there is room. */
static unsigned
logins_start(struct million *m, unsigned next, unsigned end)
{
	while (next < end) {
		struct login *l = &m->logins[next % LOGINS];

		if (l->state != LOGIN_NONE)
			break;
		*l = (struct login){ .number = next };
		m->conns[next] = million_connect(m, next);
		say_hello(m, l);
		next++;
	}
	return next;
}

void
million_login(struct million *m, unsigned n)
{
	unsigned next = m->online;

	if (m->logins == NULL)
		m->logins = xcalloc(LOGINS, sizeof(*m->logins));
	while (m->online < n) {
		next = logins_start(m, next, n);
		million_settle(m);
		for (unsigned i = 0; i < LOGINS; i++) {
			if (m->logins[i].state != LOGIN_NONE)
				login_step(m, &m->logins[i]);
		}
		million_pass(m, STEP_US);
	}
	million_settle(m);
}

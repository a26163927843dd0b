/*
 * comp_login.c - how a component shows that it knows the secret (XEP-0114 §3), and
 * what it costs to guess it.
 *
 *   <handshake/> --few were wrong lately--> looked at --wrong--> told a while later
 *        `--many: waits for its turn-----------^  `--right--> to its component
 *
 * Owner shard.  Failures are counted by address and component: whoever guesses
 * keeps nobody out who is elsewhere, and from where he is the component itself has
 * its turn, too.
 */
#include "config.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/memuse.h"
#include "base/text.h"
#include "base/throttle.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/component.h"
#include "core/host.h"
#include "core/place.h"
#include "account/credentials.h"
#include "stream/component/comp_int.h"

/* How long a failure is kept back. */
#define REFUSAL_US US_PER_S
/* After auth_failures_per_account of them: one guess at a time, so often, and no
 * more that wait than have their turn in this time. */
#define TURN_US (2 * US_PER_S)
#define TURNS_WAIT_US (10 * US_PER_S)

#define ADDRESS_MAX 16

/* --- the header ----------------------------------------------------------- */

void
comp_judge(struct stream *x, struct stream_header *h)
{
	struct str domain = STR_NONE;

	if (h->to.p != NULL && jid_prep_domain(&domain, h->arena, h->to, NULL) &&
		component_host(x->shard, domain) != NULL)
		h->host = domain;
	else
		stream_header_refuse(h, STREAM_HOST_UNKNOWN, h->to.p != NULL ?
			"There is no such component here, see components: in antiphond.yml" :
			"Name the component in the attribute \"to\"");
}

void
comp_opened(struct stream *x, const struct stream_header *h)
{
	struct comp *c = comp_of(x);

	c->domain = str_dup(h->host);
	memuse_add_part(MEMUSE_STREAM, c->domain);
	memcpy(c->id, h->id, sizeof(c->id));
}

/* --- failures ------------------------------------------------------------- */

struct failure_key {
	char text[2 + ADDRESS_MAX + JID_PART_MAX];
};

static struct str
failure_key(struct failure_key *k, const struct comp *c)
{
	struct str address = conn_peer_key(c->x.conn);
	struct str domain = str_c(c->domain);

	assert(address.n <= ADDRESS_MAX && domain.n <= JID_PART_MAX);
	k->text[0] = 'c';
	k->text[1] = (char)address.n;
	if (address.n != 0)
		memcpy(k->text + 2, address.p, address.n);
	memcpy(k->text + 2 + address.n, domain.p, domain.n);
	return (struct str){ k->text, 2 + address.n + domain.n };
}

/* Until it is looked at; -1: it is not. */
static int64_t
handshake_wait(const struct comp *c)
{
	const struct stream_server *s = c->x.shard->server->streams;
	const struct config_limits *l = &c->x.shard->snap->config->limits;
	int64_t now = c->x.shard->now_us;
	struct failure_key k;
	struct str key = failure_key(&k, c);

	if (throttle_count(s->failures, key, now) <
		l->auth_failures_per_account)
		return 0;
	return throttle_turn(s->failures, key, TURN_US, TURNS_WAIT_US, now);
}

/* Nothing more is read, and the answer takes a while. */
static void
handshake_refuse(struct comp *c, const char *why)
{
	struct shard *sh = c->x.shard;

	sh->stats.login_failures++;
	if (log_limit_ok(&stream_shard(sh)->refused, LOG_AUTH))
		log_warn(LOG_AUTH, stream_who(&c->x),
			"component refused reason=\"%s\"", why);
	stream_hold(&c->x);
	c->refused_us = sh->now_us + REFUSAL_US;
	stream_arm(&c->x);
}

/* --- the handshake -------------------------------------------------------- */

/* §3: in lower case; COMPAT: some write capitals, and nobody minds. */
static void
digest_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'F')
			*text = (char)(*text - 'A' + 'a');
}

static bool
handshake_fits(const struct comp *c, const struct config_component *conf)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[SCRAM_DIGEST_MAX];
	char text[COMP_DIGEST_SIZE];
	struct buf both = BUF_INIT;

	buf_add_c(&both, c->id);
	buf_add_c(&both, conf->secret);
	scram_digest(SCRAM_SHA_1, buf_str(&both), digest);
	mem_wipe_free(both.p, both.cap);
	for (size_t i = 0; i < COMP_DIGEST_SIZE - 1; i++)
		text[i] = hex[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	text[COMP_DIGEST_SIZE - 1] = '\0';
	return secret_eq(str_c(text), str_c(c->shown));
}

static void
handshake_judge(struct comp *c)
{
	struct stream_server *s = c->x.shard->server->streams;
	const struct host *host = comp_host(c);
	struct failure_key k;

	c->judged_us = 0;
	if (host == NULL) {
		stream_end(&c->x, STREAM_HOST_GONE, NULL);
		return;
	}
	if (!handshake_fits(c, host->component)) {
		throttle_add(s->failures, failure_key(&k, c),
			c->x.shard->now_us);
		handshake_refuse(c, "the secret is wrong");
		return;
	}
	c->deadline_us = OPTION_NEVER;
	stream_authenticated(&c->x);
	if (place_is_here(c->x.shard,
		    server_place(c->x.shard->server, host->hash)))
		comp_attach(c);
	else
		(void)stream_move(&c->x,
			server_place(c->x.shard->server, host->hash));
}

enum hook_result
comp_on_handshake(struct module_ctx *m, struct element *el)
{
	struct comp *c = el->stream;
	struct str text = str_trim(elem_text(el->arena, el->e));
	int64_t wait = handshake_wait(c);

	(void)m;
	/* what is no digest is wrong, too */
	if (text.n == COMP_DIGEST_SIZE - 1)
		memcpy(c->shown, text.p, text.n);
	digest_lower(c->shown);
	if (wait < 0) {
		c->x.shard->stats.refused++;
		handshake_refuse(c, "too many were wrong before");
	} else if (wait > 0) {
		stream_hold(&c->x);
		c->judged_us = c->x.shard->now_us + wait;
		stream_arm(&c->x);
	} else {
		handshake_judge(c);
	}
	return HOOK_HANDLED;
}

void
comp_attach(struct comp *c)
{
	struct stream *x = &c->x;
	const struct config_limits *l = &x->shard->snap->config->limits;
	const struct host *host = comp_host(c);
	struct arena *a;

	if (host == NULL || x->stage == STAGE_CLOSED)
		return; /* it ends because of that */
	c->link = component_attach(x->shard, host, &comp_link_stream, c);
	if (c->link == NULL) {
		stream_end(x, STREAM_CONFLICT,
			"The component is connected already");
		return;
	}
	a = arena_new();
	stream_write(x, elem_new(a, NS_COMPONENT, "handshake"));
	arena_free(a);
	stream_bound(x);
	conn_set_share(x->conn, budget_share(x->shard->server, host->hash));
	/* nobody knows whether it answers pings, or bears blanks */
	conn_probe(x->conn, l->idle_before_ping_us, l->ping_timeout_us);
	x->shard->stats.logins++;
	log_info(LOG_STREAM, stream_who(x), "component connected");
	component_ready(c->link);
}

/* --- later ---------------------------------------------------------------- */

int64_t
comp_due(const struct stream *x)
{
	const struct comp *c = (const struct comp *)x;
	int64_t due = c->deadline_us;

	if (c->judged_us != 0)
		due = MIN(due, c->judged_us);
	if (c->refused_us != 0)
		due = MIN(due, c->refused_us);
	return due;
}

/* False when c has moved. */
static bool
turn_has_come(struct comp *c)
{
	handshake_judge(c);
	return c->refused_us != 0 || c->x.stage == STAGE_CLOSED ||
		stream_release(&c->x);
}

void
comp_do_due(struct stream *x)
{
	struct comp *c = comp_of(x);
	int64_t now = x->shard->now_us;

	if (c->refused_us != 0 && c->refused_us <= now)
		stream_end(x, STREAM_NOT_AUTHORIZED, NULL);
	else if (c->deadline_us <= now)
		stream_end(x, STREAM_CONNECTION_TIMEOUT,
			"The handshake did not come in time");
	else if (c->judged_us != 0 && c->judged_us <= now &&
		!turn_has_come(c))
		return;
	stream_arm(x);
}

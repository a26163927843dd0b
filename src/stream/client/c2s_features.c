/*
 * c2s_features.c - what a stream offers at each stage (RFC 6120 §4.3.2), and
 * therefore what may be used on it.
 *
 * Owner shard.  Before TLS, where TLS is required, <starttls/> stands alone
 * (§5.3.1) and nothing else is acted on (hostile 10).
 *
 * What was put together is kept until the next reload.  Invariant: whatever goes
 * into features is in features_state(), or comes from the host or the
 * configuration.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "net/conn.h"
#include "core/host.h"
#include "module/module.h"
#include "stream/framing.h"

bool
c2s_offers_tls(const struct c2s *c)
{
	const struct host *host = c2s_host(c);

	return host != NULL && host->conf->certificate != NULL &&
		c->x.shard->snap->tls != NULL && !conn_is_secure(c->x.conn) &&
		c->login->tls == LISTEN_STARTTLS;
}

bool
c2s_may_log_in(const struct c2s *c)
{
	const struct host *host = c2s_host(c);

	return host != NULL &&
		(conn_is_secure(c->x.conn) || !host->conf->auth.tls_required);
}

static void
add_starttls(struct c2s *c, struct arena *a, struct elem *features)
{
	struct elem *tls = elem_add(a, features, NS_TLS, "starttls");

	if (!c2s_may_log_in(c))
		elem_add(a, tls, NS_TLS, "required");
}

static void
add_mechanisms(struct c2s *c, struct arena *a, struct elem *features)
{
	const struct sasl_offer *offer = &c->login->auth->offer;
	unsigned set = sasl_mechanisms(offer);
	struct elem *list = elem_add(a, features, NS_SASL, "mechanisms");

	for (unsigned mech = 0; mech < SASL_MECHS; mech++) {
		if ((set & SASL_BIT(mech)) != 0)
			elem_add_with_text(a, list, NS_SASL, "mechanism",
				str_c(sasl_mech_name(mech)));
	}
	if (offer->n_bindings == 0)
		return;
	list = elem_add(a, features, NS_CHANNEL_BINDING,
		"sasl-channel-binding");
	for (size_t i = 0; i < offer->n_bindings; i++)
		elem_set_attr(a,
			elem_add(a, list, NS_CHANNEL_BINDING,
				"channel-binding"),
			"type", str_c(offer->bindings[i]));
}

static void
add_bind(struct arena *a, struct elem *features)
{
	struct elem *e = elem_add(a, features, NS_BIND, "bind");

	elem_add(a, e, NS_BIND, "required");
	/* COMPAT: clients of RFC 3921 ask for a session when it is offered, and
	 * some stop when it is not */
	e = elem_add(a, features, NS_SESSION, "session");
	elem_add(a, e, NS_SESSION, "optional");
}

/* XEP-0478 §3.1 */
static void
add_limits(struct c2s *c, struct arena *a, struct elem *features)
{
	const struct config_limits *l = &c->x.shard->snap->config->limits;
	struct elem *e = elem_add(a, features, NS_STREAM_LIMITS, "limits");
	uint64_t bytes = c->x.authenticated ? l->stanza_bytes :
					    l->stanza_bytes_unauthenticated;

	elem_add_with_text(a, e, NS_STREAM_LIMITS, "max-bytes",
		arena_printf(a, "%llu", (unsigned long long)bytes));
	if (c->x.authenticated && l->idle_before_ping_us < OPTION_NEVER)
		elem_add_with_text(a, e, NS_STREAM_LIMITS, "idle-seconds",
			arena_printf(a, "%lld",
				(long long)(l->idle_before_ping_us /
					US_PER_S)));
}

static void
add_of_modules(struct c2s *c, struct host *host, struct arena *a,
	struct elem *features)
{
	struct stream_features arg = {
		.shard = c->x.shard,
		.host = host,
		.arena = a,
		.features = features,
		.secure = conn_is_secure(c->x.conn),
		.authenticated = c->x.authenticated,
	};

	hook_run(host, HOOK_STREAM_FEATURES, &arg);
}

static void
features_make(struct c2s *c, struct host *host, struct buf *out)
{
	struct arena *a = arena_new();
	struct elem *features = elem_new(a, NS_STREAM, "features");

	if (c2s_offers_tls(c))
		add_starttls(c, a, features);
	if (c2s_may_log_in(c)) {
		if (c->x.authenticated)
			add_bind(a, features);
		else
			add_mechanisms(c, a, features);
		add_limits(c, a, features);
		add_of_modules(c, host, a, features);
	}
	framings[c->x.framing].element(out, features,
		STR(NS_CLIENT));
	arena_free(a);
}

/* --- kept ----------------------------------------------------------------- */

/* All that features depend on, but for the host and the configuration. */
static uint32_t
features_state(const struct c2s *c)
{
	const struct c2s_auth *auth = c->login->auth;
	uint32_t state = 0;

	state |= c->x.authenticated ? 1u : 0;
	state |= conn_is_secure(c->x.conn) ? 2u : 0;
	state |= c2s_offers_tls(c) ? 4u : 0;
	state |= (uint32_t)c->x.framing << 4;
	if (auth != NULL)
		state |= (uint32_t)auth->binding_set << 8 |
			sasl_mechanisms(&auth->offer) << 16;
	return state;
}

/* Two thirds of the work of a stream that begins, when done anew: 57000 of 87000
 * instructions. */
static struct str
features_get(struct c2s *c, struct host *host)
{
	struct c2s_shard *cs = c2s_shard(c->x.shard);
	uint64_t serial = c->x.shard->snap->serial;
	uint32_t told = c->x.shard->features_told;
	uint32_t state = features_state(c);
	size_t place = ((uintptr_t)host / sizeof(*host) + state * 31 +
		(state >> 16)) % C2S_FEATURES;
	struct c2s_features *f = &cs->features[place];

	if (f->serial != serial || f->told != told || f->host != host || f->state != state) {
		f->bytes.n = 0;
		features_make(c, host, &f->bytes);
		f->serial = serial;
		f->told = told;
		f->host = host;
		f->state = state;
	}
	return buf_str(&f->bytes);
}

void
c2s_features_free(struct c2s_shard *cs)
{
	for (size_t i = 0; i < C2S_FEATURES; i++)
		buf_done(&cs->features[i].bytes);
}

void
c2s_features(struct c2s *c)
{
	if (!c2s_may_log_in(c) && !c2s_offers_tls(c)) {
		stream_end(&c->x, STREAM_POLICY_VIOLATION,
			"This domain requires TLS, which is not to be had here");
		return;
	}
	if (c2s_may_log_in(c) && !c->x.authenticated)
		c2s_auth_init(c);
	buf_add_str(conn_out(c->x.conn), features_get(c, c2s_host(c)));
	conn_wrote(c->x.conn);
}

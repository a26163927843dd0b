/*
 * proxy65.c - a proxy for what two clients send each other and cannot send directly
 * (XEP-0065 §6): what it is called, who may use it, and what he asks of it.
 *
 * Shard of the session that asks, for the domain of the proxy is on all of them.
 * proxy65.h draws the rest.
 */
#include "config.h"

#include "proxy65.h"

#include <string.h>
#include <strings.h>

/* --- who may ------------------------------------------------------------------- */

/* Is it an account of ours, and not an address of a service or component? */
static bool
is_local(struct shard *sh, struct jid who)
{
	const struct host *host = shard_host(sh, jid_domain(who));

	return host != NULL && !host_is_remote(host) && host->service == NULL &&
		jid_local(who).n != 0;
}

static bool
is_allowed(const struct proxy65_conf *conf, struct jid who)
{
	return option_list_has(&conf->allow, jid_domain(who)) ||
		option_list_has(&conf->allow, jid_bare_str(who));
}

/* XEP-0065 §4, example 9 */
static bool
iq_may(const struct module_ctx *m, struct iq *iq)
{
	if (is_local(iq->shard, iq->st->from) ||
		is_allowed(m->conf, iq->st->from))
		return true;
	iq_error(iq, COND_FORBIDDEN, NULL);
	return false;
}

/* --- where it is ---------------------------------------------------------------- */

/* The first of its ports that is open; 0: none is. */
static int64_t
port_open(const struct snapshot *snap)
{
	for (size_t i = 0; snap->ports != NULL && i < snap->config->n_listen; i++)
		if (config_listen_has(&snap->config->listen[i], PROXY65_KIND) &&
			snap->ports[i]->why == NULL)
			return snap->ports[i]->bound;
	return 0;
}

/* A name is one that the DNS has (§4: it is resolved by A or AAAA). */
static void
streamhost_add(struct iq *iq, struct elem *query, struct str host, int64_t port)
{
	struct arena *a = iq->st->arena;
	struct elem *e = elem_add(a, query, NS_BYTESTREAMS, "streamhost");

	elem_set_attr(a, e, "jid", iq->host->domain);
	elem_set_attr(a, e, "host", jid_domain_ascii(a, host));
	elem_set_attr(a, e, "port", arena_printf(a, "%lld", (long long)port));
}

/* XEP-0065 §4, examples 7 to 10 */
static enum hook_result
on_get(struct module_ctx *m, struct iq *iq)
{
	const struct proxy65_conf *conf = m->conf;
	int64_t open = port_open(iq->shard->snap);
	int64_t port = conf->port != 0 ? conf->port : open;
	struct elem *query;

	if (!iq_may(m, iq))
		return HOOK_HANDLED;
	if (open == 0) {
		iq_error(iq, COND_NOT_ALLOWED, "Its port is shut");
		return HOOK_HANDLED;
	}
	query = iq_payload(iq, NS_BYTESTREAMS, "query");
	streamhost_add(iq, query,
		conf->name != NULL ? str_c(conf->name) :
				     iq->host->parent->domain, port);
	for (size_t i = 0; i < conf->addresses.n; i++)
		streamhost_add(iq, query, str_c(conf->addresses.items[i]),
			port);
	iq_result(iq, query);
	return HOOK_HANDLED;
}

/* --- activation ------------------------------------------------------------------ */

/* At home. */
static void
on_answered(struct shard *sh, void *arg)
{
	struct activation *a = arg;
	struct module_entry *entry = a->entry;

	(void)sh;
	if (a->cond == COND_NONE)
		iq_result(a->iq, NULL);
	else
		iq_error(a->iq, a->cond, a->text);
	free(a->host);
	free(a->user);
	free(a->target);
	free(a);
	module_release(entry);
}

void
activation_answer(struct shard *sh, struct activation *a, enum stanza_cond cond,
	const char *text)
{
	a->cond = cond;
	a->text = text;
	place_post(sh->server, a->home, on_answered, a, sizeof(*a));
}

static void
activation_begin(struct module_ctx *m, struct iq *iq, const uint8_t *digest,
	struct jid target)
{
	const struct proxy65_conf *conf = m->conf;
	struct shard *sh = iq->shard;
	struct activation *a = xcalloc(1, sizeof(*a));
	struct str key = { (const char *)a->digest, DIGEST_BYTES };

	a->iq = iq;
	a->home = place_of_shard(sh);
	a->entry = module_hold(m);
	memcpy(a->digest, digest, DIGEST_BYTES);
	a->host = str_dup(iq->host->parent->domain);
	a->user = str_dup(jid_bare_str(iq->st->from));
	a->target = str_dup(jid_str(target));
	a->limits = conf->limits;
	iq_keep(iq);
	place_post(sh->server, server_place_of(sh->server, key),
		proxy65_activate, a, sizeof(*a));
}

/* A digest that is named has to be that of the sid and the two (XEP-0065 §6.3.5:
 * not-authorized if the hashes do not match). */
static bool
digest_matches(struct str named, const uint8_t *digest)
{
	struct buf hex = BUF_INIT;
	bool ok;

	if (named.p == NULL)
		return true;
	hex_encode(&hex, digest, DIGEST_BYTES);
	ok = named.n == hex.n && strncasecmp(named.p, hex.p, hex.n) == 0;
	buf_done(&hex);
	return ok;
}

/* XEP-0065 §6.3.5.  The sender's address is what the router says, so nobody can
 * activate what another one has begun. */
static enum hook_result
on_set(struct module_ctx *m, struct iq *iq)
{
	const struct proxy65_conf *conf = m->conf;
	struct arena *a = iq->st->arena;
	struct str sid = elem_attr(iq->payload, "sid");
	const struct elem *activate =
		elem_child(iq->payload, NS_BYTESTREAMS, "activate");
	uint8_t digest[DIGEST_BYTES];
	struct jid target;

	if (!iq_may(m, iq))
		return HOOK_HANDLED;
	if (sid.n == 0 || activate == NULL) {
		iq_error(iq, COND_BAD_REQUEST, "A sid and a target are wanted");
		return HOOK_HANDLED;
	}
	if (!jid_parse(&target, a, elem_text(a, activate), NULL)) {
		iq_error(iq, COND_JID_MALFORMED, NULL);
		return HOOK_HANDLED;
	}
	proxy65_digest(sid, iq->st->from, target, digest);
	if (conf->local_only && !is_local(iq->shard, target))
		iq_error(iq, COND_FORBIDDEN, "The target is not one of ours");
	else if (!digest_matches(elem_attr(iq->payload, "dstaddr"), digest))
		iq_error(iq, COND_NOT_AUTHORIZED, NULL);
	else
		activation_begin(m, iq, digest, target);
	return HOOK_HANDLED;
}

static const struct iq_handler proxy65_iqs[] = {
	{ IQ_GET, AT_SERVICE, NS_BYTESTREAMS, "query", on_get },
	{ IQ_SET, AT_SERVICE, NS_BYTESTREAMS, "query", on_set },
	{ .fn = NULL },
};

/* --- tables ------------------------------------------------------------------------ */

/* What is sent goes past other servers: they have nothing to ask it but for whom it
 * allows.  So it needs no name in a certificate, and no record in the DNS. */
static bool
proxy_is_local(const void *conf)
{
	return ((const struct proxy65_conf *)conf)->allow.n == 0;
}

static const struct service proxy65_services[] = {
	{ .option = "domain",
		.kinds = (const char *const[]){ PROXY65_KIND, NULL },
		.category = "proxy", .type = "bytestreams", .name = "File transfers",
		.is_local = proxy_is_local,
		.features = (const char *const[]){ NS_BYTESTREAMS, NULL } },
	{ .option = NULL },
};

static const struct listen_kind proxy65_listeners[] = {
	{ .name = PROXY65_KIND,
		.summary = "clients that send each other files and cannot do so "
			   "directly",
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN), .tls = LISTEN_PLAIN,
		.ports = { [LISTEN_PLAIN] = 5000 }, .standard = true,
		.size = sizeof(struct peer), .accept = proxy65_accept,
		.events = &proxy65_events },
	{ .name = NULL },
};

#define OFF(field) offsetof(struct proxy65_conf, field)

static const struct option proxy65_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .service = true, .dflt = "proxy",
		.off = OFF(domain),
		.help = "the domain of the proxy, below that of the host unless "
			"it has a dot" },
	{ .name = "name", .type = OPT_MACHINE, .off = OFF(name),
		.help = "the name, or IP address, at which clients are told to "
			"connect; by default that of the host",
		.example = "xmpp.example.org" },
	{ .name = "port", .type = OPT_INT, .dflt = "0", .min = "0",
		.max = "65535", .off = OFF(port),
		.help = "the port that clients are told, where it is another one "
			"than that which is open; 0: that of the first entry of "
			"`listen' of kind proxy65" },
	{ .name = "addresses", .type = OPT_LIST, .item = OPT_MACHINE, .alone = true,
		.max = "16", .off = OFF(addresses),
		.help = "IP addresses, and other names, that clients are told "
			"beside the name, for those that cannot look it up",
		.example = "[ 192.0.2.1, \"2001:db8::1\" ]" },
	{ .name = "allow", .type = OPT_LIST, .item = OPT_JID, .alone = true,
		.off = OFF(allow),
		.help = "who may begin transfers beside the users of this "
			"server: addresses, and domains with all of theirs",
		.example = "[ anna@example.net, irc.example.org ]" },
	{ .name = "local_only", .type = OPT_SWITCH, .dflt = "no",
		.off = OFF(local_only),
		.help = "the one to whom something is sent has to be a user of "
			"this server, too" },
	{ .name = "activation_timeout", .type = OPT_DURATION, .dflt = "1m",
		.min = "1s", .max = "1h", .off = OFF(activation_timeout_us),
		.help = "how long a connection waits for the other one, and both "
			"for the word of the one who has begun" },
	{ .name = "idle_timeout", .type = OPT_DURATION, .dflt = "5m",
		.min = "1s", .max = "1d", .off = OFF(limits.idle_us),
		.help = "after how long a transfer ends in which nothing is "
			"sent" },
	{ .name = "transfer_timeout", .type = OPT_DURATION, .dflt = "12h",
		.min = "1s", .max = "never", .off = OFF(limits.time_us),
		.help = "how long a transfer may last" },
	{ .name = "transfer_bytes", .type = OPT_SIZE, .dflt = "10GiB",
		.min = "0", .max = "16TiB", .off = OFF(limits.bytes),
		.help = "how much one transfer may send, both ways together; 0: "
			"any amount" },
	{ .name = "transfers_per_user", .type = OPT_INT, .dflt = "10",
		.min = "1", .max = "100000", .off = OFF(limits.transfers),
		.help = "how many transfers one who has begun them may have at "
			"once" },
	{ .name = "bytes_per_second", .type = OPT_SIZE, .dflt = "64MiB",
		.min = "0", .max = "1TiB", .off = OFF(limits.bytes_per_second),
		.help = "how much all transfers together of one who has begun "
			"them may send in a second; 0: what the network takes" },
	{ .name = NULL },
};

MODULE(proxy65) = {
	.api = MODULE_API,
	.name = "proxy65",
	.summary = "pass on what clients send each other and cannot send directly",
	.specs = "XEP-0065 1.8.2, XEP-0260 1.0.3",
	.options = proxy65_options,
	.conf_size = sizeof(struct proxy65_conf),
	.iqs = proxy65_iqs,
	.services = proxy65_services,
	.listeners = proxy65_listeners,
	.commands = proxy65_commands,
	.shard_state = sizeof(struct proxy65_shard),
	.shard_done = proxy65_shard_done,
};

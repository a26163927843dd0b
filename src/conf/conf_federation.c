/*
 * conf_federation.c - other servers: which of them, whom we believe that he is one,
 * and what they may cost; `federation', in general and of a host, `s2s', `remotes'.
 *
 * Called while a configuration is built; config_remote() by any thread.
 * Invariant: remotes are sorted by domain, each there once.
 */
#include "config.h"

#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xmpp/ip_literal.h"
#include "xmpp/jid.h"
#include "net/tls_peer.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

#define REMOTES_MAX 1000
#define PORT_STARTTLS 5269
#define PORT_DIRECT 5270

/* clang-format off */

static const char *const modes[] = { /* enum federation_mode */
	"auto", "on", "off", NULL };
static const char *const policies[] = { /* enum federation_policy */
	"required-trusted", "dane-or-trusted", "dialback-with-tls", NULL };
static const char *const remote_policies[] = { /* the same, behind one more */
	"host", "required-trusted", "dane-or-trusted", "dialback-with-tls",
	NULL };
static const char *const remote_tls[] = { /* enum remote_tls */
	"starttls", "direct", NULL };

#define FEDERATION(member, ...)                                                \
	{ .off = offsetof(struct config_federation, member), __VA_ARGS__ }

const struct option config_federation_options[] = {
	FEDERATION(mode, .name = "mode", .type = OPT_CHOICE, .dflt = "auto",
		.choices = modes,
		.help = "whether the host talks to other servers; with auto, "
			"where its certificate is signed by an authority, and "
			"neither by itself nor by that of the quickstart"),
	FEDERATION(policy, .name = "policy", .type = OPT_CHOICE,
		.dflt = "dialback-with-tls", .choices = policies,
		.help = "how another server shows that a domain is its own: by "
			"a certificate that names it and that one of the "
			"authorities has signed; or also by one that signed "
			"records of the DNS are for (DANE, RFC 7673); or else "
			"by Server Dialback (XEP-0220), for which the DNS is "
			"believed; TLS is required always, and a certificate "
			"that such records are not for is refused always"),
	FEDERATION(allow, .name = "allow", .type = OPT_LIST, .item = OPT_TEXT,
		.max = "1000",
		.help = "if any are named, the only domains of others that "
			"are talked to; *.example.net stands for all below "
			"example.net, and not for itself",
		.example = "[ example.net, \"*.example.net\" ]"),
	FEDERATION(deny, .name = "deny", .type = OPT_LIST, .item = OPT_TEXT,
		.max = "1000",
		.help = "domains of others that are not talked to, named in "
			"the same way; they go before those of allow",
		.example = "[ spam.example ]"),
	FEDERATION(local, .name = "local", .type = OPT_LIST, .item = OPT_DOMAIN,
		.max = "1000",
		.help = "services and components that talk to no other server "
			"though their host does; a name without a dot stands "
			"for one below the host",
		.example = "[ conference, irc.example.org ]"),
	FEDERATION(authorities, .name = "authorities", .type = OPT_PATH,
		.help = "who is believed when he signs certificates of other "
			"servers: a file with certificates in PEM, or a folder "
			"of such files, and with lists of what they have "
			"revoked; without it, whom the system trusts",
		.example = "/etc/antiphon/authorities.pem"),
	{ .name = NULL },
};

#define S2S(member, ...)                                                       \
	{ .off = offsetof(struct config_s2s, member), __VA_ARGS__ }

const struct option config_s2s_options[] = {
	S2S(timeout_us, .name = "timeout", .type = OPT_DURATION, .dflt = "30s",
		.min = "1s", .max = "5m",
		.help = "how long the first stanza for a domain waits until "
			"that has been found, connected to and has proven who "
			"it is; then all that waits is answered with "
			"<remote-server-timeout/>"),
	S2S(idle_us, .name = "idle_timeout", .type = OPT_DURATION,
		.dflt = "10m", .min = "10s", .max = "never",
		.help = "a connection that carries nothing for so long is "
			"closed"),
	S2S(backoff_max_us, .name = "backoff_max", .type = OPT_DURATION,
		.dflt = "5m", .min = "1s", .max = "1d",
		.help = "how long a domain that could not be reached rests at "
			"most; from a second on, it is twice as long after "
			"each failure, and stanzas are answered at once: for "
			"all domains here, where its name is not found or "
			"nobody answers, else for the one that has failed"),
	S2S(keep_us, .name = "keep", .type = OPT_DURATION, .dflt = "1h",
		.min = "0s", .max = "7d",
		.help = "how long messages for a domain that cannot be reached "
			"are tried again after the server was stopped or "
			"killed, from when they were sent; then they are "
			"answered; for that, what a domain has not "
			"acknowledged within two seconds is stored; 0s stores "
			"nothing, and a stop answers what waits"),
	S2S(unreachable_us, .name = "unreachable_after", .type = OPT_DURATION,
		.dflt = "10m", .min = "1s", .max = "1d",
		.help = "how long a domain cannot be reached until its users "
			"are shown as unavailable to their contacts here; when "
			"it is back, they are asked for their presence"),
	S2S(queue_bytes, .name = "queue_bytes", .type = OPT_SIZE,
		.dflt = "1MiB", .min = "64KiB", .max = "1GiB",
		.help = "what waits for one domain of others, in memory; more "
			"is answered with <resource-constraint/>"),
	S2S(queue_stanzas, .name = "queue_stanzas", .type = OPT_INT,
		.dflt = "1000", .min = "1", .max = "1000000",
		.help = "how many stanzas wait so"),
	S2S(domains, .name = "domains", .type = OPT_INT, .dflt = "20000",
		.min = "10", .max = "1000000",
		.help = "domains of others in memory; beyond it, those that "
			"nobody uses leave early, and if that is not enough, "
			"what is for another one is answered with "
			"<resource-constraint/>"),
	S2S(bytes_per_second, .name = "bytes_per_second", .type = OPT_SIZE,
		.dflt = "1MiB", .min = "1KiB", .max = "1GiB",
		.help = "what one connection of another server may send; who "
			"sends more is slowed down"),
	S2S(stanzas_per_second, .name = "stanzas_per_second", .type = OPT_INT,
		.dflt = "1000", .min = "1", .max = "1000000",
		.help = "stanzas that one connection of another server may "
			"send; who sends more is slowed down"),
	S2S(ip_literals, .name = "ip_literals", .type = OPT_SWITCH,
		.dflt = "no",
		.help = "domains of others may be addresses, such as "
			"192.0.2.1"),
	{ .name = NULL },
};

#define REMOTE(member, ...)                                                    \
	{ .off = offsetof(struct config_remote, member), __VA_ARGS__ }

const struct option config_remote_options[] = {
	REMOTE(address, .name = "address", .type = OPT_TEXT,
		.help = "where it is, a name or an address, in place of what "
			"the DNS says of the domain", .example = "192.0.2.7"),
	REMOTE(port, .name = "port", .type = OPT_INT, .dflt = "0", .min = "0",
		.max = "65535",
		.help = "at which port; 0 is 5269, or 5270 with TLS from the "
			"start"),
	REMOTE(tls, .name = "tls", .type = OPT_CHOICE, .dflt = "starttls",
		.choices = remote_tls,
		.help = "how TLS begins there"),
	REMOTE(policy_choice, .name = "policy", .type = OPT_CHOICE,
		.dflt = "host", .choices = remote_policies,
		.help = "the policy of `federation' for this domain; host: "
			"that of whom it talks to"),
	REMOTE(authorities, .name = "authorities", .type = OPT_PATH,
		.help = "the authorities of `federation' for this domain; its "
			"own certificate will do",
		.example = "/etc/antiphon/example.net.pem"),
	{ .name = NULL },
};

/* clang-format on */

/* --- what is looked at --------------------------------------------------------- */

/* A section while it is read. */
struct reading {
	struct config_whole *w;
	const struct yaml_node *node;
	const char *path; /* "hosts: example.org: federation" */
	struct conf_errors *m;
};

/* *.example.net, or example.net, prepared; NULL: it is neither. */
static const char *
pattern_prepare(const struct reading *r, struct str text, struct err *err)
{
	struct str domain = text;
	bool below = str_starts(text, STR("*."));

	if (below)
		domain = (struct str){ text.p + 2, text.n - 2 };
	if (domain.n == 0 || memchr(domain.p, '*', domain.n) != NULL) {
		err_set(err, ERR_INVALID,
			"a star stands for whole names in front of a domain");
		return NULL;
	}
	if (!jid_prep_domain(&domain, r->w->arena, domain, err))
		return NULL;
	return arena_printf(r->w->arena, "%s%.*s", below ? "*." : "",
		STR_ARG(domain)).p;
}

static int
pattern_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A list that stands in the section; one that has been taken over is prepared, and
 * sorted. */
static void
patterns_apply(const struct reading *r, const char *name,
	struct option_list *list)
{
	const struct yaml_node *node = yaml_get(r->node, name);
	const char *path = arena_printf(r->w->arena, "%s: %s", r->path, name).p;
	const struct yaml_node *c;
	const char **items;

	if (node == NULL || node->kind != YAML_LIST || node->n != list->n)
		return;
	items = arena_zalloc(r->w->arena, (list->n + 1) * sizeof(*items));
	c = node->first;
	for (size_t i = 0; i < list->n; i++, c = c->next) {
		struct err err = ERR_INIT;

		items[i] = pattern_prepare(r, c->text, &err);
		if (items[i] == NULL) {
			conf_error_add(r->m, c, path,
				"\"%.64s\" is not a domain (%.100s); expected one such as example.net, or *.example.net for those below it",
				c->text.p, err.text);
			items[i] = c->text.p;
		}
	}
	qsort(items, list->n, sizeof(*items), pattern_cmp);
	list->items = items;
}

static void
authorities_check(const struct reading *r, const char *path)
{
	const struct yaml_node *node = yaml_get(r->node, "authorities");
	struct err err = ERR_INIT;
	struct tls_trust *trust;

	if (node == NULL || path == NULL)
		return;
	trust = tls_trust_new(path, &err);
	if (trust == NULL)
		conf_error_add(r->m, node, r->path, "authorities: %.300s",
			err.text);
	tls_trust_unref(trust);
}

/* --- federation ------------------------------------------------------------------ */

/* `federation: off' is short for { mode: off }. */
static const struct yaml_node *
node_in_full(struct arena *a, const struct yaml_node *node)
{
	struct yaml_node *map, *mode;

	if (node == NULL || node->kind != YAML_SCALAR || yaml_is_empty(node))
		return node;
	map = arena_alloc(a, sizeof(*map));
	mode = arena_alloc(a, sizeof(*mode));
	*mode = *node;
	mode->key = STR("mode");
	mode->next = NULL;
	*map = *node;
	map->kind = YAML_MAP;
	map->first = mode;
	map->n = 1;
	return map;
}

void
config_federation_apply(struct config_whole *w, const struct yaml_node *node,
	const char *path, bool over, struct config_federation *out,
	struct conf_errors *m)
{
	struct reading r = { w, node_in_full(w->arena, node), path, m };

	if (over)
		option_overlay(config_federation_options, r.node, NULL, path,
			out, w->arena, m);
	else
		option_apply(config_federation_options, r.node, path, out,
			w->arena, m);
	patterns_apply(&r, "allow", &out->allow);
	patterns_apply(&r, "deny", &out->deny);
	authorities_check(&r, out->authorities);
}

/* What is looked for: a domain, or all that are below it. */
struct pattern {
	bool below;
	struct str domain;
};

static int
pattern_find_cmp(const void *key, const void *element)
{
	const struct pattern *p = key;
	const char *item = *(const char *const *)element;
	int cmp;

	if (!p->below)
		return str_cmp(p->domain, str_c(item));
	cmp = strncmp("*.", item, 2);
	return cmp != 0 ? cmp : str_cmp(p->domain, str_c(item + 2));
}

static bool
list_finds(const struct option_list *list, struct pattern p)
{
	return list->n != 0 &&
		bsearch(&p, list->items, list->n, sizeof(list->items[0]),
			pattern_find_cmp) != NULL;
}

bool
config_list_has(const struct option_list *list, struct str domain)
{
	bool found = list_finds(list, (struct pattern){ false, domain });
	struct str label, rest = domain;

	/* by whole labels: example.org is not the end of evilexample.org */
	while (!found && str_cut(rest, '.', &label, &rest))
		found = list_finds(list, (struct pattern){ true, rest });
	return found;
}

bool
config_keeps_local(const struct config_federation *f, const char *host,
	struct str domain)
{
	struct str label, above;

	if (!str_cut(domain, '.', &label, &above))
		above = STR_NONE;
	for (size_t i = 0; i < f->local.n; i++) {
		const char *is = f->local.items[i];

		if (str_is(domain, is) ||
			(str_is(label, is) && host != NULL &&
				str_is(above, host)))
			return true;
	}
	return false;
}

/* --- remotes ----------------------------------------------------------------------- */

static void
address_check(const struct reading *r, struct config_remote *out)
{
	struct err err = ERR_INIT;
	char bytes[IP_LITERAL_SIZE];
	struct str name;

	if (out->address == NULL) {
		if (out->port != 0 || out->tls != REMOTE_STARTTLS)
			conf_error_add(r->m, r->node, r->path,
				"\"port\" and \"tls\" are of no use without \"address\"");
		return;
	}
	if (out->port == 0)
		out->port = out->tls == REMOTE_DIRECT ? PORT_DIRECT :
							PORT_STARTTLS;
	if (ip_literal_read(str_c(out->address), bytes) != 0)
		return;
	if (jid_prep_domain(&name, r->w->arena, str_c(out->address), &err) &&
		name.n != 0)
		out->address = arena_str(r->w->arena, name).p;
	else
		conf_error_add(r->m, yaml_get(r->node, "address"), r->path,
			"address: \"%.64s\" is neither a name such as xmpp.example.net nor an address such as 192.0.2.7 or 2001:db8::7",
			out->address);
}

/* It is filled in though there are mistakes in it: the rest is looked at, too. */
static void
remote_apply(const struct reading *r, struct config_remote *out,
	struct str domain)
{
	out->domain = arena_str(r->w->arena, domain).p;
	option_apply(config_remote_options, r->node, r->path, out, r->w->arena,
		r->m);
	out->policy = out->policy_choice - 1;
	address_check(r, out);
	authorities_check(r, out->authorities);
}

/* A remote while it is read. */
struct remote_place {
	struct config_remote remote;
	const struct yaml_node *node;
};

static int
place_cmp(const void *a, const void *b)
{
	const struct remote_place *x = a, *y = b;

	return strcmp(x->remote.domain, y->remote.domain);
}

/* In order, and each once: different spellings may be the same domain. */
static void
remotes_keep(struct config_whole *w, struct remote_place *places, size_t n,
	struct conf_errors *m)
{
	struct config_remote *all =
		arena_zalloc(w->arena, (n + 1) * sizeof(*all));

	qsort(places, n, sizeof(*places), place_cmp);
	for (size_t i = 0; i < n; i++) {
		all[i] = places[i].remote;
		if (i > 0 && place_cmp(&places[i - 1], &places[i]) == 0)
			conf_error_add(m, places[i].node, "remotes",
				"%s is given twice; the other one is in %s:%d",
				all[i].domain, places[i - 1].node->file,
				places[i - 1].node->line);
	}
	w->c.remotes = all;
	w->c.n_remotes = n;
}

void
config_remotes_apply(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m)
{
	struct remote_place *places;
	size_t n = 0;

	if (node == NULL || yaml_is_empty(node))
		return;
	if (node->kind != YAML_MAP || node->n > REMOTES_MAX) {
		conf_error_add(m, node, "remotes",
			"expected a map of at most %d domains, such as { example.net: { address: 192.0.2.7 } }",
			REMOTES_MAX);
		return;
	}
	places = xcalloc(node->n + 1, sizeof(*places));
	for (const struct yaml_node *c = node->first; c != NULL; c = c->next) {
		struct reading r = { w, c, "remotes", m };
		struct err err = ERR_INIT;
		struct str domain;

		if (!jid_prep_domain(&domain, w->arena, c->key, &err)) {
			conf_error_add(m, c, "remotes",
				"\"%.64s\" is not a domain (%.100s); expected one such as example.net",
				c->key.p, err.text);
			continue;
		}
		r.path = arena_printf(w->arena, "remotes: %.*s",
			STR_ARG(domain)).p;
		places[n].node = c;
		remote_apply(&r, &places[n++].remote, domain);
	}
	remotes_keep(w, places, n, m);
	free(places);
}

static int
domain_cmp(const void *key, const void *element)
{
	const struct str *domain = key;
	const struct config_remote *remote = element;

	return str_cmp(*domain, str_c(remote->domain));
}

const struct config_remote *
config_remote(const struct config *c, struct str domain)
{
	return c->n_remotes == 0 ? NULL :
		bsearch(&domain, c->remotes, c->n_remotes, sizeof(*c->remotes),
			domain_cmp);
}

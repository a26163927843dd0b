/*
 * dns_check.c - asks what others would ask about a host of ours.
 *
 *	domains: SRV, addresses, CAA --> hosts that SRV names: addresses, TLSA
 *	                                      |
 *	           told <-- dns_free <-- each address: its certificate
 *
 * Shard 0; a worker frees what waits for threads.  Invariant: of each step all is
 * answered before the next begins, so that a check is never freed under an answer.
 */
#include "config.h"

#include "server/dns_check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/worker.h"
#include "net/tls.h"
#include "core/host.h"
#include "core/shard.h"

#define PROBE_US (5 * US_PER_S)

static void
check_answered(struct dns_check *c)
{
	if (--c->n_waiting == 0)
		c->next(c);
}

/* --- the end ----------------------------------------------------------------------- */

static void
check_free(struct dns_check *c)
{
	for (size_t i = 0; i < c->n_domains; i++)
		if (c->domains[i].answer != NULL)
			dns_question_free(c->domains[i].answer);
	free(c->domains);
	if (c->hosts_answer != NULL)
		dns_question_free(c->hosts_answer);
	snapshot_unref(c->snap);
	free(c);
}

static void
on_dns_freed(void *arg)
{
	struct dns_check *c = arg;

	c->server->dns_check = NULL;
	c->done(c->arg, c);
	check_free(c);
}

static void
dns_free_work(void *arg)
{
	struct dns_check *c = arg;

	dns_free(c->dns);
}

static void
check_end(struct dns_check *c)
{
	worker_run(c->server->worker, dns_free_work,
		&c->server->shards[0]->mailbox, on_dns_freed, c);
}

/* --- certificates ------------------------------------------------------------------ */

static void
on_probed(void *arg, const struct probe_found *found)
{
	struct check_probe *p = arg;

	p->probe = NULL;
	p->found = *found;
	check_answered(p->check);
}

static const struct check_host *
check_host(const struct dns_check *c, const char *name)
{
	for (size_t i = 0; i < c->n_hosts; i++)
		if (strcmp(c->hosts[i].name, name) == 0)
			return &c->hosts[i];
	return NULL;
}

static bool
probe_is_listed(const struct dns_check *c, const struct check_probe *p)
{
	for (size_t i = 0; i < c->n_probes; i++)
		if (memcmp(&c->probes[i].address, &p->address,
			    sizeof(p->address)) == 0 &&
			c->probes[i].server == p->server)
			return true;
	return false;
}

static void
check_add_probes(struct dns_check *c, const struct targets *targets, bool server)
{
	for (size_t i = 0; i < targets->n; i++) {
		const struct target *t = &targets->list[i];
		const struct check_host *h = check_host(c, t->name);

		for (size_t k = 0; h != NULL && k < h->addresses.n &&
			c->n_probes < CHECK_PROBES_MAX;
			k++) {
			struct check_probe p = {
				.check = c,
				.address = h->addresses.list[k].address,
				.direct = t->direct,
				.server = server,
			};

			/* the same place in both families */
			((struct sockaddr_in *)(void *)&p.address)->sin_port =
				htons(t->port);
			if (!probe_is_listed(c, &p))
				c->probes[c->n_probes++] = p;
		}
	}
}

static void
check_probe_all(struct dns_check *c)
{
	check_add_probes(c, &c->clients, false);
	check_add_probes(c, &c->servers, true);
	c->next = check_end;
	c->n_waiting = 1;
	for (size_t i = 0; i < c->n_probes && !c->stopping; i++) {
		struct check_probe *p = &c->probes[i];
		struct probe_what what = {
			.address = p->address,
			.domain = c->domains[0].domain,
			.name = c->domains[0].name,
			.direct = p->direct,
			.server = p->server,
		};

		c->n_waiting++;
		p->probe = probe_start(c->server->shards[0]->net, &what,
			PROBE_US, on_probed, p);
	}
	check_answered(c);
}

/* --- hosts ------------------------------------------------------------------------- */

static void
on_hosts(void *arg, struct dns_question *q)
{
	struct dns_check *c = arg;

	c->hosts_answer = q;
	for (size_t i = 0; i < c->n_hosts; i++) {
		struct check_host *h = &c->hosts[i];
		struct target t = { .port = 0 };

		memcpy(t.name, h->name, sizeof(t.name));
		addresses_read(&h->addresses, c->hosts_answer, h->part, &t, 1);
	}
	check_answered(c);
}

static void
check_add_hosts(struct dns_check *c, const struct targets *targets)
{
	for (size_t i = 0; i < targets->n && c->n_hosts < CHECK_HOSTS_MAX; i++) {
		if (check_host(c, targets->list[i].name) == NULL)
			memcpy(c->hosts[c->n_hosts++].name,
				targets->list[i].name, DNS_NAME_SIZE);
	}
}

static void
check_ask_hosts(struct dns_check *c)
{
	struct dns_question *q =
		dns_question_new(DNS_PARTS_MAX, on_hosts, c);

	for (size_t i = 0; i < c->n_hosts; i++) {
		struct target t = { .port = 0 };

		memcpy(t.name, c->hosts[i].name, sizeof(t.name));
		c->hosts[i].part = q->n;
		addresses_ask(q, &t, 1);
	}
	for (size_t i = 0; i < c->servers.n && q->n < DNS_PARTS_MAX; i++) {
		const struct target *t = &c->servers.list[i];
		char name[DNS_NAME_SIZE + 16];

		snprintf(name, sizeof(name), "_%u._tcp.%s", t->port, t->name);
		c->tlsa[c->n_tlsa++] = (struct check_tlsa){ *t, q->n };
		dns_question_add(q, name, DNS_TLSA);
	}
	c->n_waiting = 1;
	c->next = check_probe_all;
	dns_ask(c->dns, &c->server->shards[0]->mailbox, q);
}

/* A domain without records and without an address of its own: records would lead
 * where those for others do. */
static void
check_lead(struct dns_check *c, struct targets *to, const struct targets *others)
{
	const struct dns_part *parts = c->domains[0].answer->parts;

	if (!to->srv && to->n != 0 && others->srv && others->n != 0 &&
		parts[CHECK_AAAA].state != DNS_FOUND &&
		parts[CHECK_A].state != DNS_FOUND)
		memcpy(to->list[0].name, others->list[0].name, DNS_NAME_SIZE);
}

static void
check_targets(struct dns_check *c)
{
	struct rand_source *r = c->server->shards[0]->rand;
	const struct check_domain *d = &c->domains[0];

	targets_read(&c->clients, d->answer, CHECK_CLIENT_DIRECT, d->name,
		TARGET_CLIENT, r);
	targets_read(&c->servers, d->answer, CHECK_SERVER_DIRECT, d->name,
		TARGET_SERVER, r);
	check_lead(c, &c->clients, &c->servers);
	check_lead(c, &c->servers, &c->clients);
	check_add_hosts(c, &c->clients);
	check_add_hosts(c, &c->servers);
	check_ask_hosts(c);
}

/* --- domains ----------------------------------------------------------------------- */

static void
on_domain(void *arg, struct dns_question *q)
{
	struct check_domain *d = arg;

	d->answer = q;
	check_answered(d->check);
}

/* RFC 8659 §3: where the domain itself says nothing, those above it do. */
static void
domain_ask_caa(struct dns_question *q, const char *name)
{
	for (int i = 0; i < CHECK_CAA_MAX && strchr(name, '.') != NULL; i++) {
		dns_question_add(q, name, DNS_CAA);
		name = strchr(name, '.') + 1;
	}
}

static void
domain_ask(struct check_domain *d, bool is_host)
{
	struct dns_check *c = d->check;
	struct dns_question *q = dns_question_new(
		CHECK_SERVICE_PARTS + 2 + CHECK_CAA_MAX, on_domain, d);

	targets_ask(q, d->name, TARGET_SERVER);
	dns_question_add(q, d->name, DNS_AAAA);
	dns_question_add(q, d->name, DNS_A);
	if (is_host) {
		targets_ask(q, d->name, TARGET_CLIENT);
		domain_ask_caa(q, d->name);
	}
	c->n_waiting++;
	dns_ask(c->dns, &c->server->shards[0]->mailbox, q);
}

/* False: it has no name. */
static bool
check_add_domain(struct dns_check *c, const struct host *host)
{
	/* prepared texts of a snapshot are NUL-terminated */
	struct check_domain *d = &c->domains[c->n_domains];

	d->check = c;
	d->domain = host->domain.p;
	if (!dns_name(d->domain, d->name))
		return false;
	c->n_domains++;
	return true;
}

static struct dns_check *
check_new(struct server *srv, struct host *host)
{
	struct dns_check *c = xcalloc(1, sizeof(*c));
	size_t n = 1;

	for (const struct host *s = host->services; s != NULL; s = s->next)
		n++;
	c->server = srv;
	c->snap = snapshot_ref(srv->newest);
	c->host = host;
	c->domains = xcalloc(n, sizeof(c->domains[0]));
	c->has_certificate = c->snap->tls != NULL &&
		tls_set_digests(c->snap->tls, host->domain.p, c->digest,
			c->key_digest);
	return c;
}

bool
dns_check_start(struct server *srv, struct str domain,
	void (*done)(void *arg, const struct dns_check *c), void *arg,
	struct err *err)
{
	struct host *host = snapshot_host(srv->newest, domain);
	struct dns_check *c;

	if (srv->dns_check != NULL)
		return err_set(err, ERR_BUSY,
			"another check is under way, try again in a moment");
	c = check_new(srv, host);
	c->done = done;
	c->arg = arg;
	if (!check_add_domain(c, host)) {
		check_free(c);
		return err_set(err, ERR_INVALID,
			"%.*s cannot stand in the DNS: it is an address, or no name",
			STR_ARG(domain));
	}
	for (const struct host *s = host->services; s != NULL; s = s->next)
		check_add_domain(c, s);
	srv->dns_check = c;
	c->dns = dns_new(c->snap->config, srv->clock, DNS_AS_OTHERS);
	c->next = check_targets;
	for (size_t i = 0; i < c->n_domains; i++)
		domain_ask(&c->domains[i], i == 0);
	return true;
}

void
dns_check_stop(struct server *srv)
{
	struct dns_check *c = srv->dns_check;

	if (c == NULL || c->stopping)
		return;
	c->stopping = true;
	dns_stop(c->dns);
	for (size_t i = 0; i < c->n_probes; i++) {
		struct check_probe *p = &c->probes[i];

		if (p->probe == NULL)
			continue;
		probe_cancel(p->probe);
		p->probe = NULL;
		check_answered(c);
	}
}

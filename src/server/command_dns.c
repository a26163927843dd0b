/*
 * command_dns.c - check-dns: what is missing in the DNS for a host, as lines for its
 * zone, and what stands there, with what works and what does not.
 *
 * Shard 0.  The lines are text: people paste them.  All else is rows.
 */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf/conf.h"
#include "dns/dns_records.h"
#include "core/host.h"
#include "core/shard.h"
#include "server/dns_check.h"
#include "server/server_commands.h"

#define TTL_ADVISED 86400
#define PORT_TEXT 8

struct showing {
	struct command_call *call;
	const struct dns_check *check;
	bool headed; /* the lines have their heading */
};

/* --- what is there ----------------------------------------------------------------- */

static bool
part_has_usable_srv(const struct dns_part *part)
{
	struct dns_srv srv;

	for (size_t i = 0; part->state == DNS_FOUND && part->data[i] != NULL; i++)
		if (dns_srv_read(part->data[i], (size_t)part->size[i], &srv))
			return true;
	return false;
}

static bool
domain_has_address(const struct check_domain *d)
{
	return d->answer->parts[CHECK_AAAA].state == DNS_FOUND ||
		d->answer->parts[CHECK_A].state == DNS_FOUND;
}

/* Where records that are missing would lead: where those that are there do. */
static const char *
check_target(const struct dns_check *c)
{
	const struct targets *all[] = { &c->clients, &c->servers };

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i]->srv && all[i]->n != 0)
			return all[i]->list[0].name;
	return c->domains[0].name;
}

/* The port of the configuration for them; 0: there is none of that kind. */
static uint16_t
listen_port_of(const struct dns_check *c, const char *kind, bool direct)
{
	const struct config *conf = c->snap->config;
	int tls = direct ? LISTEN_DIRECT : LISTEN_STARTTLS;

	for (size_t i = 0; i < conf->n_listen; i++) {
		const struct config_listen *l = &conf->listen[i];

		if (!config_listen_has(l, kind) || l->tls != tls)
			continue;
		if (l->port != 0 || c->snap->ports[i] == NULL)
			return (uint16_t)l->port;
		return c->snap->ports[i]->bound;
	}
	return 0;
}

static uint16_t
check_port(const struct dns_check *c, enum target_service service, bool direct)
{
	const char *kind = service == TARGET_CLIENT ? "c2s" : "server";

	return service == TARGET_CLIENT ||
			config_listens(c->snap->config, kind) ?
		listen_port_of(c, kind, direct) :
		targets_port(service, direct);
}

/* --- rows -------------------------------------------------------------------------- */

static void
show_row(const struct showing *s, const char *record, const char *state,
	const char *found, const char *note)
{
	command_row(s->call);
	command_field(s->call, "record", str_c(record));
	command_field(s->call, "state", str_c(state));
	command_field(s->call, "found", str_c(found));
	command_field(s->call, "note", str_c(note));
}

/* What stands there, as in a zone. */
static void
data_show(struct buf *out, const struct dns_part *part)
{
	for (size_t i = 0; part->state == DNS_FOUND && part->data[i] != NULL;
		i++) {
		const void *data = part->data[i];
		size_t n = (size_t)part->size[i];
		struct sockaddr_storage address;
		char text[DNS_ADDRESS_SIZE];
		struct dns_srv srv;

		if (out->n != 0)
			buf_add_c(out, ", ");
		if (part->type == DNS_SRV && dns_srv_read(data, n, &srv)) {
			buf_printf(out, "%u %u %u %s.", srv.priority, srv.weight,
				srv.port, srv.target);
		} else if (dns_address_read(part->type, data, n, 0, &address)) {
			dns_address_text(&address, text);
			buf_add_c(out, text);
		} else {
			hex_encode(out, data, MIN(n, 36));
		}
	}
}

static const char *
part_state(const struct dns_part *part)
{
	switch (part->state) {
	case DNS_FOUND:
		return part->secure ? "signed" : "found";
	case DNS_NONE:
		return "missing";
	case DNS_BOGUS:
		return "bogus";
	case DNS_WAITING:
	case DNS_FAILED:
		break;
	}
	return "unknown";
}

/* note: where it is there, or is not. */
static void
part_show(const struct showing *s, const struct dns_part *part,
	const char *type, const char *note)
{
	struct buf record = BUF_INIT, found = BUF_INIT;

	buf_printf(&record, "%s %s", part->name, type);
	data_show(&found, part);
	show_row(s, buf_c(&record), part_state(part), buf_c(&found),
		part->state == DNS_FOUND || part->state == DNS_NONE ? note :
								      part->why);
	buf_done(&record);
	buf_done(&found);
}

/* --- lines for the zone -------------------------------------------------------------- */

static void
show_heading(struct showing *s)
{
	if (!s->headed)
		command_text(s->call,
			"; to be added to the zone; a line with `;' needs a decision first");
	s->headed = true;
}

static void
srv_line(struct showing *s, const char *name, enum target_service service,
	bool direct)
{
	uint16_t port = check_port(s->check, service, direct);
	char srv[DNS_NAME_SIZE];

	targets_name(srv, name, service, direct);
	show_heading(s);
	command_text(s->call, "%s. %d IN SRV %d 5 %u %s.", srv, TTL_ADVISED,
		direct ? 0 : 5, port, check_target(s->check));
}

static void
srv_line_if_missing(struct showing *s, const struct check_domain *d,
	enum check_part which, enum target_service service, bool direct)
{
	if (d->answer->parts[which].state == DNS_NONE &&
		check_port(s->check, service, direct) != 0)
		srv_line(s, d->name, service, direct);
}

/* Of the host to which SRV records lead: without one nothing works. */
static void
address_lines(struct showing *s)
{
	const struct dns_check *c = s->check;

	for (size_t i = 0; i < c->n_hosts; i++) {
		const struct check_host *h = &c->hosts[i];
		const struct dns_part *parts = &c->hosts_answer->parts[h->part];

		if (parts[0].state != DNS_NONE || parts[1].state != DNS_NONE)
			continue;
		show_heading(s);
		command_text(s->call, ";%s. %d IN AAAA the address of the server",
			h->name, TTL_ADVISED);
		command_text(s->call, ";%s. %d IN A the address of the server",
			h->name, TTL_ADVISED);
	}
}

/* Does a record stand for the certificate that is loaded?  *judged_io: there was
 * one that says so or not. */
static bool
tlsa_fits(const struct dns_check *c, const struct dns_tlsa *t, bool *judged_io)
{
	const uint8_t *want = t->selector == 1 ? c->key_digest : c->digest;

	/* others name an authority, or hold more than a digest */
	if (t->usage != 3 || t->match != 1 || t->selector > 1 ||
		!c->has_certificate)
		return false;
	*judged_io = true;
	return t->n == PROBE_DIGEST_SIZE &&
		memcmp(t->data, want, PROBE_DIGEST_SIZE) == 0;
}

/* *judged_out: as tlsa_fits() has it, of any of them. */
static bool
tlsa_any_fits(const struct dns_check *c, const struct dns_part *part,
	bool *judged_out)
{
	bool fits = false;
	struct dns_tlsa t;

	*judged_out = false;
	for (size_t i = 0; part->state == DNS_FOUND && part->data[i] != NULL; i++)
		if (dns_tlsa_read(part->data[i], (size_t)part->size[i], &t))
			fits = tlsa_fits(c, &t, judged_out) || fits;
	return fits;
}

/* RFC 6698; the key stays when a certificate is renewed with it. */
static void
tlsa_lines(struct showing *s)
{
	const struct dns_check *c = s->check;
	struct buf hex = BUF_INIT;

	if (c->has_certificate)
		hex_encode(&hex, c->key_digest, sizeof(c->key_digest));
	for (size_t i = 0; hex.n != 0 && i < c->n_tlsa; i++) {
		const struct check_tlsa *t = &c->tlsa[i];
		const struct dns_part *part = &c->hosts_answer->parts[t->part];

		bool judged;

		/* that there is none, is signed: so would be a record */
		if (!part->secure ||
			(part->state != DNS_NONE &&
				(tlsa_any_fits(c, part, &judged) || !judged)))
			continue;
		show_heading(s);
		command_text(s->call, "%s. %d IN TLSA 3 1 1 %s", part->name,
			TTL_ADVISED, buf_c(&hex));
	}
	buf_done(&hex);
}

static bool
check_has_caa(const struct dns_check *c)
{
	const struct dns_question *q = c->domains[0].answer;

	for (size_t i = CHECK_CAA; i < q->n; i++)
		if (q->parts[i].state != DNS_NONE)
			return true;
	return false;
}

static void
check_lines(struct showing *s)
{
	const struct dns_check *c = s->check;
	const struct check_domain *d = &c->domains[0];

	srv_line_if_missing(s, d, CHECK_CLIENT, TARGET_CLIENT, false);
	srv_line_if_missing(s, d, CHECK_CLIENT_DIRECT, TARGET_CLIENT, true);
	for (size_t i = 0; i < c->n_domains; i++) {
		d = &c->domains[i];
		srv_line_if_missing(s, d, CHECK_SERVER, TARGET_SERVER, false);
		srv_line_if_missing(s, d, CHECK_SERVER_DIRECT, TARGET_SERVER,
			true);
	}
	address_lines(s);
	tlsa_lines(s);
	if (!check_has_caa(c)) {
		show_heading(s);
		command_text(s->call,
			";%s. %d IN CAA 0 issue \"your authority, such as letsencrypt.org\"",
			c->domains[0].name, TTL_ADVISED);
	}
}

/* --- what it means ------------------------------------------------------------------- */

static void
trust_show(const struct showing *s)
{
	static const struct {
		const char *state, *note;
	} rows[] = {
		[DNS_TRUST_UNKNOWN] = { "unknown",
			"no answer has come about the keys of the DNS" },
		[DNS_TRUST_YES] = { "ok", "signatures are checked" },
		[DNS_TRUST_NO] = { "unsigned",
			"the keys of the DNS do not come to this machine, so that "
			"nothing is known of signatures: its name server strips "
			"them, or cannot be reached" },
		[DNS_TRUST_OFF] = { "off",
			"signatures are not checked: see `dns: dnssec' and "
			"`trust_anchor' in antiphond.yml(5)" },
	};
	enum dns_trust trust = s->check->hosts_answer->trust;

	show_row(s, "DNSSEC", rows[trust].state, "", rows[trust].note);
}

/* STARTTLS, of the host or a service; fallback: without the record, the domain's
 * own address is tried (RFC 6120 §3.2.2). */
static const char *
srv_note(const struct check_domain *d, bool has_other,
	enum target_service service, const struct dns_part *part)
{
	bool client = service == TARGET_CLIENT;

	if (part->state == DNS_FOUND && !part_has_usable_srv(part))
		return "none of them can be read";
	if (part->state == DNS_FOUND)
		return client ? "our users find the server" :
				"other servers find this domain";
	if (has_other)
		return client ?
			"users whose software or network cannot do direct TLS, or ALPN, do not find the server" :
			"servers that cannot do direct TLS, or ALPN, do not find this domain";
	if (domain_has_address(d))
		return client ?
			"our users find the server by the address of the domain, if it is there, and listens at port 5222" :
			"other servers find this domain by its address, if the server is there, and listens at port 5269";
	return client ? "our users do not find the server" :
			"other servers do not find this domain: their users cannot write to it";
}

static const char *
srv_direct_note(enum target_service service, const struct dns_part *part,
	uint16_t port)
{
	if (part->state == DNS_FOUND && !part_has_usable_srv(part))
		return "none of them can be read";
	if (part->state == DNS_NONE && port == 0)
		return "no port with direct TLS is configured: nothing is missing";
	if (part->state == DNS_NONE)
		return service == TARGET_CLIENT ?
			"our users connect by STARTTLS: one more round trip, and firewalls may be in the way" :
			"other servers connect by STARTTLS, which works as well";
	return "direct TLS (XEP-0368)";
}

static void
srv_show(const struct showing *s, const struct check_domain *d,
	enum check_part direct, enum target_service service)
{
	const struct dns_part *parts = &d->answer->parts[direct];
	bool has_direct = part_has_usable_srv(&parts[0]);

	part_show(s, &parts[1], "SRV",
		srv_note(d, has_direct, service, &parts[1]));
	part_show(s, &parts[0], "SRV",
		srv_direct_note(service, &parts[0],
			check_port(s->check, service, true)));
}

static void
hosts_show(const struct showing *s)
{
	const struct dns_check *c = s->check;

	for (size_t i = 0; i < c->n_hosts; i++) {
		const struct dns_part *parts =
			&c->hosts_answer->parts[c->hosts[i].part];
		bool v6 = parts[0].state == DNS_FOUND;
		bool v4 = parts[1].state == DNS_FOUND;

		part_show(s, &parts[0], "AAAA",
			v6 ? "reached by IPv6" :
			v4 ? "whoever has IPv6 only does not reach it" :
			     "nobody reaches it");
		part_show(s, &parts[1], "A",
			v4 ? "reached by IPv4" :
			v6 ? "whoever has IPv4 only does not reach it" :
			     "nobody reaches it");
	}
}

/* --- TLSA, CAA ----------------------------------------------------------------------- */

static void
tlsa_show(const struct showing *s, const struct dns_part *part)
{
	bool judged, fits = tlsa_any_fits(s->check, part, &judged);

	if (part->state == DNS_NONE)
		part_show(s, part, "TLSA",
			part->secure ?
				"other servers that use DANE go by the certificate's authority" :
				"the zone is not signed: DANE needs DNSSEC first");
	else if (part->state != DNS_FOUND || fits || !judged)
		part_show(s, part, "TLSA",
			fits ? "it is the certificate that is loaded" :
			       "it names no single certificate: not judged");
	else
		show_row(s, part->name, "wrong", "",
			"none of the TLSA records is for the certificate that is loaded: servers that use DANE refuse this one");
}

static void
caa_show(const struct showing *s)
{
	const struct dns_question *q = s->check->domains[0].answer;

	for (size_t i = CHECK_CAA; i < q->n; i++) {
		if (q->parts[i].state == DNS_NONE && i + 1 < q->n)
			continue;
		part_show(s,
			q->parts[i].state == DNS_NONE ? &q->parts[CHECK_CAA] :
							&q->parts[i],
			"CAA",
			q->parts[i].state == DNS_NONE ?
				"any authority may give a certificate for this domain to whoever has convinced it" :
				"says which authorities may give certificates for this domain");
		return;
	}
}

/* --- addresses ----------------------------------------------------------------------- */

static const char *
probe_state_text(const struct dns_check *c, const struct check_probe *p)
{
	if (p->found.state == PROBE_UNREACHED)
		return "not judged";
	if (p->found.state == PROBE_NO_TLS || !c->has_certificate)
		return "no TLS";
	return memcmp(p->found.digest, c->digest, sizeof(c->digest)) == 0 ?
		"ok" :
		"other";
}

static void
probe_note(const struct dns_check *c, const struct check_probe *p,
	struct buf *out)
{
	if (!dns_address_is_public(&p->address))
		buf_add_c(out, "a private address, which others cannot reach; ");
	switch (p->found.state) {
	case PROBE_UNREACHED:
		buf_printf(out,
			"%s; from inside a network with NAT this may mean nothing",
			p->found.why[0] != '\0' ? p->found.why : "not tried");
		return;
	case PROBE_NO_TLS:
		buf_add_c(out, p->found.why);
		return;
	case PROBE_SERVED:
		break;
	}
	if (!c->has_certificate)
		buf_add_c(out, "a certificate is served, and none is loaded here");
	else if (memcmp(p->found.digest, c->digest, sizeof(c->digest)) == 0)
		buf_add_c(out, "the certificate that is loaded is served");
	else
		buf_add_c(out,
			"another certificate is served than the one that is loaded: somebody else answers there, or a proxy does");
}

static void
probe_show(const struct showing *s, const struct check_probe *p)
{
	char address[DNS_ADDRESS_SIZE];
	struct buf where = BUF_INIT, note = BUF_INIT;
	const struct sockaddr_in *in = (const void *)&p->address;

	dns_address_text(&p->address, address);
	buf_printf(&where, p->address.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		address, ntohs(in->sin_port));
	probe_note(s->check, p, &note);
	show_row(s, buf_c(&where), probe_state_text(s->check, p),
		p->server ? (p->direct ? "servers, direct TLS" :
					 "servers, STARTTLS") :
			    (p->direct ? "clients, direct TLS" :
					 "clients, STARTTLS"),
		buf_c(&note));
	buf_done(&where);
	buf_done(&note);
}

/* --- the whole ----------------------------------------------------------------------- */

static void
on_checked(void *arg, const struct dns_check *c)
{
	struct showing s = { .call = command_call_arg(arg), .check = c };
	struct err err = ERR_INIT;

	if (c->stopping) {
		err_set(&err, ERR_CLOSED, "the server stops");
		command_fail(s.call, &err);
		return;
	}
	check_lines(&s);
	trust_show(&s);
	srv_show(&s, &c->domains[0], CHECK_CLIENT_DIRECT, TARGET_CLIENT);
	for (size_t i = 0; i < c->n_domains; i++)
		srv_show(&s, &c->domains[i], CHECK_SERVER_DIRECT, TARGET_SERVER);
	hosts_show(&s);
	for (size_t i = 0; i < c->n_tlsa; i++)
		tlsa_show(&s, &c->hosts_answer->parts[c->tlsa[i].part]);
	caa_show(&s);
	for (size_t i = 0; i < c->n_probes; i++)
		probe_show(&s, &c->probes[i]);
	command_done(s.call);
}

static void
check_dns_run(struct command_call *call)
{
	struct str host = command_value(call, "host");
	struct err err = ERR_INIT;

	if (!command_serves(call, host, &err) ||
		!dns_check_start(call->server, host, on_checked, call, &err))
		command_fail(call, &err);
}

static const struct command_arg check_dns_args[] = {
	{ "host", ARG_DOMAIN, .help = "a host of the configuration" },
	{ .name = NULL },
};

const struct command command_dns[] = {
	{ "check-dns", "show what is missing in the DNS for a host, and what stands there",
		"First come the records that are missing, as lines to paste into the "
		"zone; one that begins with a semicolon needs a decision. Then a row "
		"for each record: state is signed, found, missing, bogus when its "
		"signatures are wrong, or unknown when there was no answer; note "
		"says what works so, and what does not. Service domains are looked "
		"up, too. Last, the server connects to each address and port that "
		"stands there for the host, and compares the certificate that is "
		"served with the one that is loaded: state is ok, other, no TLS, or "
		"not judged where there was no connection, which behind NAT can be "
		"so from inside alone. The hosts file of the machine is not looked "
		"at, and nothing is remembered from one check to the next; a name "
		"server may remember a record that was missing for as long as the "
		"zone says.",
		check_dns_args, .run = check_dns_run, .may = BY_OPERATOR },
	{ .name = NULL },
};

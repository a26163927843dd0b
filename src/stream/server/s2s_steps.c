/*
 * s2s_steps.c - what has been found on the way to a remote domain, in words for an
 * administrator (remote_step()).
 *
 * Owner shard of the pair.
 */
#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "net/conn.h"
#include "net/tls.h"
#include "net/tls_peer.h"
#include "dns/dns_records.h"
#include "dns/dns_targets.h"
#include "stream/server/s2s_out_int.h"

void
s2s_step_targets(struct remote_pair *p, const struct targets *t)
{
	struct buf text = BUF_INIT;

	if (t->why[0] != '\0')
		remote_step(p, "SRV", "left out", "%s", t->why);
	for (size_t i = 0; i < t->n; i++)
		buf_printf(&text, "%s%s:%u%s%s", i != 0 ? ", " : "",
			t->list[i].name, t->list[i].port,
			t->list[i].direct ? " direct TLS" : "",
			t->list[i].secure ? " signed" : "");
	remote_step(p, "SRV", t->srv ? "ok" : "none",
		t->srv ? "%s" : "no such records, so that it is %s",
		buf_c(&text));
	buf_done(&text);
}

void
s2s_step_addresses(struct remote_pair *p, const struct target *group,
	const struct target_addresses *a)
{
	struct buf text = BUF_INIT;
	char address[DNS_ADDRESS_SIZE];

	for (size_t i = 0; i < a->n; i++) {
		dns_address_text(&a->list[i].address, address);
		buf_printf(&text, "%s%s %s", i != 0 ? ", " : "",
			group[a->list[i].target].name, address);
	}
	remote_step(p, "address", "ok", "%s", buf_c(&text));
	buf_done(&text);
}

/* --- of a stream ------------------------------------------------------------------ */

void
s2s_step_connected(const struct s2s_out *o, struct remote_pair *p,
	const char *peer)
{
	if (o->target[0] != '\0')
		remote_step(p, "connection", "ok", "%s, with %s, of %s", peer,
			o->direct ? "direct TLS" : "STARTTLS", o->target);
}

void
s2s_step_tls(const struct s2s_out *o, struct remote_pair *p)
{
	const char *version = tls_version(o->x.conn);

	if (version != NULL)
		remote_step(p, "TLS", "ok", "%s %s", version,
			tls_cipher(o->x.conn));
}

void
s2s_step_certificate(struct remote_pair *p, const struct tls_judgement *j,
	bool believed)
{
	static const char *const states[] = {
		[TLS_DANE_NONE] = "unusable",
		[TLS_DANE_FITS] = "ok",
		[TLS_DANE_OTHER] = "failed",
	};

	if (believed || j->dane == TLS_DANE_OTHER)
		remote_step(p, "certificate",
			j->worth == TLS_TRUSTED ? "ok" : "not trusted", "%s",
			j->why);
	if (j->dane != TLS_DANE_OTHER && j->dane_why[0] != '\0')
		remote_step(p, "DANE", states[j->dane], "%s", j->dane_why);
}

void
s2s_step_refused(struct remote_pair *p)
{
	remote_step(p, "authentication", "refused",
		"EXTERNAL: they do not take our certificate; dialback is next");
}

void
s2s_step_up(const struct s2s_out *o, struct remote_pair *p)
{
	remote_step(p, "authentication", "ok", "%s: %s", o->by,
		strcmp(o->by, "dialback") == 0 ?
			"they have asked us whether the key is ours" :
			"they trust our certificate");
}

void
s2s_steps_tell(const struct s2s_out *o, struct remote_pair *p)
{
	struct tls_judgement j;

	s2s_step_connected(o, p, conn_peer(o->x.conn));
	s2s_step_tls(o, p);
	s2s_out_judge_peer(o, &j);
	s2s_step_certificate(p, &j, true);
	if (o->refused)
		s2s_step_refused(p);
	s2s_step_up(o, p);
}

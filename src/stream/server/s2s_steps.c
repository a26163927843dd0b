/*
 * s2s_steps.c - what has been found on the way to a remote domain, in words for an
 * administrator (remote_step()).
 *
 * Owner shard of the pair.
 */
#include "config.h"

#include "base/buf.h"
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

void
s2s_step_connected(struct remote_pair *p, const struct target *t,
	const struct sockaddr_storage *address)
{
	char text[DNS_ADDRESS_SIZE];

	dns_address_text(address, text);
	remote_step(p, "connection", "ok", "%s, port %u, with %s, of %s", text,
		t->port, t->direct ? "direct TLS" : "STARTTLS", t->name);
}

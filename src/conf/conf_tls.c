/*
 * conf_tls.c - the certificates of a configuration, as src/net wants them.
 *
 * Any thread; pure.
 */
#include "config.h"

#include "net/tls.h"
#include "conf/conf.h"

void
config_tls_conf(const struct config *c, struct tls_host_conf *hosts,
	struct tls_conf *out)
{
	*out = (struct tls_conf){
		.hosts = hosts,
		.min_version = config_tls_versions[c->tls.min_version],
		.ciphers = c->tls.ciphers,
		.ciphersuites = c->tls.ciphersuites,
		.tickets = c->tls.tickets,
		.client_ca = c->tls.client_ca,
		.expiry_warning_us = c->tls.expiry_warning_us,
	};
	for (size_t i = 0; i < c->n_hosts; i++) {
		/* the first of the file is for who names none */
		const struct config_host *h =
			config_host(c, str_c(c->host_order[i]));

		if (h->certificate != NULL)
			hosts[out->n_hosts++] = (struct tls_host_conf){
				h->domain, h->certificate, h->key };
	}
}

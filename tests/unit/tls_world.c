/*
 * tls_world.c - a TLS server with two hosts, and a client.
 */
#include "config.h"

#include "tls_world.h"

#include "test.h"

void
world_cert(struct world *w, struct cert *cert, const char *host,
	const char *file, char *path)
{
	struct cert_want want = {
		.cn = host,
		.names = { { CERT_DNS, str_c(host) } },
	};

	cert_done(cert);
	cert_make(cert, &want, NULL);
	certs_dir_file(&w->dir, file, path);
	cert_write(cert, path);
}

static int
on_client_session(SSL *ssl, SSL_SESSION *session)
{
	struct world *w = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(w->ticket);
	w->ticket = session;
	return 1;
}

void
world_load(struct world *w)
{
	struct err err = ERR_INIT;

	w->set = tls_set_new(&w->conf, NULL, NULL, &err);
	CHECK_CSTR(err.text, "");
	CHECK(w->set != NULL);
}

static void
world_connect(struct world *w)
{
	pair_init(&w->p);
	net_give_tickets(w->p.net, w->seed, &w->clock.clock, 0);
}

void
world_init(struct world *w)
{
	*w = (struct world){ .conf = { .n_hosts = 2, .tickets = true },
		.host = "" };
	certs_dir_init(&w->dir);
	world_cert(w, &w->a, "a.example", "a.pem", w->paths[0]);
	world_cert(w, &w->b, "b.example", "b.pem", w->paths[1]);
	w->hosts[0] = (struct tls_host_conf){ "a.example", w->paths[0], NULL };
	w->hosts[1] = (struct tls_host_conf){ "b.example", w->paths[1], NULL };
	w->conf.hosts = w->hosts;
	world_load(w);
	w->client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_app_data(w->client, w);
	SSL_CTX_set_session_cache_mode(
		w->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(w->client, on_client_session);
	clock_manual_init(&w->clock, 0);
	world_connect(w);
}

void
world_again(struct world *w)
{
	pair_done(&w->p);
	world_connect(w);
}

void
world_done(struct world *w)
{
	pair_done(&w->p);
	SSL_SESSION_free(w->ticket);
	SSL_CTX_free(w->client);
	tls_set_unref(w->set);
	cert_done(&w->a);
	cert_done(&w->b);
	cert_done(&w->ca);
	certs_dir_done(&w->dir);
}

void
world_meet(struct world *w, const char *sni)
{
	struct pair *p = &w->p;

	pair_tls(p, w->set, w->client, w->host, sni);
	if (w->resume)
		SSL_set_session(p->ssl, w->ticket);
	PAIR_UNTIL(p, p->server.secured && SSL_is_init_finished(p->ssl));
	conn_write(p->server.c, "!", 1);
	PAIR_UNTIL(p, p->in.n == 1);
}

void
world_fail(struct world *w)
{
	struct pair *p = &w->p;

	pair_tls(p, w->set, w->client, "a.example", NULL);
	PAIR_UNTIL(p, p->server.closed);
	CHECK(p->server.broken);
	CHECK_INT(p->server.secured, 0);
	CHECK(strncmp(p->server.why.text, "TLS handshake: ", 15) == 0);
	PAIR_UNTIL(p, p->client_broken);
}

void
set_version(SSL_CTX *ctx, int version)
{
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
}

bool
client_saw(const struct world *w, const struct cert *cert)
{
	return X509_cmp(SSL_get0_peer_certificate(w->p.ssl), cert->x509) == 0;
}

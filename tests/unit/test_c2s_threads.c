/*
 * test_c2s_threads.c - a threaded server, and clients that come over TCP and
 * TLS from threads of their own: listeners, handshakes, moving, shutdown.
 */
#include "config.h"

#include "stream/streams.h"
#include "stream/client/c2s.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/conn.h"
#include "core/server.h"
#include "account/account.h"
#include "server/server_start.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "test.h"

#define CLIENTS 8
#define LOGINS 4 /* of each client */
#define PATIENCE_S 60

#define STARTTLS "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define END "</stream:stream>"

/* One client's side of a connection, in a thread: no CHECK here. */
struct client {
	pthread_t thread;
	uint16_t port;
	bool direct;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	char got[8192];
	size_t n;
	int done; /* logins that went well */
	sem_t *ready;
};

static bool
client_say(struct client *c, const char *text)
{
	int n = (int)strlen(text);

	if (c->ssl != NULL)
		return SSL_write(c->ssl, text, n) == n;
	return send(c->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Reads on until want has come, and forgets what came before. */
static bool
client_wait(struct client *c, const char *want)
{
	c->n = 0;
	c->got[0] = '\0';
	while (strstr(c->got, want) == NULL) {
		size_t room = sizeof(c->got) - 1 - c->n;
		int n = c->ssl != NULL ?
			SSL_read(c->ssl, c->got + c->n, (int)room) :
			(int)recv(c->fd, c->got + c->n, room, 0);

		if (n <= 0)
			return false;
		c->n += (size_t)n;
		c->got[c->n] = '\0';
	}
	return true;
}

static bool
client_connect(struct client *c)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(c->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = { .tv_sec = PATIENCE_S };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static bool
client_secure(struct client *c)
{
	if (!c->direct &&
		(!client_say(c, HEADER) || !client_wait(c, "<required/>") ||
			!client_say(c, STARTTLS) || !client_wait(c, "<proceed")))
		return false;
	c->ssl = SSL_new(c->ctx);
	SSL_set_tlsext_host_name(c->ssl, "example.org");
	SSL_set_fd(c->ssl, c->fd);
	return SSL_connect(c->ssl) == 1;
}

static bool
client_login(struct client *c)
{
	return client_connect(c) && client_secure(c) &&
		client_say(c, HEADER) && client_wait(c, "PLAIN") &&
		client_say(c, AUTH_ROMEO HEADER) && client_wait(c, "<bind ") &&
		client_say(c, "<iq type='set' id='1'><bind "
			"xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>") &&
		client_wait(c, "<jid>romeo@example.org/") &&
		client_say(c, "<iq type='get' id='p1' to='example.org'>"
			"<x xmlns='urn:x'/></iq>") &&
		client_wait(c, "p1");
}

static void
client_drop(struct client *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
}

static void *
client_main(void *arg)
{
	struct client *c = arg;
	bool ok;

	for (int i = 0; i < LOGINS; i++) {
		ok = client_login(c);
		if (i % 2 == 0) /* with and without goodbye */
			ok = ok && client_say(c, END) && client_wait(c, END);
		client_drop(c);
		c->done += ok;
	}
	ok = client_login(c);
	sem_post(c->ready);
	if (ok && client_wait(c, "<system-shutdown") &&
		(strstr(c->got, END) != NULL || client_wait(c, END)))
		c->done++;
	client_drop(c);
	return NULL;
}

static void
on_posted(void *arg)
{
	sem_post(arg);
}

TEST(clients_come_and_go_on_all_shards)
{
	struct world w;
	struct client clients[CLIENTS];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	sem_t ready, closed;
	uint16_t ports[2];

	sem_init(&ready, 0, 0);
	sem_init(&closed, 0, 0);
	world_init_threaded(&w, 4,
		"limits: { sessions_per_account: 100 }\n"
		"listen: [ { kind: c2s, address: 127.0.0.1, port: 0 },"
		" { kind: c2s, address: 127.0.0.1, port: 0, tls: direct } ]",
		ports);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){
			.port = ports[i % 2],
			.direct = i % 2 == 1,
			.ctx = ctx,
			.ready = &ready,
		};
		CHECK_INT(pthread_create(&clients[i].thread, NULL, client_main,
				  &clients[i]),
			0);
	}
	for (int i = 0; i < CLIENTS; i++)
		while (sem_wait(&ready) != 0)
			;
	streams_close_all(w.server, STREAM_SYSTEM_SHUTDOWN, on_posted, &closed);
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		CHECK_INT(clients[i].done, LOGINS + 1);
	}
	while (sem_wait(&closed) != 0)
		;
	server_stop(w.server);
	certs_dir_done(&w.dir);
	SSL_CTX_free(ctx);
	sem_destroy(&ready);
	sem_destroy(&closed);
}

TEST_MAIN

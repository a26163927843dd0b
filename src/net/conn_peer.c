/*
 * conn_peer.c - where a connection comes from: for limits, lists and the log; whether
 * the other end is still there, and how much it has; and in whose share counts what it
 * has yet to take.
 *
 * Owner shard.
 */
#include "config.h"

#include "net/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "net/net_int.h"

/* What the kernel takes. */
#define KEEPALIVE_MAX_S 32767
/* Probes that remain without an answer. */
#define PROBES 3

/* Takes the address apart once; a dual-stack socket shows IPv4 as
 * ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), which must count as the IPv4 address it
 * is. */
void
conn_set_peer(struct conn *c, const struct sockaddr *peer, unsigned peer_len)
{
	char text[INET6_ADDRSTRLEN];

	snprintf(c->peer, sizeof(c->peer), "unknown");
	if (peer == NULL)
		return;
	if (peer->sa_family == AF_INET &&
		peer_len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, peer, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
		snprintf(c->peer, sizeof(c->peer), "%.15s:%u", text,
			ntohs(in.sin_port));
		c->n_key = 4;
		memcpy(c->key, &in.sin_addr, c->n_key);
	} else if (peer->sa_family == AF_INET6 &&
		peer_len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;
		bool mapped;

		memcpy(&in6, peer, sizeof(in6));
		mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
		inet_ntop(mapped ? AF_INET : AF_INET6,
			in6.sin6_addr.s6_addr + (mapped ? 12 : 0), text,
			sizeof(text));
		snprintf(c->peer, sizeof(c->peer),
			mapped ? "%.45s:%u" : "[%.45s]:%u", text,
			ntohs(in6.sin6_port));
		c->n_key = mapped ? 4 : 8;
		memcpy(c->key, in6.sin6_addr.s6_addr + (mapped ? 12 : 0),
			c->n_key);
	}
}

const char *
conn_peer(const struct conn *c)
{
	return c->peer;
}

struct str
conn_peer_key(const struct conn *c)
{
	return (struct str){ (const char *)c->key, c->n_key };
}

static int
probe_seconds(int64_t us)
{
	return (int)MAX(1, MIN(us / US_PER_S, KEEPALIVE_MAX_S));
}

/* Fails on what is not TCP. */
void
conn_probe(struct conn *c, int64_t silence_us, int64_t answer_us)
{
	int on = 1, n = PROBES, silence = probe_seconds(silence_us),
	    between = probe_seconds(answer_us / PROBES);

	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &silence,
		sizeof(silence));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL, &between,
		sizeof(between));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof(n));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

enum conn_far
conn_ask_far(const struct conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return CONN_THERE;
	return n == 0 ? CONN_ENDED : CONN_BROKEN;
}

/* --- whose share it is ------------------------------------------------------ */

void
conn_count_left(struct conn *c, size_t left)
{
	int64_t before = c->left;

	gauge_remove(&c->net->left, c->left);
	c->left = (uint32_t)MIN(left, UINT32_MAX);
	gauge_add(&c->net->left, c->left);
	memuse_count(MEMUSE_QUEUE, 0, c->left - before);
	share_count(c->share, c->left - before);
}

void
conn_set_share(struct conn *c, struct share *s)
{
	share_count(c->share, -(int64_t)c->left);
	c->share = s;
	share_count(c->share, c->left);
}

struct share *
conn_share(const struct conn *c)
{
	return c->share;
}

/* --- what it has ------------------------------------------------------------ */

/* What the peer's system has not acknowledged of what the kernel was given. */
static uint64_t
conn_unacked(const struct conn *c)
{
	int waiting = 0;

	if (c->mem == NULL && ioctl(c->fd, SIOCOUTQ, &waiting) == -1)
		waiting = 0;
	return MIN(c->given, (uint64_t)waiting);
}

uint64_t
conn_taken(const struct conn *c)
{
	return c->given - conn_unacked(c);
}

size_t
conn_untaken(const struct conn *c)
{
	return conn_queued(c) + (size_t)conn_unacked(c);
}

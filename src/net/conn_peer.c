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

void
conn_set_peer_ip(struct conn *c, const struct ip *ip, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];
	bool is_ipv4 = ip->n == sizeof(struct in_addr);

	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, ip->bytes, text, sizeof(text));
	snprintf(c->peer, sizeof(c->peer), is_ipv4 ? "%.45s:%u" : "[%.45s]:%u",
		text, port);
	c->key_words = is_ipv4 ? 1 : 2;
	memcpy(c->key, ip->bytes, 4 * c->key_words);
}

/* A dual-stack socket shows IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), which must
 * count as the IPv4 address it is. */
void
conn_set_peer(struct conn *c, const struct sockaddr *peer, unsigned peer_len)
{
	struct ip ip = ip_of_sockaddr(peer, peer_len);

	if (ip.n != 0)
		conn_set_peer_ip(c, &ip, ip_port_of_sockaddr(peer));
	else
		snprintf(c->peer, sizeof(c->peer), "unknown");
}

/* From its text, as the key has not all of IPv6. */
struct ip
conn_peer_ip(const struct conn *c)
{
	struct str text = str_c(c->peer);
	struct ip ip = { .n = 0 };

	while (text.n != 0 && text.p[text.n - 1] != ':')
		text.n--;
	if (text.n > 3 && text.p[0] == '[')
		text = (struct str){ text.p + 1, text.n - 2 };
	if (text.n != 0)
		text.n--;
	(void)ip_read(text, &ip);
	return ip;
}

const char *
conn_peer(const struct conn *c)
{
	return c->peer;
}

enum conn_through
conn_through(const struct conn *c)
{
	return (enum conn_through)c->through;
}

struct str
conn_peer_key(const struct conn *c)
{
	return (struct str){ (const char *)c->key, 4 * c->key_words };
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

/* The kernel counts what TLS adds, and what a socket that is lent has got, too, and the
 * peer does not give anything back. */
uint64_t
conn_taken(struct conn *c)
{
	uint64_t unacked = conn_unacked(c), taken = c->given - unacked;
	uint32_t back = c->said - (uint32_t)taken;

	/* what was said is no more than what was given by now; so it is more than this
	 * only if it is by no more than that */
	if (back <= unacked)
		return taken + back;
	c->said = (uint32_t)taken;
	return taken;
}

size_t
conn_untaken(const struct conn *c)
{
	return conn_queued(c) + (size_t)conn_unacked(c);
}

enum conn_kind
conn_kind(const struct conn *c)
{
	return c->mem != NULL ? CONN_MEM : CONN_TCP;
}

bool
conn_is_open(const struct conn *c)
{
	return c->life == LIFE_OPEN;
}

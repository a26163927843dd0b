/*
 * conn.h - one transport connection: TCP, TLS over TCP, or in memory.  Bytes
 * only, no XMPP.
 *
 * Owner shard: the shard of the struct net it is attached to.  An idle
 * connection holds no buffer.  conn_close() only marks: the object is freed at
 * the end of the turn, by net_flush(), after closed() was called, so that no
 * callee pulls the ground from under its callers.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"

struct buf;
struct conn;
struct err;
struct ip;
struct net;
struct share;
struct sockaddr;
struct ssl_st;
struct tls_set;

/* What the owner (a stream) is told.  arg is the owner. */
struct conn_events {
	/* n > 0 bytes came in, after TLS; borrowed.  What is not used yet
	 * cannot be given back: the owner keeps it. */
	void (*data)(void *arg, const char *p, size_t n);
	/* The TLS handshake is complete.  May be NULL. */
	void (*secured)(void *arg);
	/* The output queue is empty, after a turn that ended with the kernel
	 * refusing some of it.  May be NULL. */
	void (*drained)(void *arg);
	/* The last call: the connection is gone, c is freed after it.  why is
	 * NULL when conn_close() asked for it, else borrowed. */
	void (*closed)(void *arg, const struct err *why);
	/* Where to put what comes next, *n_out > 0 bytes at most, such as into a
	 * buffer that is written to a file.  NULL: anywhere.  Asked before each
	 * read, so that nothing has come if it is asked again; data() says where
	 * the bytes are, which may be elsewhere all the same.  May be NULL. */
	char *(*place)(void *arg, size_t *n_out);
};

enum conn_kind { CONN_TCP, CONN_MEM };

/* --- making --------------------------------------------------------------- */

/* A connected, non-blocking socket: fd is taken.  The peer's address is kept
 * for limits and the log.  Reading starts when events are set. */
struct conn *conn_new_tcp(struct net *net, int fd, const struct sockaddr *peer,
	unsigned peer_len);

/* In memory, for simulations and benchmarks: what is written goes to sink at
 * the end of the turn, what the other side says comes by conn_mem_feed(). */
struct conn_mem_sink {
	void (*write)(void *arg, const char *p, size_t n);
	void (*closed)(void *arg);
	void *arg;
};
struct conn *conn_new_mem(struct net *net, const struct conn_mem_sink *sink);
void conn_mem_feed(struct conn *c, const char *p, size_t n);
/* The other side has hung up. */
void conn_mem_hangup(struct conn *c);
/* Pretends that the other side is at an address, before it has an owner. */
void conn_mem_from(struct conn *c, const struct sockaddr *peer,
	unsigned peer_len);
/* Pretends TLS, without its bytes: conn_is_secure() holds from now on. */
void conn_mem_secure(struct conn *c);
/* The other side takes so many bytes more; SIZE_MAX, as at first: all. */
void conn_mem_take(struct conn *c, size_t n);
/* lost, with the argument of the sink, is told what was written and goes nowhere,
 * since the other side has hung up, or since c ends before that is taken. */
void conn_mem_tell_lost(struct conn *c,
	void (*lost)(void *arg, const char *p, size_t n));

/* events is borrowed for the life of c (a static table); NULL: nobody is told
 * any more, and nothing is read. */
void conn_set_owner(struct conn *c, const struct conn_events *events, void *arg);
/* To the owner of now: n > 0 bytes that one before was told of, who has made nothing
 * of them.  c may have moved, or be dead, when this returns. */
void conn_tell_again(struct conn *c, const char *p, size_t n);

/* --- bytes ---------------------------------------------------------------- */

/* Queues a copy; it leaves at the end of the turn. */
void conn_write(struct conn *c, const void *p, size_t n);
/* The output buffer itself, to serialise straight into; borrowed for this
 * call of the caller, who appends and then calls conn_wrote(). */
struct buf *conn_out(struct conn *c);
void conn_wrote(struct conn *c);
/* Bytes queued and not yet taken by the kernel. */
size_t conn_queued(const struct conn *c);
/* Gives the kernel what is queued, ahead of the end of the turn.  False: it does
 * not take all of it; drained() follows. */
bool conn_flush(struct conn *c);
/* Bytes that the peer's system has acknowledged since c was made: what the kernel
 * takes comes in lumps as large as its buffer, and tells less.  Never becomes less. */
uint64_t conn_taken(struct conn *c);
/* Bytes that were written and that it has not: they are queued, or the kernel's. */
size_t conn_untaken(const struct conn *c);
/* From here on c breaks when more is left at the end of a turn than the net
 * permits (net_bound()). */
void conn_bound(struct conn *c);
/* Something will be written soon: asks for the memory of c. */
void conn_warm(const struct conn *c);
/* Stops and starts reading; a peer who is not read is slowed by TCP. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Is the peer still there, when nothing has come or gone for silence_us?  The kernel
 * asks, and c is closed when there is no answer for answer_us. */
void conn_probe(struct conn *c, int64_t silence_us, int64_t answer_us);

/* What is queued counts in s from now on (NULL: in none); it lives as long as c. */
void conn_set_share(struct conn *c, struct share *s);
struct share *conn_share(const struct conn *c);

/* --- the end -------------------------------------------------------------- */

/*
 * Writes what is queued, says goodbye and waits until the peer closes too, for
 * at most linger_us; then closed() is called.  Nothing is reported any more, and
 * what is written from here on is dropped.  Calling it again does nothing.
 */
void conn_close(struct conn *c, int64_t linger_us);
/* The same, but TLS says no goodbye: to the peer it looks broken. */
void conn_leave(struct conn *c, int64_t linger_us);
/* At the end of the turn, whatever is queued. */
void conn_abort(struct conn *c);

/* --- TLS ------------------------------------------------------------------ */

/*
 * Starts a handshake as a server, with the certificate of host, which the client
 * has named already (RFC 6120 §5.4.3.1); if host is empty, with the one that SNI
 * asks for, or the first one when that is none of ours.
 * What is queued leaves in the clear before, what is written later under TLS.
 * Bytes that came in the clear behind what asked for TLS must not exist (hostile
 * 19): the caller has checked.
 * alpn is the protocol to require if the client offers any ("xmpp-client").
 * from_server: it is another server that connects.  It is asked for a certificate,
 * which never fails the handshake, and is worth what tls_peer_judge() says; and host
 * may be any domain of ours, such as that of a service: without a certificate of its
 * own it has one that names it, or that of the host above.
 * False, with err, when there is no certificate to offer.
 */
bool conn_start_tls(struct conn *c, const struct tls_set *tls, struct str host,
	struct str alpn, bool from_server, struct err *err);
/* What a port speaks under TLS: the name by which peers choose it (RFC 7301), and
 * whether they are other servers then. */
struct conn_protocol {
	const char *alpn;
	bool of_servers;
};
#define CONN_PROTOCOLS_MAX 8
#define CONN_ALPN_MAX 31

/*
 * The same where several (borrowed for the call; n from 1 to CONN_PROTOCOLS_MAX)
 * are spoken, the host is that of SNI, and the peer says by what it offers which one
 * it means: of its list, the first that is among them counts (RFC 7301 §3.2), and
 * with it whether it is another server.  None of them: the handshake fails.  Who
 * offers nothing is agreed with on nothing, and is asked for no certificate, unless
 * all of them are of servers.
 */
bool conn_start_tls_one_of(struct conn *c, const struct tls_set *tls,
	const struct conn_protocol *all, size_t n, struct err *err);
/* The protocol that was agreed on, borrowed; "": none. */
struct str conn_alpn(const struct conn *c);
/*
 * Starts a handshake as a client, in this turn, with the certificate that the domain
 * local of ours has as above; with none if there is no such.  sni is the name to ask
 * for, in ASCII; "": none, as for an address.  alpn is the protocol to offer, or "".
 * The peer's certificate never fails the handshake: see tls_peer_judge().
 * False, with err: TLS cannot begin, as where no host has a certificate.
 */
bool conn_start_tls_client(struct conn *c, const struct tls_set *tls,
	struct str local, struct str sni, struct str alpn, struct err *err);
bool conn_is_secure(const struct conn *c);
/* Borrowed; NULL without TLS.  For tls.h only. */
struct ssl_st *conn_ssl(const struct conn *c);

/* --- moving to another shard ---------------------------------------------- */

/* c leaves its loop: from here until conn_attach() nobody knows it but the
 * caller, who posts it.  Pending input travels in the socket and in TLS.  Not
 * after conn_close(); a connection that has just broken may move, and reports
 * that from where it arrives. */
void conn_detach(struct conn *c);
/* Owner shard of net.  Input that is pending already is reported in this turn. */
void conn_attach(struct conn *c, struct net *net);

/* --- asking --------------------------------------------------------------- */

enum conn_kind conn_kind(const struct conn *c);
/* Neither closed by us, nor broken. */
bool conn_is_open(const struct conn *c);
/* What the kernel knows of the peer of a connection in the clear that is not read:
 * he has broken off, or said all, and all of that has been read. */
enum conn_far { CONN_THERE, CONN_ENDED, CONN_BROKEN };
enum conn_far conn_ask_far(const struct conn *c);
/* "192.0.2.1:40000", "[2001:db8::1]:40000", "memory". */
const char *conn_peer(const struct conn *c);
/* The same without its port; .n is 0: it has none. */
struct ip conn_peer_ip(const struct conn *c);
/* Who has said that this is the peer (conn_proxy.h)? */
enum conn_through {
	CONN_DIRECT,         /* the system */
	CONN_PROXIED,        /* a proxy */
	CONN_PROXIED_PLAIN,  /* a proxy, and that his part of the way has no TLS */
	CONN_PROXIED_NOBODY, /* a proxy has not: the address is its own */
};
enum conn_through conn_through(const struct conn *c);
/* The key for limits by address: 4 bytes for IPv4, the first 8 (a /64) for
 * IPv6, none for in-memory connections. */
struct str conn_peer_key(const struct conn *c);

#endif

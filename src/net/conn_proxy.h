/*
 * conn_proxy.h - a connection that a proxy has opened to us, until it has said from
 * whom it is.
 *
 * Owner shard.
 */
#ifndef NET_CONN_PROXY_H
#define NET_CONN_PROXY_H

struct conn;
struct conn_proxy;
struct err;

/* why NULL: conn_peer(), conn_peer_key() and conn_through() say what the proxy has
 * said.  Else it has said nothing that could be understood, or has gone (ERR_CLOSED,
 * before a single byte: ERR_MISSING). */
typedef void (*conn_proxy_fn)(void *arg, const struct err *why);

/*
 * Reads the header that c, which has no owner yet, begins with, and no byte behind
 * it: c can go on with TLS.  fn is called once, in another turn; there p is gone.
 */
struct conn_proxy *conn_proxy_read(struct conn *c, conn_proxy_fn fn, void *arg);
/* Nothing more is read, and fn is not called. */
void conn_proxy_stop(struct conn_proxy *p);

#endif

/*
 * listener.h - sockets that accept, one for each shard and address
 * (SO_REUSEPORT), IPv4 and IPv6.
 *
 * The sockets are opened at start-up, while there may still be privileges, or by
 * a reload, and handed to the shards later.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct listener;
struct net;
struct sockaddr;

/* fd (non-blocking, close-on-exec) is taken.  arg is the one of listener_start. */
typedef void (*listener_accept_fn)(void *arg, int fd,
	const struct sockaddr *peer, unsigned peer_len);

/* --- any thread ----------------------------------------------------------- */

/*
 * Opens n sockets for one endpoint.  address is "192.0.2.1", "2001:db8::1",
 * "*" (all, IPv6 and IPv4) or "localhost"; port 0 lets the kernel choose, the
 * same for all n.  fds_out has room for n.  *port_out is the port bound.
 */
bool listener_bind(const char *address, uint16_t port, int backlog, int *fds_out,
	size_t n, uint16_t *port_out, struct err *err);
/* Is the port of one address in the way of the same port of the other? */
bool listener_collides(const char *address, const char *other);

/* --- owner shard ---------------------------------------------------------- */

/* Starts accepting on fd, which is taken.  When the process has no descriptors
 * left but the last few, which are not for connections, accepting rests for a
 * second, with one log line. */
struct listener *listener_start(struct net *net, int fd, listener_accept_fn fn,
	void *arg);
void listener_stop(struct listener *l);
/* From here on who connects is refused by the system, and so is who waits to be
 * accepted; the socket stays bound, so that it can go on without privileges. */
void listener_pause(struct listener *l);
/* Accepts again; also of one that does, for another backlog.  False with err: the
 * port was taken by somebody else meanwhile. */
bool listener_resume(struct listener *l, int backlog, struct err *err);

#endif

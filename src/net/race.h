/*
 * race.h - connects to the first of several addresses that answers (RFC 8305 §5):
 * a new attempt begins when the last one has failed, or has not succeeded after a
 * quarter of a second, while those before go on.
 *
 * Owner shard.
 */
#ifndef NET_RACE_H
#define NET_RACE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct net;
struct race;
struct sockaddr_storage;

#define RACE_MAX 16
#define RACE_STEP_US (250 * INT64_C(1000))

/* fd (non-blocking, close-on-exec, taken) is connected to the address with that
 * index.  -1 with err: to none of them; it says why the last one failed, and has
 * ERR_TIMEOUT when the time was over first. */
typedef void (*race_fn)(void *arg, int fd, size_t which, const struct err *err);

/* Tries n addresses (copied, RACE_MAX at most; more are left out) in this order.
 * fn is called once, after this has returned; the race is gone by then. */
struct race *race_start(struct net *net, const struct sockaddr_storage *list,
	size_t n, int64_t timeout_us, race_fn fn, void *arg);
/* fn is not called. */
void race_cancel(struct race *r);

#endif

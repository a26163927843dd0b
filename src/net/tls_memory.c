/*
 * tls_memory.c - what OpenSSL takes for a connection is counted, for some of
 * them.
 *
 * OpenSSL asks for memory without saying for whom: the thread remembers whether
 * the connection that it is busy with is watched.  What is taken or given back
 * meanwhile belongs to that connection.
 */
#include "config.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/memuse.h"
#include "net/net_int.h"
#include "net/tls.h"

/* What is watched: one connection in so many, and more while few come. */
#define SAMPLE 8
#define SAMPLE_US (1 * US_PER_S)

static _Thread_local bool watching;
static _Thread_local uint64_t handshakes;
static _Thread_local int64_t watched_us; /* when the last one began */

/* As OpenSSL's own do: nothing is taken for no bytes. */
static void *
on_tls_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0)
		return NULL;
	return watching ? memuse_malloc(MEMUSE_TLS, n) : malloc(n);
}

static void
on_tls_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (watching)
		memuse_free(MEMUSE_TLS, p);
	else
		free(p);
}

static void *
on_tls_realloc(void *p, size_t n, const char *file, int line)
{
	if (n == 0) {
		on_tls_free(p, file, line);
		return NULL;
	}
	return watching ? memuse_realloc(MEMUSE_TLS, p, n) : realloc(p, n);
}

bool
tls_count_memory(void)
{
	return CRYPTO_set_mem_functions(
		       on_tls_malloc, on_tls_realloc, on_tls_free) == 1;
}

void
tls_memory_begin(struct conn *c)
{
	int64_t now_us = clock_mono_us(&clock_system);

	memuse_count(MEMUSE_TLS, 1, 0);
	/* not the first, for which the library also makes what a thread needs
	 * once */
	if (handshakes++ == 0 || (handshakes % SAMPLE != 0 &&
					 now_us - watched_us < SAMPLE_US))
		return;
	c->watched = true;
	watched_us = now_us;
	memuse_sample(MEMUSE_TLS, 1);
}

void
tls_memory_end(struct conn *c)
{
	memuse_count(MEMUSE_TLS, -1, 0);
	if (c->watched)
		memuse_sample(MEMUSE_TLS, -1);
}

void
tls_memory_watch(const struct conn *c)
{
	watching = c != NULL && c->watched;
}

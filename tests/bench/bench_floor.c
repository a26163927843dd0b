/*
 * bench_floor.c - clients of antiphon-floor, which knows no XMPP: what they say
 * instead of a login, and how they leave.
 *
 * The line is the same in both directions; see floor.c.  From then on they say
 * what they would say to a server, and hear it from each other.
 */
#include "config.h"

#include "bench.h"

#include <sys/socket.h>

#include "base/mem.h"

#define INTRO_BYTES 20

void
floor_introduce(struct client *c)
{
	static const char kinds[] = { 'e', 'p', 'g' };
	struct bench *b = c->b;

	c->state = CLIENT_OPENING;
	c->intro = 0;
	client_send(c, "%c %08u %08u\n", kinds[b->floor_kind], c->index,
		MAX(b->floor_group, 1));
}

void
floor_answer(struct client *c, const char *p, size_t n)
{
	(void)p;
	if (c->intro + n > INTRO_BYTES) {
		client_end(c, END_BROKEN, "the floor says too much");
		return;
	}
	c->intro += (uint8_t)n;
	if (c->intro == INTRO_BYTES)
		enter_done(c);
}

void
floor_close(struct client *c)
{
	client_flush(c);
	if (c->ssl != NULL)
		SSL_shutdown(c->ssl);
	shutdown(c->fd, SHUT_WR);
}

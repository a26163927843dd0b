/*
 * conn_bulk.c - connections whose bytes go to a file, or are moved by a guest, have
 * their turn behind all others: these bring messages, which are few and wait.
 *
 *	the loop: there is something --> [ line ] --the end of the turn--> read, moved
 *	                                   |                                  |
 *	                                   '-- what is left: the next turn    '-- more:
 *	                                                                     the loop
 *
 * Of them so many have it as a fifth of a millisecond is enough for, one at least, and
 * each once before another has it twice; for however many there are, a turn is hardly
 * longer.  With twenty uploads at once messages of others took 6 ms without this.
 *
 * Owner shard.  Invariant: c->in_line, if and only if c stands in net->line.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/net_int.h"

#define BULK_US 200

char *
conn_place(struct conn *c, size_t *n_out)
{
	char *p = NULL;

	if (c->events->place != NULL)
		p = c->events->place(c->arg, n_out);
	if (p != NULL)
		*n_out = MIN(*n_out, BYTES_A_WAKEUP);
	return p;
}

bool
conn_is_bulk(struct conn *c)
{
	size_t n;

	return c->has_guest ||
		(conn_is_reading(c) && conn_place(c, &n) != NULL);
}

void
conn_stand_in_line(struct conn *c, short what)
{
	if (c->in_line)
		return; /* what else there is for it comes again */
	c->in_line = true;
	*vec_push(&c->net->line) = (struct net_waiting){ c, what };
}

void
conn_leave_line(struct conn *c)
{
	struct net *net = c->net;

	for (size_t i = 0; c->in_line && i < net->line.n; i++) {
		if (net->line.p[i].c == c) {
			net->line.p[i].c = NULL;
			c->in_line = false;
		}
	}
}

void
net_serve_line(struct net *net)
{
	int64_t end_us = 0;
	uint32_t n = 0;

	while (n < net->line.n) {
		struct net_waiting next = net->line.p[n++];

		if (next.c == NULL)
			continue;
		if (end_us == 0)
			end_us = clock_mono_us(&clock_system) + BULK_US;
		next.c->in_line = false;
		conn_go_on(next.c, next.what);
		if (clock_mono_us(&clock_system) >= end_us)
			break;
	}
	if (n == 0)
		return;
	net->line.n -= n;
	memmove(net->line.p, net->line.p + n,
		net->line.n * sizeof(net->line.p[0]));
}

/*
 * shard.h - a thread with an event loop, a mailbox, and the entities that hash
 * to it.
 *
 * A turn is: what the network brought, what came by mail, timers, the stanzas
 * that this produced for entities of the same shard, what they left for the end,
 * and last the gathered writes.  Nothing in it blocks.  A simulation has no threads and calls
 * shard_turn() itself.
 */
#ifndef CORE_SHARD_H
#define CORE_SHARD_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/gauge.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/table.h"
#include "base/tag.h"
#include "base/timer.h"
#include "xmpp/stanza.h"
#include "store/store.h"
#include "core/budget.h"
#include "core/host.h"
#include "core/idle.h"
#include "core/memory_trim.h"
#include "core/server.h"

struct entity;
struct event;
struct event_base;
struct lanes;
struct listen_shard;
struct net;
struct questions;
struct remotes;
struct requests;
struct sleepers;
struct slot;
struct xml_pool;

/* Written by the shard, read on it too (stats_take), shown by `antiphonctl
 * stats`. */
struct shard_stats {
	uint64_t turns;
	uint64_t mails;
	uint64_t stanzas_in;   /* from clients */
	uint64_t stanzas_out;  /* to clients */
	uint64_t routed_local;
	uint64_t routed_away;  /* to another shard */
	uint64_t fanouts;
	uint64_t sessions;     /* bound now */
	uint64_t streams;      /* open now, bound or not */
	uint64_t entities;     /* in memory now */
	uint64_t logins;
	uint64_t login_failures;
	uint64_t resumed;      /* sessions, by another stream */
	uint64_t resume_refused;
	uint64_t slept_out;    /* sessions that nobody has resumed */
	uint64_t refused;      /* because a bound was reached */
	uint64_t transfers;    /* of files, under way now */
	uint64_t relayed_bytes; /* of those */
	uint64_t http_connections; /* open now */
	uint64_t http_requests;
	uint64_t http_2xx, http_3xx, http_4xx, http_5xx; /* answers */
	uint64_t http_bytes_in;  /* of bodies */
	uint64_t http_bytes_out;
	struct gauge inbox_bytes; /* wait until their entity is loaded */
	struct gauge line_bytes;  /* wait for a change to be durable */
	struct gauge session_bytes; /* wait for clients that do not keep up */
	struct gauge bytestream_bytes; /* wait for the same, for others not to */
	struct gauge link_bytes; /* wait for components and other servers */
	/* What others count: up to date after stats_take() only. */
	int64_t at_us;
	uint64_t cpu_ms;
	struct gauge mailbox_mails;
	struct gauge mailbox_bytes;
	struct gauge write_bytes; /* wait until the network takes them */
};

/* Something that is to be done once at the end of a turn, however often it was
 * asked for.  Zeroed but for fn: it is not asked for. */
struct turn_end {
	LIST_ENTRY(turn_end) link;
	void (*fn)(struct turn_end *t);
};

LIST_HEAD(turn_ends, turn_end);

/* Requests that are under way. */
struct iq_passed {
	uint32_t n;
	size_t bytes;
};

struct shard {
	uint32_t tag;
	struct server *server;
	unsigned index;
	struct snapshot *snap;     /* this turn's */
	struct event_base *base;   /* NULL in a simulation */
	struct net *net;
	struct xml_pool *xml;
	struct mailbox mailbox;
	struct timer_queue timers;
	struct rand_source *rand;  /* the buffered one */
	struct rand_buffered buffered;
	struct table entities;     /* struct entity, by bare address */
	struct table items;        /* those whose class has is_item */
	struct table refs;         /* struct entity_ref, by the same */
	struct idle_places idle;   /* those of them that nobody needs */
	struct questions *questions; /* asked of other places; or NULL */
	uint32_t iq_asks;            /* those of them that are iqs */
	struct iq_passed passed;     /* requests that others answer, */
	struct table passers;        /* and who asks them, see iq_passed.c */
	uint32_t features_told;      /* changes of what hosts say that they can
				      * do, beside those of the snapshot */
	uint64_t links;              /* that there were, see link.h */
	struct stanza_queue local; /* for entities of this shard, this turn */
	struct sleepers *sleepers; /* have to be woken; or NULL */
	struct lanes *lanes;       /* what waits behind broadcasts; or NULL */
	struct turn_ends ends;     /* what is to be done at its end */
	uint64_t to_wake[4];       /* by index: those it has put mail to */
	struct shard_stats stats;
	struct shard_stats before; /* some seconds ago, see stats_rate() */
	struct shard_stats next_before;
	int64_t now_us;            /* monotonic, read once a turn */
	struct slot *slots; /* what modules keep with it */
	struct log_limit storage; /* lines about a store that fails */
	struct log_limit http_refused; /* and requests for which there is no room */
	struct requests *spare_requests; /* or NULL, see requests.c */
	void *streams;             /* the stream layer's own, for this shard */
	struct remotes *remotes;   /* domains of others, see remote.h; or NULL */
	struct listen_shard *listen; /* see listen.h; or NULL */
	struct event *mail_event;
	struct event *timer_event;
	int64_t armed_us;          /* when timer_event fires */
	struct timer tickets;      /* when keys have to go */
	struct memory_trim trim; /* what the process holds */
	pthread_t thread;
	struct budget budget;      /* what waits in the process */
	bool running;   /* it has a thread */
	bool stop;      /* the loop ends after this turn */
	bool streams_closed; /* no stream is opened any more */
	bool congested; /* a mailbox is too full: who sent rests */
};

/* --- start-up, before threads --------------------------------------------- */

struct shard *shard_new(struct server *srv, unsigned index, struct err *err);
/* The thread has ended, or there was none. */
void shard_free(struct shard *sh);
/* See net_give_tickets(). */
void shard_give_tickets(struct shard *sh, const uint8_t *seed);
void shard_start(struct shard *sh);
/* Any thread: the loop ends after its turn; then joins the thread. */
void shard_join(struct shard *sh);

/* --- any thread ---------------------------------------------------------- */

/* Runs fn(sh, arg) on sh in one of its next turns; in order with all else that
 * the caller's thread posts there.  bytes is what arg holds in memory. */
void shard_post(struct shard *sh, void (*fn)(struct shard *sh, void *arg),
	void *arg, size_t bytes);
/* The shard whose thread this is, or NULL: for assertions and log lines only. */
struct shard *shard_current(void);

/*
 * Runs each(sh, arg) on every shard, one after the other, each on its own
 * thread, and then done(from, arg) on the shard that asked.
 */
void shard_visit_all(struct shard *from,
	void (*each)(struct shard *sh, void *arg),
	void (*done)(struct shard *from, void *arg), void *arg);

/* --- owner shard ------------------------------------------------------------ */

/* One turn without waiting: mail, timers, stanzas, writes.  True when there was
 * anything to do. */
bool shard_turn(struct shard *sh);
/* When the next timer is due, monotonic; INT64_MAX for none. */
int64_t shard_next_us(const struct shard *sh);

/* NULL when we do not serve domain (prepared); valid for this turn. */
struct host *shard_host(struct shard *sh, struct str domain);
/* Sets or moves t, in_us from now. */
void shard_timer(struct shard *sh, struct timer *t, int64_t in_us,
	void (*fire)(struct timer *t));
void shard_timer_cancel(struct shard *sh, struct timer *t);
/* t is done at the end of this turn, behind the stanzas and before what is written
 * goes out; when it is asked for while that is done, at the end of the next. */
void shard_at_end(struct shard *sh, struct turn_end *t);
void shard_not_at_end(struct turn_end *t);
int64_t shard_wall_us(const struct shard *sh);
/* Posts m (taken) to a shard, sh too, which is woken at the end of the turn. */
void shard_put(struct shard *sh, struct shard *to, struct mail *m);
/* The disk takes no writes (store/store.h): what would be stored is to be refused
 * before anything is changed in memory, with RESOURCE_CONSTRAINT and this text.
 * Counts it. */
bool shard_refuses_writes(struct shard *sh);
#define SHARD_REFUSES_TEXT "Nothing can be stored at the moment, try again later"
/* store_commit, answered here. */
void shard_commit(struct shard *sh, struct store_tx *tx, store_done_fn done,
	void *arg);

/* What mail is run with (mailbox.h), and events of its loop. */
static inline struct shard *
shard_arg(void *owner)
{
	struct shard *sh = owner;

	TAG_CHECK(sh, "shrd");
	return sh;
}

#define ASSERT_ON(sh)                                                          \
	assert(shard_current() == NULL || shard_current() == (sh))

#endif

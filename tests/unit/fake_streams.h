/*
 * fake_streams.h - streams to other servers that go nowhere: a test says what
 * becomes of them.
 */
#ifndef TESTS_UNIT_FAKE_STREAMS_H
#define TESTS_UNIT_FAKE_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "remote/remote.h"
#include "c2s_world.h"

#define FAKE_VERIFIES 8

struct fake {
	struct fake *next;
	struct remote_pair *pair; /* NULL: it has ended */
	struct link *link;        /* NULL: it is not up */
	int64_t started_us;
	bool told_to_end;
	enum stream_cond cond;
	bool cancelled;
	bool shown;       /* they know who we are */
	enum remote_failed late; /* what it is to fail by, if it takes too long */
	struct remote_offer offer; /* of one that has come by itself */
	bool came;
	int64_t used_us;
	int64_t room;     /* stanzas that it takes, then it is full */
	struct buf wrote; /* the ids of stanzas, with a blank behind each */
	unsigned n_wrote;
	unsigned n_wires; /* of them, those that came serialised */
	struct buf to;    /* whom these were for, with a blank behind each */
	bool counts;
	uint32_t acked;
	unsigned n_asked; /* what it has got */
	struct remote_verify *verifies[FAKE_VERIFIES];
	unsigned n_verifies;
	char local[64], domain[64];
};

struct fakes {
	struct fake *first; /* the newest */
	unsigned n;
	bool ends_at_once;  /* when it is told to end */
	bool no_wires;      /* what is serialised is not taken */
	bool counts;        /* those that come up do */
	/* each that is written; may be NULL */
	void (*on_write)(struct fake *f, const struct stanza *st);
};

/* The one there is; w's server uses it from now on. */
struct fakes *fakes_use(struct world *w);
void fakes_free(void);
/* The newest from local to domain, ended or not; NULL: there was none. */
struct fake *fake_find(const char *local, const char *domain);
/* How many there were. */
unsigned fake_count(const char *local, const char *domain);
/* It counts, if it is to, unless it may go on with what another one has counted. */
void fake_up(struct fake *f, int64_t room);
/* It is up without room, and goes on with that: they have h. */
void fake_resume(struct fake *f, uint32_t h, int64_t room);
/* One that has come from domain, and takes what goes there from local, from now on or
 * when it is needed; NULL: it is not wanted. */
struct fake *fake_offer(struct shard *sh, const char *local, const char *domain,
	int64_t room);
void fake_down(struct fake *f, enum remote_failed what, const char *why);
/* It takes so many more. */
void fake_take(struct fake *f, int64_t room);
void fake_break(struct fake *f);
/* One that counts says that it has so many. */
void fake_ack(struct fake *f, uint32_t h);

#endif

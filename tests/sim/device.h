/*
 * device.h - a client of a world with stream management (XEP-0198), as it should
 * be: it counts what comes, answers, keeps what it has sent until that is
 * acknowledged, resumes, and sends the rest again.
 */
#ifndef SIM_DEVICE_H
#define SIM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "world.h"

/* What it has sent. */
struct sent {
	char *text;
	unsigned tag; /* NO_TAG: it means nothing to another session */
};

#define NO_TAG UINT32_MAX

struct device {
	struct client c;
	bool on;            /* it is enabled */
	bool resuming;
	bool mute;          /* acknowledges nothing */
	char id[64];        /* "": it cannot be resumed */
	unsigned max_s;     /* what it asks for; 0: nothing */
	uint32_t h;         /* stanzas that have come */
	uint32_t acked;     /* of its own */
	struct VEC(struct sent) out; /* behind these */
	unsigned asked;     /* <r/> that came */
	unsigned acks;      /* <a/> that came */
	unsigned resumed, failed;
	unsigned lives;     /* sessions that it has had */
	/* A session is over, and what it has not acknowledged is sent again. */
	void (*on_new_life)(struct device *d);
	/* That has been acknowledged. */
	void (*on_acked)(struct device *d, unsigned tag);
	void (*on_stanza)(struct device *d, struct elem *e);
	void *user;
};

void device_init(struct device *d, struct world *w, const char *local,
	const char *resource);
void device_done(struct device *d);
/* Connects, to resume if it can. */
void device_come(struct device *d);
/* Is it online, with its counts agreed on? */
bool device_is_on(const struct device *d);
/* Reads, and lets the world turn, until nothing moves. */
void device_settle(struct device *d);
/* A stanza, kept until it is acknowledged. */
void device_say(struct device *d, unsigned tag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

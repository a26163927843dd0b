/*
 * comp_int.h - what the files of a component's stream share.
 *
 * Owner shard.
 */
#ifndef STREAM_COMPONENT_COMP_INT_H
#define STREAM_COMPONENT_COMP_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/rand.h"
#include "core/element.h"
#include "core/shard.h"
#include "stream/stream.h"

struct config_component;
struct link;
struct link_stream;

/* A SHA-1 in hex. */
#define COMP_DIGEST_SIZE 41

struct comp {
	struct stream x;
	struct link *link; /* NULL until it has shown the secret */
	struct stream_talk *talk; /* or NULL */
	char *domain;      /* that its header has named; NULL: not yet */
	char id[RAND_ID_SIZE]; /* of the stream */
	char shown[COMP_DIGEST_SIZE]; /* what it says that it knows */
	int64_t deadline_us; /* for its handshake; OPTION_NEVER: it has come */
	int64_t judged_us;   /* shown is looked at then; 0: at once, or has been */
	int64_t refused_us;  /* it is told then that it was wrong; 0: it was not */
};

static inline struct comp *
comp_of(struct stream *x)
{
	return CONTAINER_OF(x, struct comp, x);
}

/* --- comp.c --------------------------------------------------------------- */

/* NULL: a reload has removed it. */
struct host *comp_host(const struct comp *c);

/* --- comp_login.c --------------------------------------------------------- */

/* For struct stream_kind. */
void comp_judge(struct stream *x, struct stream_header *h);
void comp_opened(struct stream *x, const struct stream_header *h);
int64_t comp_due(const struct stream *x);
void comp_do_due(struct stream *x);
/* Row of comp.c: <handshake/>. */
enum hook_result comp_on_handshake(struct module_ctx *m, struct element *el);
/* x has shown the secret, and is where its component is. */
void comp_attach(struct comp *c);

/* --- comp_stanza.c -------------------------------------------------------- */

extern const struct link_stream comp_link_stream;
/* a is taken, e lies in it and is a stanza. */
void comp_element(struct comp *c, struct arena *a, struct elem *e);

#endif

/*
 * component.h - a domain whose addresses are those of a program that has connected
 * (XEP-0114): the entity that all of them are, and its links.
 *
 *   any@irc.example.org --route()--> component of irc.example.org
 *                                       | links: chosen by who sends
 *                          .------------+------------.
 *                        link         link          none: answered at once, or
 *                          |            |           waits, for a time
 *                        stream       stream
 *
 * A link comes when a stream has shown the secret, and goes with the stream; what
 * waits for it goes to those that are left.
 *
 * Owner shard of the component.
 */
#ifndef CORE_COMPONENT_H
#define CORE_COMPONENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "core/hook.h"

struct config_component;
struct entity;
struct entity_class;
struct host;
struct link;
struct link_list;
struct link_stream;
struct shard;
struct snapshot;
struct stanza;

extern const struct entity_class component_class;

/* Argument of HOOK_COMPONENT_CONNECTED, _RELOADED and _GONE. */
struct component_event {
	struct entity *component;
	const struct config_component *conf;
	struct link *link;             /* CONNECTED: the one that has come */
	const struct snapshot *before; /* RELOADED: what was in force */
};

/* --- while a snapshot is made ------------------------------------------------ */

/* host is that of the component conf from now on. */
void component_serve(struct host *host, const struct config_component *conf);

/* --- any shard: sh is the caller's; valid for this turn ---------------------- */

/* Of that very domain (prepared); NULL: there is none. */
struct host *component_host(struct shard *sh, struct str domain);
/* Is domain (prepared) that of host, or one below it that is its own? */
bool component_has(const struct shard *sh, const struct host *host,
	struct str domain);

/* --- owner shard ------------------------------------------------------------- */

/*
 * One more link of the component of host, for stream; component_ready() follows.
 * Those before end if the configuration says so.  NULL: it says that they stay, and
 * the new one does not.
 */
struct link *component_attach(struct shard *sh, const struct host *host,
	const struct link_stream *ops, void *stream);
/* What waits is written from now on. */
void component_ready(struct link *l);
/* st (borrowed), a get or set, has come by l: the answer goes there, too. */
void component_asks(struct link *l, const struct stanza *st);
/* Its stream has ended; l is freed. */
void component_leave(struct link *l);

/* For lists: e is of this class. */
const struct link_list *component_links(const struct entity *e);
/* Of the wall clock: since when it has none; 0: it has, or had none yet. */
int64_t component_away_us(const struct entity *e);
/* Stanzas that wait, and their bytes: for links, or for one to come. */
void component_waiting(const struct entity *e, int64_t *stanzas_out,
	int64_t *bytes_out);
/* st (taken), from us, to those who are connected; the same to each link. */
void component_tell(const struct entity *e, struct stanza *st);
/* Is it an item of the host with this domain (XEP-0030 §4)? */
bool component_is_item_of(const struct entity *e, struct str host);

/* --- for who publishes snapshots, each shard --------------------------------- */

void components_reloaded(struct shard *sh, const struct snapshot *before);

/* --- component.c, for component_event.c -------------------------------------- */

/* What presence it was shown is forgotten. */
void component_show_anew(struct entity *e);

/* --- component_event.c, for component.c -------------------------------------- */

void component_run_hooks(struct entity *e, enum hook_id hook, struct link *l,
	const struct snapshot *before);

#endif

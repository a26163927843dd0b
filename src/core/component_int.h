/*
 * component_int.h - the insides of a component, for the files that it is made of.
 *
 * Owner shard.  Invariant: nothing waits for it while there is a link.
 */
#ifndef CORE_COMPONENT_INT_H
#define CORE_COMPONENT_INT_H

#include "base/timer.h"
#include "core/component.h"
#include "core/entity.h"
#include "core/link.h"

struct asked;
struct shown;

struct component {
	struct entity e;
	struct link_list links;
	struct asked *asked; /* a ring of ASKED; NULL: none share */
	uint32_t n_asked;    /* that there were */
	struct shown *shown; /* of those who are there, to whoever is connected */
	enum stream_cond closed; /* why nobody may come; or none */
	int64_t gone_us; /* of the wall clock, when the last link has left; 0: there
			  * is one, or was none */
	struct stanza_queue away; /* while there is none */
	size_t away_bytes;
	int64_t n_away;
	struct timer oldest; /* set while something waits there */
};

/* --- component.c --------------------------------------------------------------- */

/* NULL: a reload has removed it. */
const struct config_component *component_conf(const struct component *c);

/* --- component_away.c ---------------------------------------------------------- */

/* What has waited longest, of what does; for the caller. */
struct stanza *component_away_take(struct component *c);
/* It waits, or goes back; st is taken. */
void component_away(struct component *c, struct stanza *st);
/* The same with what has waited before: with others that go back, if it is to. */
void component_away_again(struct component *c, struct stanza *st);
/* Of what waits no longer, most at once, such as a step, and the others soon. */
#define COMPONENT_AWAY_STEP 500
void component_away_refuse(struct component *c, size_t most);

#endif

/*
 * iq_int.h - between iq.c and what counts or orders requests.
 */
#ifndef CORE_IQ_INT_H
#define CORE_IQ_INT_H

#include "core/iq.h"

/* --- iq_alone.c ----------------------------------------------------------- */

/* Is there no room for one more that waits? */
bool iq_alone_is_full(const struct iq *iq);
/* False when another one of iq->entity is under way: its stanza is taken, and
 * dispatched again. */
bool iq_alone_begin(struct iq *iq);
/* It is answered, or nobody wants to. */
void iq_alone_end(struct iq *iq);
/* e leaves memory: what waits is dropped. */
void iq_alone_done(struct entity *e);
/* The same, but what waits is delivered again, to whom the address belongs then. */
void iq_alone_again(struct entity *e);

/* --- iq_passed.c ---------------------------------------------------------- */

/* It is answered, and its place is free; iq->passer was set. */
void iq_passed_end(struct iq *iq);

#endif

/*
 * comp.h - streams of components (XEP-0114): from the accepted connection to the
 * link of a component.
 *
 * A stream lives on the shard that accepted it until it has shown the secret, and
 * then on that of its component.
 */
#ifndef STREAM_COMPONENT_COMP_H
#define STREAM_COMPONENT_COMP_H

#include "conf/listen_kind.h"

/* The kind of ports that streams of components come from. */
extern const struct listen_kind comp_kinds[];

#endif

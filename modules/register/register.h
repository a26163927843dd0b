/*
 * register.h - what the files of this module share: what somebody has sent.
 */
#ifndef REGISTER_H
#define REGISTER_H

#include "module/module.h"

struct fields {
	struct str username; /* STR_NONE: not given */
	struct str password;
	bool remove;
	bool twice; /* one of them */
};

/* What is in a query, in its arena; a form takes precedence (XEP-0077 §6). */
struct fields fields_read(struct arena *a, const struct elem *query);
/* The password lies in the arena of a stanza that is ours alone: in its tree,
 * and apart if it came in several runs. */
void fields_wipe(struct fields *f, struct elem *query);

#endif

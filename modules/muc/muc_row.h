/*
 * muc_row.h - a room as it stands in the list of its service, which is what is told of it
 * without loading it.
 *
 * Any thread; pure functions.
 */
#ifndef MUC_MUC_ROW_H
#define MUC_MUC_ROW_H

#include "module/module.h"
#include "room_config.h"

struct muc_row {
	struct str local;      /* of its address */
	struct str jid;
	struct str name, desc, lang; /* name: its localpart where it has none */
	struct str words;      /* of all of that, as they are searched for */
	bool is_open;          /* nobody needs to be a member, or to know a password */
	bool shows_real;       /* everybody sees real addresses */
	bool is_temporary;
	bool is_loaded;        /* it was found in memory, with so many in it: */
	size_t occupants;
};

/* In the arena of a; jid of domain.  False: it was damaged. */
bool muc_row_read(struct muc_row *out, struct arena *a, struct str domain,
	const struct store_entry *entry);
/* What that reads, of a room that is configured like this. */
void muc_row_write(struct buf *out, struct str local, const struct room_config *c);

/* Does each of wanted begin a word of words?  Both as text_words_kept() makes them. */
bool muc_row_has_words(struct str words, struct str wanted);

#endif

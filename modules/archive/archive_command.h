/*
 * archive_command.h - between the files of what administrators, and those whose it is,
 * do with an archive by command.
 *
 * Shard 0.
 */
#ifndef MODULES_ARCHIVE_ARCHIVE_COMMAND_H
#define MODULES_ARCHIVE_ARCHIVE_COMMAND_H

#include "archive.h"

/* A call that is under way, in its arena. */
struct archive_call {
	void (*go)(struct command_call *call); /* once there is an account */
	struct store_place at;
	struct str after; /* export, search: the entry that was shown last */
	struct store_trim trim; /* purge */
	uint64_t messages, bytes; /* show */
	int64_t oldest_us, newest_us;
	struct store_range range; /* search */
	uint32_t left;		  /* the same: so many may still be shown */
	struct str oldest;	  /* the same: the first entry with a word */
};

/* --- archive_command.c -------------------------------------------------------------- */

/* The module at the host of the address; NULL: the call has failed. */
struct module_ctx *archive_call_module(struct command_call *call);
/* Begins one, and goes on with go where there is such an account. */
void archive_call_begin(struct command_call *call,
	void (*go)(struct command_call *call));
bool archive_address_check(struct command_call *call, struct err *err);
/* A line, with those of the text below it further in; what says nothing to read is left
 * out. */
void archive_line_show(struct command_call *call, struct arena *a,
	const struct elem *message, const struct store_entry *e);

/* --- archive_search.c --------------------------------------------------------------- */

bool archive_search_check(struct command_call *call, struct err *err);
void archive_search_run(struct command_call *call);

#endif

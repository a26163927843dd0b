/*
 * account_line_int.h - between the files of the line: its steps.
 */
#ifndef ACCOUNT_ACCOUNT_LINE_INT_H
#define ACCOUNT_ACCOUNT_LINE_INT_H

#include "base/err.h"
#include "account/account_int.h"

enum step_kind {
	STEP_SEND,    /* st is sent by the router */
	STEP_FANOUT,  /* the same, to many */
	STEP_DELIVER, /* st is delivered to sessions */
	STEP_COPY,    /* what a session has sent, of which st has the addresses, is
		       * shown to the others */
	STEP_CALL,
	STEP_HALT,
	STEP_ASIDE,   /* is not in line: something is stored, and nothing waits
		       * for it; st (NULL: none) was kept by that */
};

struct account_step {
	uint32_t tag;
	union {
		STAILQ_ENTRY(account_step) link;
		LIST_ENTRY(account_step) aside;
	};
	enum step_kind kind;
	uint32_t number; /* in the order in which they were made */
	bool ready;
	bool kept; /* DELIVER: for who comes, by what it waits for */
	bool asked; /* the same: whether it is kept before its turn */
	uint8_t commits; /* that it waits for */
	struct shard *shard;
	struct account *account; /* NULL: it has left memory */
	size_t bytes;            /* of st */
	size_t stored;           /* of what is being stored, and waits with it */
	struct stanza *st;     /* NULL: none */
	struct wire *wire;     /* reference; NULL but for COPY */
	struct account_steps copies; /* wait until what is stored is durable; the
				      * first, until it is there */
	struct recipients *to; /* reference; NULL but for FANOUT */
	uint8_t flags;         /* FANOUT: which of them */
	account_turn_fn fn;    /* CALL */
	void *arg;
	struct line_chain *chain; /* NULL: nothing is stored */
	struct err err; /* code ERR_NONE: it worked */
};

/* account_line.c */
struct account_step *step_new(struct account *acc, enum step_kind kind);
void line_append(struct account *acc, struct account_step *step);
/* Is it a message that may have to be kept when its turn comes? */
bool step_is_open(const struct account_step *step);
struct account_steps *line_steps(struct account *acc);
/* step (taken) runs when its turn has come: now, perhaps. */
void step_get_ready(struct account_step *step);
bool line_has_room(const struct account *acc, const struct stanza *st);
/* A copy of st, of which w is the wire: neither is taken. */
struct account_step *line_copy_new(struct account *acc, const struct stanza *st,
	struct wire *w);
/* Do copies wait for what is stored aside? */
bool line_has_copies_aside(const struct account *acc);
/* copy (taken; may be NULL) shows what step stores. */
void line_copy_waits(struct account *acc, struct account_step *step,
	struct account_step *copy);
/* copy (taken) comes in its turn. */
void line_copy(struct account *acc, struct account_step *copy);
/* At inbox_bytes. */
uint64_t line_most(const struct account *acc);
/* The streams of acc rest, until half of what waits is gone. */
void line_rest(struct account *acc);

#endif

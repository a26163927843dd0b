/*
 * dns_int.h - what dns.c asks of the other files of this folder.
 */
#ifndef DNS_DNS_INT_H
#define DNS_DNS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dns/dns.h"

/* Names that the library may look up beside those that take room, for each of these:
 * slow ones, and those that nobody waits for any more. */
#define DNS_SLOW_MAX 4

struct config_dns;
struct err;
struct ub_ctx;
struct ub_result;

/* The thread of the DNS. */

/* A context by that configuration; NULL with err.  *anchor_out is the name at which
 * trust begins, "" when signatures are not checked. */
struct ub_ctx *dns_context_new(const struct config_dns *conf, unsigned flags,
	char anchor_out[DNS_NAME_SIZE], struct err *err);
/* What follows from the answer about the keys of that name; it is told. */
enum dns_trust dns_judge_keys(const struct config_dns *conf,
	const struct dns_part *part);

/* --- dns_question.c ------------------------------------------------------------- */

/* result is taken. */
void dns_part_answer(struct dns_part *part, struct ub_result *result);
/* The library could not be asked, or has failed. */
void dns_part_fail(struct dns_part *part, int rc);

/* --- dns_line.c: whose question is next ---------------------------------------- */

struct line_asker;

/* A question: in line, or out. */
struct line_item {
	TAILQ_ENTRY(line_item) behind; /* of its asker, in line */
	TAILQ_ENTRY(line_item) later;  /* of all in line */
	struct line_asker *asker; /* NULL: neither in line nor out */
	size_t n; /* names */
	bool out;
};

struct line {
	size_t most; /* names that one asker has out */
	struct line_asker *askers; /* uthash: those who have something out, or in
				    * line */
	TAILQ_HEAD(, line_asker) turns; /* of them, those with a question that may
					 * go out */
	TAILQ_HEAD(line_items, line_item) all; /* that are in line, by age */
};

void line_init(struct line *l, size_t most);
/* A question of n names of that asker is in line. */
void line_add(struct line *l, struct line_item *i, uint64_t asker, size_t n);
/* The next one, if it has no more than room names: it is out.  Else NULL. */
struct line_item *line_next(struct line *l, size_t room);
/* i, in line or out, is neither any more. */
void line_leave(struct line *l, struct line_item *i);

#endif

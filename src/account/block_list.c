/*
 * block_list.c - whom an account has blocked, and how they are turned away.
 *
 * Invariant: rows are sorted, and each is there once.
 */
#include "config.h"

#include "account/block_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "account/contacts.h"

/* Where text is, or would be. */
static uint32_t
row_place(const struct block_list *b, struct str text, bool *there_out)
{
	uint32_t low = 0, high = b->rows.n;

	*there_out = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int cmp = str_cmp(str_c(b->rows.p[mid]), text);

		if (cmp == 0) {
			*there_out = true;
			return mid;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
has_row(const struct block_list *b, struct str text)
{
	bool there;

	(void)row_place(b, text, &there);
	return there;
}

static size_t
row_bytes(struct jid jid)
{
	return jid_str(jid).n + 1 + sizeof(char *);
}

bool
block_list_add(struct block_list *b, struct jid jid)
{
	bool there;
	uint32_t i = row_place(b, jid_str(jid), &there);
	char *text;

	if (there)
		return false;
	text = str_dup(jid_str(jid));
	memuse_add_part(MEMUSE_ACCOUNT, text);
	memuse_remove_part(MEMUSE_ACCOUNT, b->rows.p);
	(void)vec_push(&b->rows);
	memuse_add_part(MEMUSE_ACCOUNT, b->rows.p);
	memmove(&b->rows.p[i + 1], &b->rows.p[i],
		(b->rows.n - 1 - i) * sizeof(b->rows.p[0]));
	b->rows.p[i] = text;
	b->bytes += row_bytes(jid);
	return true;
}

static void
row_free(char *text)
{
	memuse_remove_part(MEMUSE_ACCOUNT, text);
	free(text);
}

bool
block_list_remove(struct block_list *b, struct jid jid)
{
	bool there;
	uint32_t i = row_place(b, jid_str(jid), &there);

	if (!there)
		return false;
	b->bytes -= row_bytes(jid);
	row_free(b->rows.p[i]);
	b->rows.n--;
	memmove(&b->rows.p[i], &b->rows.p[i + 1],
		(b->rows.n - i) * sizeof(b->rows.p[0]));
	return true;
}

bool
block_list_lists(const struct block_list *b, struct jid jid)
{
	return has_row(b, jid_str(jid));
}

struct jid
block_list_row(const struct block_list *b, uint32_t i)
{
	assert(i < b->rows.n);
	return jid_trusted(str_c(b->rows.p[i]));
}

/* The order of §6 does not matter where all rows say the same. */
bool
block_list_matches(const struct block_list *b, struct jid who)
{
	if (b->rows.n == 0)
		return false;
	return has_row(b, jid_bare_str(who)) || has_row(b, jid_domain(who)) ||
		(!jid_is_bare(who) && has_row(b, jid_str(who)));
}

void
block_list_clear(struct block_list *b)
{
	for (uint32_t i = 0; i < b->rows.n; i++)
		row_free(b->rows.p[i]);
	memuse_remove_part(MEMUSE_ACCOUNT, b->rows.p);
	vec_done(&b->rows);
	b->bytes = 0;
}

struct stanza *
block_error(const struct stanza *st)
{
	struct stanza *answer =
		stanza_error(st, COND_NOT_ACCEPTABLE, STR_NONE);
	struct elem *error;

	if (answer == NULL)
		return NULL;
	error = elem_child(answer->root, NULL, "error");
	elem_set_attr(answer->arena, error, "type", STR("cancel"));
	elem_add(answer->arena, error, NS_BLOCKING_ERRORS, "blocked");
	return answer;
}

/* Those who hear what it says to all are others now. */
void
account_set_blocked(struct account *acc, const struct block_list *b)
{
	ASSERT_OWNER(&acc->e);
	acc->blocked = b != NULL && b->rows.n != 0 ? b : NULL;
	contacts_drop(acc);
}

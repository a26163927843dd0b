/*
 * account_int.h - between the files of accounts and sessions.
 */
#ifndef CORE_ACCOUNT_INT_H
#define CORE_ACCOUNT_INT_H

#include "core/account.h"

struct session;
struct wire;

/* account_deliver.c: the class's functions. */
void account_receive(struct entity *e, struct stanza *st);
void account_receive_shared(struct entity *e, struct stanza *st,
	struct wire **wire_io);
/* account_deliver, when its turn has come. */
void account_deliver_now(struct account *acc, struct stanza *st);
/* st (taken) has been delivered, but the session is gone before its client took
 * it: it was to have it at wall_us. */
void account_take_back(struct account *acc, struct stanza *st, int64_t wall_us);

/* account_admin.c: all but the one with the resource keep (STR_NONE: all). */
void account_close_sessions(struct account *acc, struct str keep,
	enum stream_cond cond, const char *text);

/* session.c: s sends st (taken): hooks, then the router. */
void session_emit(struct session *s, struct stanza *st);
/* session.c: takes s out of its account and frees it, without a word. */
void session_free(struct session *s);

#endif

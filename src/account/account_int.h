/*
 * account_int.h - between the files of accounts and sessions.
 */
#ifndef ACCOUNT_ACCOUNT_INT_H
#define ACCOUNT_ACCOUNT_INT_H

#include "account/account.h"

struct account_read;
struct entity_message;
struct fanout_one;
struct session;

/* account.c: asks for all that an account is in memory; fn gets what is
 * returned, and frees it. */
struct account_read *account_read(struct account *acc, store_read_fn fn);
/* NULL when it has left memory. */
struct entity *account_read_entity(const struct account_read *read);
/* Are the modules in force for which it was read? */
bool account_read_is_fresh(const struct account_read *read);
void account_read_free(struct account_read *read);
void account_take(struct account *acc, const struct store_answer *answer);
/* What account_take() has made. */
void account_forget(struct account *acc);

/* account_deliver.c: the class's functions. */
void account_receive(struct entity *e, struct stanza *st);
/* The same where no handler is to see st. */
void account_receive_unseen(struct account *acc, struct stanza *st);
/* account_shared.c: the same. */
bool account_receive_shared(struct entity *e, struct stanza *st,
	struct fanout_one *one);
/* account_iq.c: the same. */
unsigned account_iq_where(const struct entity *e, const struct stanza *st);
/* Delivers st (taken), whose turn has come, to the sessions that RFC 6121 §8.5
 * names, or does for them what it says. */
void account_deliver_now(struct account *acc, struct stanza *st);
/* The same, of one that is kept for who comes; acc may be NULL. */
void account_deliver_kept(struct account *acc, struct stanza *st);
/* If nobody takes messages any more: what waits in line is kept for who comes.  Is
 * all of it? */
bool account_keep_line(struct account *acc);
/* st (taken) has been delivered, but the session is gone before its client took
 * it: it was to have it at wall_us. */
void account_take_back(struct account *acc, struct stanza *st, int64_t wall_us);

/* account_admin.c: m is taken. */
void account_told(struct entity *e, struct entity_message *m);
/* account_batch.c, requests.c, session_flow.c: TELL_CREATED, TELL_PASSED_ON,
 * TELL_REST. */
void account_batch_told(struct account *acc, struct entity_message *m);
void requests_told(struct account *acc, struct entity_message *m);
void session_flow_told(struct account *acc, struct entity_message *m);
/* account_remote.c: TELL_DOMAIN_AWAY, TELL_DOMAIN_BACK, TELL_STILL_WATCHES. */
void account_remote_told(struct account *acc, struct entity_message *m);
/* Its sessions were asleep while the server was down: contacts at other servers are
 * asked, one domain after the other, as these can be reached. */
void account_watch_remotes(struct account *acc);
/* account_admin.c: all but the one with the resource keep (STR_NONE: all). */
void account_close_sessions(struct account *acc, struct str keep,
	enum stream_cond cond, const char *text);

/* account_line.c: it is not read any more. */
void account_line_go_on(struct account *acc);
/* It is about to leave memory: the stanzas in it go where they were to go, though
 * it is not their turn. */
void account_line_let_out(struct account *acc);
/* What it asks to be stored does not rest on what it has asked for any more. */
void account_line_unchain(struct account *acc);

/* How long a session sleeps, and which module says so (borrowed). */
struct session_sleep {
	int64_t us;
	const char *keeper;
};

/* session_sleep.c: may s sleep without its stream, which is gone, or about to go?
 * (HOOK_SESSION_LOST) */
bool session_may_sleep(struct session *s, struct session_sleep *out);
/* The same of one that has its stream, which keeps it for now. */
bool session_could_sleep(struct session *s);
/* As session_detach(). */
void session_fall_asleep(struct session *s, const struct session_sleep *how);
/* session.c: takes s out of its account and frees it, without a word. */
void session_free(struct session *s);
/* acc is held no more: those that have waited for that end. */
void sessions_go_on(struct account *acc);
/* A session that sleeps for so long, and of which nothing else is known yet; it is
 * in acc, and no hook was run. */
struct session *session_enter_asleep(struct account *acc, struct str resource,
	int64_t for_us);
/* As session_set_presence(), at a time of the wall clock, and no hook is run. */
void session_take_presence(struct session *s, const struct stanza *st,
	int8_t priority, int64_t wall_us);
/* session_in.c: as session_count_input(), on from a number. */
void session_count_input_from(struct session *s, uint32_t received);
/* What s sends: hooks, then the router; st is taken. */
void session_send(struct session *s, struct stanza *st);
/* The same of what a component sends as acc, in st (taken; stanza.outgoing), which
 * is refused where that cannot be. */
void account_send_outgoing(struct account *acc, struct stanza *st);

#endif

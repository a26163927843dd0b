/*
 * sm.h - between the files of the module sm.
 *
 * Owner shard of the account.
 */
#ifndef MODULES_SM_SM_H
#define MODULES_SM_SM_H

#include "module/module.h"

struct sm_conf {
	int64_t sleep_us;
	int64_t sleepers;
	int64_t unacked_stanzas;
	uint64_t unacked_bytes;
	int64_t ask_stanzas;
	int64_t ask_us;
	int64_t answer_us;
	int64_t remember_us;
};

/* A stream that is held until what came on the one before is dealt with. */
struct sm_wait {
	struct element_later later;
	uint32_t h; /* what it has got */
};

/* In the slot of a session. */
struct sm {
	struct session *session; /* NULL: it is off */
	const struct module_entry *entry;
	struct timer timer;   /* when to ask, or when the answer is due */
	int64_t asked_us;     /* since when it has said nothing new, though it was
			       * asked, monotonic; 0: it is not asked */
	uint64_t taken;       /* bytes, when this was looked at last */
	int64_t sleep_us;     /* how long it may sleep; 0: it is not resumed */
	int64_t slept_us;     /* since when it does, monotonic */
	struct sm_wait *wait; /* or NULL */
	uint32_t told;        /* the last number that it was told */
	bool owes;            /* and has asked for more */
	bool due;             /* an <r/> is to be answered, this turn */
	bool again;           /* it has answered that there is nothing new */
	bool ends;            /* it had to make room, and ends this turn */
	bool unheard;         /* its last <a/> came behind its goodbye */
	char id[RAND_ID_SIZE];
};

/* --- sm.c -------------------------------------------------------------------- */

/* NULL: it is off. */
struct sm *sm_of(struct module_ctx *m, struct session *s);
struct elem *sm_elem(struct arena *a, const char *name);
void sm_set_number(struct arena *a, struct elem *e, const char *name,
	uint32_t n);
bool sm_get_h(const struct elem *e, uint32_t *h_out);
/* Answers <failed/>, and HOOK_HANDLED; h is told, or NULL. */
enum hook_result sm_failed(struct element *el, enum stanza_cond cond,
	const uint32_t *h);

/* Is all that the client has sent? */
static inline bool
sm_is_dealt_with(const struct session *s)
{
	return session_handled(s) == session_received(s);
}

/* --- sm_acks.c --------------------------------------------------------------- */

enum hook_result sm_on_r(struct module_ctx *m, struct element *el);
enum hook_result sm_on_a(struct module_ctx *m, struct element *el);
/* A sign of life is wanted. */
enum hook_result sm_on_silent(struct module_ctx *m, void *arg);
/* The last word before the server stops. */
enum hook_result sm_on_stopping(struct module_ctx *m, void *arg);
/* More is dealt with, or was written. */
void sm_tell_more(struct session *s, struct sm *sm);
void sm_look(struct module_ctx *m, struct session *s, struct sm *sm);
/* Its timer. */
void on_sm_timer(struct timer *t);
void sm_fall_asleep(struct session *s, struct sm *sm);
/* More than was sent is acknowledged (§6). */
bool sm_is_too_high(const struct session *s, uint32_t h);
void sm_end_too_high(struct element *el, uint32_t h, uint32_t sent);

/* --- sm_resume.c ------------------------------------------------------------- */

enum hook_result sm_on_enable(struct module_ctx *m, struct element *el);
enum hook_result sm_on_resume(struct module_ctx *m, struct element *el);
enum hook_result sm_on_lost(struct module_ctx *m, void *arg);
/* A stream that is held may go on. */
void sm_resume_waiting(struct module_ctx *m, struct session *s, struct sm *sm);
/* s ends, and who waits for it may bind another one; h as in sm_failed(). */
void sm_refuse_waiting(struct sm *sm, const uint32_t *h);
/* The client cannot go on with its session. */
void sm_refuse_resume(struct element *el, enum stanza_cond cond,
	const uint32_t *h);

/* --- sm_ended.c -------------------------------------------------------------- */

#define LOG_ENDED "sm_ended" /* of the account: sm_ended.c */

/* In the slot of an account. */
struct sm_account {
	int64_t lost_us; /* when it last lost a session, monotonic */
};

/* The session of el may come after one that was lost; others of its account know it,
 * too. */
bool sm_comes_again(struct module_ctx *m, const struct element *el);
enum hook_result sm_on_load(struct module_ctx *m, void *arg);
enum hook_result sm_on_closed(struct module_ctx *m, void *arg);
/* How much of what the client of s has sent is handled; NULL, or h: it may be told
 * after the end of s. */
const uint32_t *sm_last_count(const struct session *s, uint32_t *h);
/* There is no session with this id: el is refused, when it is known what there
 * was. */
void sm_refuse_ended(struct module_ctx *m, struct element *el, struct str id);

#endif

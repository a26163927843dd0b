/*
 * iq.h - requests that the server answers itself: found by (namespace, name) in
 * a table, not by asking every module.
 *
 * Shard of the addressed entity.  For which account an iq is, and which session
 * has sent it, tells account/account.h.
 */
#ifndef CORE_IQ_H
#define CORE_IQ_H

#include <stdbool.h>
#include <stddef.h>

#include "xmpp/stanza.h"
#include "core/hook.h"

struct elem;
struct entity;
struct entity_class;
struct host;
struct iq_alone;
struct iq_passer;
struct module_ctx;
struct shard;

/* Where a request may be addressed to, and who may ask. */
enum iq_where {
	AT_HOST = 1,        /* a domain of ours */
	AT_ACCOUNT = 2,     /* a bare address of ours, or no address at all;
			     * asked by anyone whom the module lets */
	AT_OWN_ACCOUNT = 4, /* the same, but only by a session of that account;
			     * others get service-unavailable */
	AT_OTHERS = 8,      /* the bare address of somebody else, whether there
			     * is such an account or not: the answer must not
			     * depend on it (RFC 6121 §8.5.1) */
	AT_SERVICE = 16,    /* the domain of a service of the module, or of any
			     * when the module has none */
	AT_SERVICE_ADDRESS = 32, /* an address there */
	/* And how: */
	ONE_BY_ONE = 64,    /* of one entity, the next begins when this one is
			     * answered, whoever asks; not at one that is on
			     * every shard, such as a host */
	STORES = 128,       /* refused while the disk takes no writes */
	/* What a class says of an entity: */
	KEEPS_NOTHING = 256, /* it stores nothing, as a temporary account */
};

/* One request.  It lies in the arena of st. */
struct iq {
	struct shard *shard;
	struct host *host;     /* NULL after iq_keep() */
	struct entity *entity; /* whose address it is for; NULL after iq_keep(), see
				* iq_entity() */
	const struct entity_class *class; /* of that */
	struct stanza *st;
	struct elem *payload;  /* the first child of st */
	bool answered;
	bool kept;
	bool handled;          /* its handler has returned */
	struct iq_passer *passer; /* of those who ask what others answer: who has
				* asked this; NULL: we answer it */
	size_t passed_bytes;   /* as it counts there */
	struct iq_alone *alone; /* ONE_BY_ONE, and under way; or NULL */
};

typedef enum hook_result (*iq_fn)(struct module_ctx *m, struct iq *iq);

/* One row of a module's table, which ends with { .fn = NULL }. */
struct iq_handler {
	enum stanza_type type; /* IQ_GET or IQ_SET */
	unsigned where;        /* enum iq_where, or-ed */
	const char *ns;
	const char *name;
	iq_fn fn; /* HOOK_PASS: as if there were no handler */
};

/* --- for handlers: exactly one answer to each iq ------------------------------ */

/* The empty result, or one with payload (in the arena of iq->st). */
void iq_result(struct iq *iq, struct elem *payload);
/* text may be NULL. */
void iq_error(struct iq *iq, enum stanza_cond cond, const char *text);
/* The same, with a condition of the application's beside it (RFC 6120 §8.3.4). */
void iq_error_with(struct iq *iq, enum stanza_cond cond, const char *text,
	const struct elem *more);
/* The same, where its specification names another type than the condition has
 * (RFC 6120 §8.3.3); type is static. */
void iq_error_typed(struct iq *iq, enum stanza_cond cond, const char *type,
	const char *text, const struct elem *more);
/* A new element in the arena of iq->st, for iq_result and iq_error_with. */
struct elem *iq_payload(struct iq *iq, const char *ns, const char *name);

/* For whom it is, as that is in memory now: loaded, and of the same class.  NULL:
 * it has left. */
struct entity *iq_entity(const struct iq *iq);

/*
 * The answer comes later: iq stays alive after the handler has returned
 * HOOK_HANDLED, until iq_result or iq_error, which must be called on the same
 * shard.  Entity, session and host may be gone by then; find them again.  One
 * that is answered before its handler has returned lives until then.
 */
void iq_keep(struct iq *iq);

/*
 * What was kept is asked of the rows once more, as if it came now, and may be freed
 * when this returns.  For who had to read something before another one answers: he
 * finds it then, and answers HOOK_PASS.  It is answered with service-unavailable
 * where nobody takes it any more.  Not at an entity whose requests come ONE_BY_ONE.
 */
void iq_again(struct iq *iq);

/* --- for account_iq.c --------------------------------------------------------- */

/* Somebody else answers it, see iq_pass_on(), and it counts until it is answered.
 * Else why not: what is under way already. */
const char *iq_passed_begin(struct iq *iq);

/* --- for classes -------------------------------------------------------------- */

/* Answers st (taken), a get or set for e. */
void iq_dispatch(struct entity *e, struct stanza *st);

#endif

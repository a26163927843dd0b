/*
 * iq_ask.h - the server itself asks: what a client can do, whether it is there,
 * later other servers.
 *
 * The id of the request says which shard has asked, and which of its open
 * questions (question.h) it is; the rest of it nobody can guess.  An answer counts
 * when id and sender match; any other one goes the way of all that nobody has
 * asked for.
 *
 *     asker's shard                                 whom it is sent to
 *
 *     iq_ask(st, timeout, fn, arg)
 *       |  question 7: fn, arg, to, timer
 *       `--- get, id = secret, place, 7 --router-->  a client, a service, ...
 *                                                        |
 *     question 7 is closed  <--router-- result or error, the same id
 *     fn(arg, answer, err)     by the place in it, whatever shard it comes to
 */
#ifndef CORE_IQ_ASK_H
#define CORE_IQ_ASK_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct place;
struct shard;
struct stanza;

/* Open at one shard: half of its questions, so that there is always room for the
 * other kind. */
#define IQ_ASKS_MAX 8192

/*
 * answer and err are borrowed.  err is NULL for a result.  Else it says why there
 * is none: ERR_REFUSED, and answer is the error, whoever made it; or answer is
 * NULL, and it is ERR_TIMEOUT, ERR_LIMIT (too many are open) or ERR_CLOSED (the
 * server stops: to ask again is in vain).
 */
typedef void (*iq_ask_fn)(void *arg, const struct stanza *answer,
	const struct err *err);

/* --- any shard: sh is the caller's ------------------------------------------ */

/*
 * Sends st (taken), a get or set from a bare address of ours, be it a host, a
 * service, an address there or an account, to anybody; its id is set here.
 * fn(arg, ...) is called once, on sh, after this has returned, and timeout_us from
 * now at the latest.
 *
 * It does not wait in the line of an account (account/account_line.h).  Who is
 * asked answers from the address that he was asked at: that of a session is
 * stamped so (RFC 6120 §8.1.2.1), and what we answer on behalf of an account
 * comes from its bare address.
 */
void iq_ask(struct shard *sh, struct stanza *st, int64_t timeout_us,
	iq_ask_fn fn, void *arg);

/* --- for the router --------------------------------------------------------- */

/* Has st, a result or an error, the id of a request that was sent by iq_ask()?
 * Then *out is where. */
bool iq_ask_place(const struct shard *sh, const struct stanza *st,
	struct place *out);
/* The shard that has asked; st is taken. */
void iq_ask_answered(struct shard *sh, struct stanza *st);

#endif

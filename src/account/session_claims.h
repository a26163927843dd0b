/*
 * session_claims.h - what a client says in the name of its server.
 */
#ifndef ACCOUNT_SESSION_CLAIMS_H
#define ACCOUNT_SESSION_CLAIMS_H

struct account;
struct stanza;

/* Takes it out of st, which acc has sent.  Owner shard. */
void session_drop_claims(const struct account *acc, struct stanza *st);

#endif

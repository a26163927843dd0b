/*
 * session_claims.h - what a client says in the name of its server.
 */
#ifndef ACCOUNT_SESSION_CLAIMS_H
#define ACCOUNT_SESSION_CLAIMS_H

struct session;
struct stanza;

/* Takes it out of st, which s has sent.  Owner shard. */
void session_drop_claims(struct session *s, struct stanza *st);

#endif

/*
 * caps.h - what an answer to disco#info hashes to (XEP-0115).
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_CAPS_H
#define XMPP_CAPS_H

struct arena;
struct buf;
struct elem;

/*
 * Appends what is hashed for the verification string of query, the payload of
 * an answer to disco#info (XEP-0115 §5.1).  a is for what is needed meanwhile.
 * Forms without FORM_TYPE are left out (§5.4).
 */
void caps_string(struct buf *out, struct arena *a, const struct elem *query);

#endif

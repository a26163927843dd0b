/*
 * tls_peer.h - what the certificate of another server is worth: the authorities
 * that are trusted, and the names that count (RFC 6120 §13.7, RFC 9525).
 *
 * A handshake never fails because of that certificate: who shows it, and for which
 * domain, is known later, and differs for each domain of one stream.  Both sides
 * are judged alike, with the purpose of a server: public authorities issue no other
 * any more.
 */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/tls_dane.h"

struct buf;
struct conn;
struct err;
struct tls_set;

/* --- authorities: any thread ------------------------------------------------- */

/* Immutable, and counted. */
struct tls_trust;

/*
 * Reads authorities, and lists of what they have revoked, in PEM: the file path, or
 * every file of the folder path; NULL: those of the system, where OpenSSL looks for
 * them (SSL_CERT_FILE, SSL_CERT_DIR), which may be none.  All of it is read now:
 * handshakes read no files.  What is among them is trusted as it stands, be it an
 * authority of others or not.
 * A reference, owned by the caller; NULL with err when something cannot be read, or
 * there is no certificate in it.
 */
struct tls_trust *tls_trust_new(const char *path, struct err *err);
/* Would the same be read again?  Files are looked at, but not read. */
bool tls_trust_is_current(const struct tls_trust *trust);
struct tls_trust *tls_trust_ref(struct tls_trust *trust);
void tls_trust_unref(struct tls_trust *trust); /* NULL: nothing is done */
/* As it was given to tls_trust_new(); borrowed. */
const char *tls_trust_path(const struct tls_trust *trust);
/* How many certificates there are. */
size_t tls_trust_count(const struct tls_trust *trust);

/* --- a peer: owner shard of c ------------------------------------------------- */

enum tls_worth {
	TLS_NO_CERTIFICATE,
	TLS_TRUSTED,
	TLS_UNTRUSTED,  /* issuer, self-signed, expired, purpose, ... */
	TLS_OTHER_NAME, /* trusted, for others */
};

struct tls_judgement {
	enum tls_worth worth;
	bool matches;  /* the name, whatever the chain is worth */
	enum tls_dane_verdict dane; /* whatever all that is */
	char why[480]; /* for an administrator, printable: "is for X, valid until Y,
			* signed by Z, whom we do not know: ..." */
	char dane_why[400]; /* of records that there are: in the same way */
};

/*
 * What the certificate of c's peer is worth for domain (prepared) at now_s (seconds
 * since 1970).  What counts is dNSName, with a wildcard for the whole of the
 * left-most label alone, SRVName of _xmpp-server, and xmppAddr; never the CN
 * (hostile 23); and iPAddress, where domain is one.  trust may be NULL: nobody is
 * trusted.
 */
void tls_peer_judge(const struct conn *c, const struct tls_trust *trust,
	struct str domain, int64_t now_s, struct tls_judgement *out);
/* The same where signed records have led to a server: the names in d (NULL: none has)
 * count, too, and out->dane is what its records say. */
void tls_peer_judge_at(const struct conn *c, const struct tls_trust *trust,
	struct str domain, const struct tls_dane *d, int64_t now_s,
	struct tls_judgement *out);

#endif

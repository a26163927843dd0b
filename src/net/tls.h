/*
 * tls.h - TLS as a server: contexts with certificates for each host, chosen by
 * its name or by SNI; channel bindings; identities in client certificates.
 *
 * A tls_set is a snapshot: built by a reload, shared by all shards, immutable;
 * connections that use an old one keep what they need of it alive.
 * TLS 1.2 and 1.3, AEAD only by default, no session cache, no renegotiation, no
 * compression, released buffers (RFC 7590, RFC 9325).
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

struct buf;
struct conn;
struct err;
struct tls_set;

struct tls_host_conf {
	const char *host;        /* prepared domain */
	const char *certificate; /* PEM: leaf first, then the chain */
	const char *key;         /* PEM; NULL: in the same file */
};

struct tls_conf {
	const struct tls_host_conf *hosts;
	size_t n_hosts;
	const char *min_version;  /* "1.2" or "1.3" */
	const char *ciphers;      /* OpenSSL list for TLS 1.2; NULL: AEAD with (EC)DHE */
	const char *ciphersuites; /* for TLS 1.3; NULL: all, AES-128 first */
	bool tickets;             /* to resume sessions with, on TLS 1.3 */
	const char *client_ca;    /* PEM or folder of CAs for client certificates;
				   * NULL: none are asked for */
	int64_t expiry_warning_us; /* what ends sooner is reported; 0: by others */
};

/* How long tickets are made with the same keys; they are taken, and replaced, for
 * as long again. */
#define TLS_TICKETS_US (3600 * US_PER_S)

/* --- start-up, before anything else ---------------------------------------- */

/*
 * From here on what OpenSSL takes for connections is counted (MEMUSE_TLS), for
 * one connection in eight only while many come: a handshake asks for memory nine
 * hundred times, and counting all of that took 3.6 % of the instructions of a
 * login.  False when OpenSSL has memory already; then nothing is counted.
 */
bool tls_count_memory(void);

/* --- start-up or reload, any thread --------------------------------------- */

/* What is wrong with a certificate that can be used all the same; refused: by
 * clients, already now.  text (borrowed) names the file and the host. */
typedef void (*tls_warn_fn)(void *arg, bool refused, const char *text);

/* Reads every certificate and key; nobody is asked for a pass phrase.  Checks
 * that they belong together, are for the host (subjectAltName), have not expired
 * and lead to an authority; the last three are only reported, through warn (may
 * be NULL), one call each.  NULL with err. */
struct tls_set *tls_set_new(const struct tls_conf *conf, tls_warn_fn warn,
	void *arg, struct err *err);
/* Would conf give the same set again?  Files are looked at, but not read: who
 * may not read them any more can go on with what is there. */
bool tls_set_is_current(const struct tls_set *set, const struct tls_conf *conf);
struct tls_set *tls_set_ref(struct tls_set *set);
void tls_set_unref(struct tls_set *set);
/* Calls found for each host, with its file of certificates and when the first of
 * them ends, be it its own or one of the chain: seconds since 1970. */
void tls_set_expiry(const struct tls_set *set,
	void (*found)(void *arg, const char *host, const char *certificate,
		int64_t ends_s),
	void *arg);

/* The certificate that other servers are shown for a domain. */
struct tls_shown {
	const char *host; /* whose it is, borrowed; NULL: there is none */
	bool named;       /* the domain is among its names */
	bool by_itself;   /* nobody else has signed it */
	char issuer[64];  /* the CN of who has; "" when there is none */
};

/* domain (prepared) may be any of ours; set may be NULL. */
void tls_set_shown(const struct tls_set *set, struct str domain,
	struct tls_shown *out);

/* Of the certificate of a host: SHA-256 of the whole, and of its public key
 * (RFC 6698 §2.1.2, selector 1).  False when it has none. */
#define TLS_DIGEST_SIZE 32
bool tls_set_digests(const struct tls_set *set, const char *host,
	uint8_t whole_out[TLS_DIGEST_SIZE], uint8_t key_out[TLS_DIGEST_SIZE]);

/* --- owner shard of c ----------------------------------------------------- */

enum tls_binding { TLS_EXPORTER, TLS_SERVER_END_POINT, TLS_UNIQUE };
/* "tls-exporter", "tls-server-end-point", "tls-unique". */
const char *tls_binding_name(enum tls_binding type);
/* Appends the channel binding data (RFC 5929, RFC 9266); false when this
 * connection cannot give it: tls-unique on TLS 1.3, no TLS, TLS 1.2 without
 * extended master secret (but for tls-server-end-point), or a certificate whose
 * signature names no hash (tls-server-end-point). */
bool tls_binding_data(const struct conn *c, enum tls_binding type,
	struct buf *out);
/* Whether it would, without the work: few clients use what is offered. */
bool tls_binding_exists(const struct conn *c, enum tls_binding type);
/* The same for tls-unique on TLS 1.3, where it is not defined (RFC 9266 §3):
 * the client's Finished message (the server's after a resumption).  Never
 * announced; it is as hard to forge as the handshake, and different on two
 * connections that a man in the middle has joined. */
bool tls_binding_finished(const struct conn *c, struct buf *out);
/* Is there a certificate of ours that c shows to a peer who asks for one?  In memory
 * there is, as soon as it counts as secure. */
bool tls_has_own(const struct conn *c);
/* Has the peer of c, a client under TLS, asked for domain (prepared), or has it been
 * shown a certificate for it?  One in memory has been. */
bool tls_is_for(const struct conn *c, struct str domain);
/* "TLSv1.3", or NULL without TLS. */
const char *tls_version(const struct conn *c);
const char *tls_cipher(const struct conn *c);

/* Calls found for each XMPP address (id-on-xmppAddr, RFC 6120 §13.7.1.4) in a
 * client certificate that was verified; never the CN (hostile 23).  Addresses
 * with a NUL inside are left out.  False without such a certificate. */
bool tls_client_addresses(const struct conn *c,
	void (*found)(void *arg, struct str xmpp_addr), void *arg);

#endif

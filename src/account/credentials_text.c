/*
 * credentials_text.c - stored verifiers as text: one element for the store, one
 * line (RFC 5803 §2) for imports.
 *
 * Any thread.  Both forms end in verifier_set(), the one place that judges what
 * came from a file or the database.
 */
#include "config.h"

#include "account/credentials.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/stored.h"

#define LINE_PREFIX "SCRAM-"

/* The text of one verifier, not yet judged. */
struct verifier_text {
	struct str iterations, salt, stored_key, server_key;
};

/* Decodes into to, min..max bytes; their number, or 0. */
static size_t
decode(uint8_t *to, struct str text, size_t min, size_t max)
{
	struct buf raw = BUF_INIT;
	size_t n = 0;

	if (base64_decode(&raw, text) && raw.n >= min && raw.n <= max) {
		n = raw.n;
		memcpy(to, raw.p, n);
	}
	if (raw.p != NULL)
		explicit_bzero(raw.p, raw.cap);
	buf_done(&raw);
	return n;
}

static bool
verifier_set(struct scram_verifier *out, enum scram_hash hash,
	const struct verifier_text *t, struct err *err)
{
	struct scram_verifier v = { 0 };
	size_t size = scram_digest_size(hash);
	const char *name = scram_hash_name(hash);
	long long iterations;

	if (!str_to_int(t->iterations, SCRAM_ITERATIONS_MIN,
		    SCRAM_ITERATIONS_MAX, &iterations))
		return err_set(err, ERR_INVALID,
			"%s: iterations must be a number from %d to %d", name,
			SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX);
	v.iterations = (uint32_t)iterations;
	v.salt_len = (uint32_t)decode(v.salt, t->salt, 1, SCRAM_SALT_MAX);
	if (v.salt_len == 0)
		return err_set(err, ERR_INVALID,
			"%s: salt must be base64 of 1 to %d bytes", name,
			SCRAM_SALT_MAX);
	if (decode(v.stored_key, t->stored_key, size, size) == 0 ||
		decode(v.server_key, t->server_key, size, size) == 0)
		return err_set(err, ERR_INVALID,
			"%s: each key must be base64 of %zu bytes", name, size);
	*out = v;
	return true;
}

static void
add_attr(struct buf *out, const char *name, const void *p, size_t n)
{
	buf_printf(out, " %s='", name);
	base64_encode(out, p, n);
	buf_add_c(out, "'");
}

void
credentials_format(struct buf *out, const struct credentials *c)
{
	buf_add_c(out, "<credentials xmlns='" NS_CREDENTIALS "'>");
	for (unsigned i = 0; i < SCRAM_HASHES; i++) {
		const struct scram_verifier *v = &c->verifiers[i];
		size_t size = scram_digest_size((enum scram_hash)i);

		if (v->iterations == 0)
			continue;
		buf_printf(out, "<scram hash='%s' iterations='%" PRIu32 "'",
			scram_hash_name((enum scram_hash)i), v->iterations);
		add_attr(out, "salt", v->salt, v->salt_len);
		add_attr(out, "stored-key", v->stored_key, size);
		add_attr(out, "server-key", v->server_key, size);
		buf_add_c(out, "/>");
	}
	buf_add_c(out, "</credentials>");
}

static bool
read_scram(struct credentials *c, const struct elem *e, struct err *err)
{
	struct verifier_text t = {
		.iterations = elem_attr(e, "iterations"),
		.salt = elem_attr(e, "salt"),
		.stored_key = elem_attr(e, "stored-key"),
		.server_key = elem_attr(e, "server-key"),
	};
	enum scram_hash hash;

	if (!scram_hash_parse(elem_attr(e, "hash"), &hash))
		return true; /* of a later version */
	if (c->verifiers[hash].iterations != 0)
		return err_set(err, ERR_INVALID, "%s is there twice",
			scram_hash_name(hash));
	return verifier_set(&c->verifiers[hash], hash, &t, err);
}

bool
credentials_parse(struct credentials *out, struct xml_pool *pool,
	struct str text, struct err *err)
{
	struct credentials c = { 0 };
	struct arena *a = NULL;
	struct elem *e = stored_read_own(pool, text, &a);
	bool ok = false;

	if (e == NULL || !elem_is(e, NS_CREDENTIALS, "credentials")) {
		err_set(err, ERR_INVALID, "no <credentials/> of ours");
		goto out;
	}
	elem_each_child(e, child) {
		if (elem_is(child, NS_CREDENTIALS, "scram") &&
			!read_scram(&c, child, err))
			goto out;
	}
	*out = c;
	ok = true;
out:
	if (!ok)
		err_prefix(err, "stored credentials");
	arena_free(a);
	credentials_wipe(&c);
	return ok;
}

void
credentials_format_line(struct buf *out, const struct credentials *c,
	enum scram_hash hash)
{
	const struct scram_verifier *v = &c->verifiers[hash];
	size_t size = scram_digest_size(hash);

	buf_printf(out, LINE_PREFIX "%s$%" PRIu32 ":", scram_hash_name(hash),
		v->iterations);
	base64_encode(out, v->salt, v->salt_len);
	buf_add_c(out, "$");
	base64_encode(out, v->stored_key, size);
	buf_add_c(out, ":");
	base64_encode(out, v->server_key, size);
}

bool
credentials_add_line(struct credentials *c, struct str line, struct err *err)
{
	struct verifier_text t;
	struct str scheme, info, keys;
	enum scram_hash hash;

	if (!str_cut(line, '$', &scheme, &info) ||
		!str_cut(info, '$', &info, &keys) ||
		!str_cut(info, ':', &t.iterations, &t.salt) ||
		!str_cut(keys, ':', &t.stored_key, &t.server_key) ||
		!str_starts(scheme, STR(LINE_PREFIX)))
		return err_set(err, ERR_INVALID,
			"a verifier is written " LINE_PREFIX
			"SHA-256$iterations:salt$stored-key:server-key");
	scheme.p += strlen(LINE_PREFIX);
	scheme.n -= strlen(LINE_PREFIX);
	if (!scram_hash_parse(scheme, &hash))
		return err_set(err, ERR_INVALID,
			"\"%.*s\" is not one of SHA-1, SHA-256, SHA-512",
			(int)(scheme.n < 32 ? scheme.n : 32), scheme.p);
	if (c->verifiers[hash].iterations != 0)
		return err_set(err, ERR_INVALID, "%s is there twice",
			scram_hash_name(hash));
	return verifier_set(&c->verifiers[hash], hash, &t, err);
}

/*
 * stream_header.c - how a stream begins: the header of the peer, and ours (RFC
 * 6120 §4.7).
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "stream/framing.h"

/* What a language tag has at most (RFC 5646 §4.4.1); longer ones are not kept
 * (hostile 12). */
#define LANG_MAX 35

void
stream_header_refuse(struct stream_header *h, enum stream_cond cond,
	const char *text)
{
	if (h->cond == STREAM_COND_NONE) {
		h->cond = cond;
		h->text = text;
	}
}

/* --- ours ----------------------------------------------------------------- */

/* An error needs a header, and a header a host. */
static struct str
stream_any_host(const struct stream *x)
{
	const struct config *conf = x->shard->snap->config;
	struct str domain = x->kind->domain(x);

	if (domain.p != NULL)
		return domain;
	return str_c(conf->n_hosts != 0 ? conf->host_order[0] : "");
}

void
stream_write_header(struct stream *x, struct stream_header *h)
{
	struct str host = h->host.p != NULL ? h->host : stream_any_host(x);

	x->headed = true;
	if (!x->initiated) /* §4.7.3 */
		rand_id(x->shard->rand, h->id);
	framings[x->framing].open(conn_out(x->conn), x, host, h);
	conn_wrote(x->conn);
}

void
stream_greet(struct stream *x)
{
	stream_write_header(x, &(struct stream_header){
		.versioned = !x->kind->no_version,
		.host = x->kind->domain(x),
		.peer = str_c(x->kind->peer(x)) });
}

/* --- the peer's ----------------------------------------------------------- */

/* §4.7.5: numbers, not text. */
static void
header_check_version(struct stream_header *h, struct str version)
{
	struct str major, minor;
	long long n;

	h->versioned = version.p != NULL;
	if (!str_cut(version, '.', &major, &minor) ||
		!str_to_int(major, 1, 1000000, &n) ||
		!str_to_int(minor, 0, 1000000, &n))
		stream_header_refuse(h, STREAM_UNSUPPORTED_VERSION,
			"This server speaks XMPP 1.0");
}

static bool
lang_is_plain(struct str lang)
{
	for (size_t i = 0; i < lang.n; i++) {
		char b = lang.p[i];

		if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
			    (b >= '0' && b <= '9') || b == '-'))
			return false;
	}
	return lang.n != 0 && lang.n <= LANG_MAX;
}

static void
stream_take_lang(struct stream *x, struct str lang)
{
	memuse_remove_part(MEMUSE_STREAM, x->lang);
	free(x->lang);
	x->lang = lang_is_plain(lang) ? str_dup(lang) : NULL;
	memuse_add_part(MEMUSE_STREAM, x->lang);
}

void
stream_begin(struct stream *x, const struct elem *root, struct stream_header *h)
{
	h->to = elem_attr(root, "to");
	h->from = elem_attr(root, "from");
	h->given = elem_attr(root, "id");
	x->kind->judge(x, h);
	if (!x->kind->no_version)
		header_check_version(h, elem_attr(root, "version"));
	if (!x->initiated)
		stream_write_header(x, h);
	if (h->cond != STREAM_COND_NONE) {
		stream_end(x, h->cond, h->text);
	} else {
		stream_take_lang(x, elem_attr_ns(root, NS_XML, "lang"));
		x->stage = STAGE_OPEN;
		x->kind->opened(x, h);
	}
}

void
stream_stamp_lang(const struct stream *x, struct arena *a, struct elem *e)
{
	if (x->lang != NULL && elem_attr_ns(e, NS_XML, "lang").p == NULL)
		elem_set_attr_ns(a, e, NS_XML, "lang", str_c(x->lang));
}

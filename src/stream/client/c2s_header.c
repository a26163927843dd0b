/*
 * c2s_header.c - how a stream begins and ends: the headers of both sides,
 * stream errors, the closing handshake (RFC 6120 §4.2 to §4.9).
 *
 * Owner shard.  Invariant: nothing is written into a stream before our header,
 * nor behind its end tag.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/host.h"

/* What a language tag has at most (RFC 5646 §4.4.1); longer ones are not kept
 * (hostile 12). */
#define LANG_MAX 35
/* For the last words to one who makes room for others. */
#define CROWDED_OUT_US (100 * US_PER_MS)

/* What we make of the header of a client. */
struct header {
	struct str host; /* prepared; STR_NONE: none of ours */
	struct jid from; /* bare */
	bool versioned;
	enum stream_cond cond; /* STREAM_COND_NONE: nothing is wrong */
	const char *text;
};

/* --- writing -------------------------------------------------------------- */

void
c2s_write(struct c2s *c, const struct elem *e)
{
	xml_write(conn_out(c->conn), e, STR(NS_CLIENT));
	c2s_wrote(c);
}

void
c2s_write_stanza(struct c2s *c, struct stanza *st)
{
	if (c->session != NULL)
		session_write_own(c->session, st);
	else
		c2s_write(c, st->root);
}

/* RFC 6120 §4.7; to is the bare address that the client gave, or STR_NONE. */
static void
c2s_write_header(struct c2s *c, struct str host, struct str to, bool versioned)
{
	struct buf *out = conn_out(c->conn);
	char id[RAND_ID_SIZE];

	c->headed = true;
	buf_add_c(out, "<?xml version='1.0'?><stream:stream"
		" xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAM "' id='");
	buf_add_str(out, rand_id(c->shard->rand, id));
	buf_add_c(out, "' from='");
	xml_escape(out, host, true);
	if (to.p != NULL) {
		buf_add_c(out, "' to='");
		xml_escape(out, to, true);
	}
	/* §4.7.5: who did not say any gets none */
	buf_add_c(out, versioned ? "' version='1.0" : "");
	buf_add_c(out, "' xml:lang='en'>");
	conn_wrote(c->conn);
}

/* §4.9.1.3: an error needs a header, and a header a host. */
static struct str
c2s_any_host(const struct c2s *c)
{
	const struct config *conf = c->shard->snap->config;

	if (c->login != NULL && c->login->host != NULL)
		return str_c(c->login->host);
	return str_c(conf->n_hosts != 0 ? conf->host_order[0] : "");
}

/* --- the end -------------------------------------------------------------- */

static void
c2s_write_error(struct c2s *c, enum stream_cond cond, struct str content,
	const char *text)
{
	struct arena *a = arena_new();
	struct buf *out = conn_out(c->conn);

	/* written by hand for its prefix alone (§4.8.5) */
	buf_add_c(out, "<stream:error>");
	xml_write(out, content.p != NULL ?
		elem_add_with_text(a, elem_new(a, NS_STREAM, "error"),
			NS_STREAMS, stream_cond_name(cond), content) :
		elem_new(a, NS_STREAMS, stream_cond_name(cond)),
		STR(NS_CLIENT));
	if (text != NULL) {
		struct elem *e = elem_new(a, NS_STREAMS, "text");

		elem_set_attr_ns(a, e, NS_XML, "lang", STR("en"));
		elem_add_text(a, e, str_c(text));
		xml_write(out, e, STR(NS_CLIENT));
	}
	buf_add_c(out, "</stream:error>");
	arena_free(a);
}

/* Strangers come and go at will: theirs is for debugging only.  Whoever has
 * logged in and gets no further wants to know why. */
void
c2s_log_end(const struct c2s *c, const char *what, const char *why)
{
	bool got_in = c->login != NULL && c->authenticated &&
		c->stage != C2S_CLOSED;

	if (c->session != NULL || got_in)
		log_info(LOG_STREAM, c2s_who(c), "%s reason=\"%s\"", what, why);
	else
		log_debug(LOG_STREAM, c2s_who(c), "%s reason=\"%s\"", what,
			why);
}

/* How long the client may take to close, too.  Who was crowded out gets no more
 * than it takes to send him word, or those who go would fill what there is of
 * descriptors instead of those who stay. */
static int64_t
c2s_linger_us(const struct c2s *c)
{
	int64_t us = c->shard->snap->config->limits.close_timeout_us;

	return c->login != NULL && c->login->crowded_out
		? MIN(us, CROWDED_OUT_US)
		: us;
}

void
c2s_end_with(struct c2s *c, enum stream_cond cond, struct str content,
	const char *text)
{
	struct session *s = c->session;

	if (c->stage == C2S_CLOSED)
		return;
	c2s_log_end(c, "stream closed",
		cond != STREAM_COND_NONE ? stream_cond_name(cond) : "goodbye");
	/* during a handshake there is nobody to read it */
	if (c->stage != C2S_HANDSHAKE) {
		if (!c->headed)
			c2s_write_header(c, c2s_any_host(c), STR_NONE, true);
		if (cond != STREAM_COND_NONE)
			c2s_write_error(c, cond, content, text);
		buf_add_c(conn_out(c->conn), "</stream:stream>");
		conn_wrote(c->conn);
	}
	c->stage = C2S_CLOSED;
	shard_timer_cancel(c->shard, &c->timer);
	conn_close(c->conn, c2s_linger_us(c));
	if (!c->feeding) {
		xml_parser_put(c->shard->xml, c->parser);
		c->parser = NULL;
	}
	c->session = NULL;
	if (s != NULL)
		session_lost(s, true);
}

void
c2s_end(struct c2s *c, enum stream_cond cond, const char *text)
{
	c2s_end_with(c, cond, STR_NONE, text);
}

void
c2s_fault(struct c2s *c, enum xml_fault fault)
{
	log_debug(LOG_STREAM, c2s_who(c), "bad XML reason=\"%s\"",
		xml_parser_reason(c->parser));
	switch (fault) {
	case XML_FAULT_NONE:
		break;
	case XML_FAULT_NOT_WELL_FORMED:
		c2s_end(c, STREAM_NOT_WELL_FORMED, NULL);
		break;
	case XML_FAULT_RESTRICTED:
		c2s_end(c, STREAM_RESTRICTED_XML, NULL);
		break;
	case XML_FAULT_ENCODING:
		c2s_end(c, STREAM_UNSUPPORTED_ENCODING, "Send UTF-8");
		break;
	case XML_FAULT_TOO_BIG:
		c2s_end(c, STREAM_POLICY_VIOLATION,
			"An element was larger than the limits of this server");
		break;
	}
}

/* --- the client's header -------------------------------------------------- */

static void
header_refuse(struct header *h, enum stream_cond cond, const char *text)
{
	if (h->cond == STREAM_COND_NONE) {
		h->cond = cond;
		h->text = text;
	}
}

/* §4.8 */
static void
header_check_names(struct header *h, const struct elem *root,
	struct str content_ns)
{
	if (!str_is(root->ns, NS_STREAM))
		header_refuse(h, STREAM_INVALID_NAMESPACE,
			"The namespace of streams is " NS_STREAM);
	else if (!str_is(root->name, "stream"))
		header_refuse(h, STREAM_BAD_FORMAT,
			"A stream begins with <stream:stream>");
	else if (str_is(content_ns, NS_STREAM))
		header_refuse(h, STREAM_BAD_NAMESPACE_PREFIX,
			"The prefix of the stream has to be \"stream\"");
	else if (!str_is(content_ns, NS_CLIENT))
		header_refuse(h, STREAM_INVALID_NAMESPACE,
			"The default namespace has to be " NS_CLIENT);
}

/* §4.7.5: numbers, not text. */
static void
header_check_version(struct header *h, struct str version)
{
	struct str major, minor;
	long long n;

	h->versioned = version.p != NULL;
	if (!str_cut(version, '.', &major, &minor) ||
		!str_to_int(major, 1, 1000000, &n) ||
		!str_to_int(minor, 0, 1000000, &n))
		header_refuse(h, STREAM_UNSUPPORTED_VERSION,
			"This server speaks XMPP 1.0");
}

/* §4.7.2: later headers may leave it out (RFC 3920), not change it
 * (hostile 25). */
static void
header_check_to(struct header *h, struct c2s *c, struct arena *a, struct str to)
{
	struct c2s_login *l = c->login;
	struct str host = l->host != NULL ? str_c(l->host) : STR_NONE;

	if (to.p != NULL && !jid_prep_domain(&host, a, to, NULL))
		host = STR_NONE;
	if (host.p == NULL ||
		account_host_of(c->shard->snap, host) == NULL) {
		header_refuse(h, STREAM_HOST_UNKNOWN, to.p != NULL ?
			"This domain is not served here" :
			"Name the domain in the attribute \"to\"");
		return;
	}
	if (l->host != NULL && !str_is(host, l->host)) {
		header_refuse(h, STREAM_POLICY_VIOLATION,
			"A connection is for one domain");
		return;
	}
	h->host = host;
}

/* §4.7.1: not necessary, but then it holds.
 * COMPAT: Perl's Net::XMPP (1.05, Debian 12) gives the domain, which is nobody's
 * account: it is answered as it came, and not compared with anything. */
static void
header_check_from(struct header *h, struct c2s *c, struct arena *a,
	struct str from)
{
	struct c2s_login *l = c->login;
	const char *known = l->account != NULL ? l->account : l->from;
	struct jid jid;

	if (from.p == NULL)
		return;
	if (!jid_parse(&jid, a, from, NULL)) {
		header_refuse(h, STREAM_INVALID_FROM,
			"\"from\" is no address");
		return;
	}
	h->from = jid_bare(jid);
	if (known != NULL && jid_local(h->from).n != 0 &&
		!str_is(jid_str(h->from), known))
		header_refuse(h, STREAM_INVALID_FROM,
			"\"from\" is not who you were before");
}

static void
c2s_take_lang(struct c2s *c, struct str lang)
{
	memuse_remove_part(MEMUSE_STREAM, c->lang);
	free(c->lang);
	c->lang = NULL;
	if (lang.n == 0 || lang.n > LANG_MAX)
		return;
	for (size_t i = 0; i < lang.n; i++) {
		char b = lang.p[i];

		if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
			    (b >= '0' && b <= '9') || b == '-'))
			return;
	}
	c->lang = str_dup(lang);
	memuse_add_part(MEMUSE_STREAM, c->lang);
}

static void
c2s_pin(struct c2s_login *l, const struct header *h)
{
	if (l->host == NULL)
		l->host = str_dup(h->host);
	if (l->from == NULL && jid_is_set(h->from) &&
		jid_local(h->from).n != 0)
		l->from = str_dup(jid_str(h->from));
}

enum xml_verdict
c2s_opened(void *arg, const struct elem *root, struct str content_ns)
{
	struct c2s *c = arg;
	struct arena *a = arena_new();
	struct header h = { .cond = STREAM_COND_NONE };
	struct str to;

	header_check_names(&h, root, content_ns);
	header_check_to(&h, c, a, elem_attr(root, "to"));
	header_check_from(&h, c, a, elem_attr(root, "from"));
	header_check_version(&h, elem_attr(root, "version"));
	to = jid_is_set(h.from) ? jid_str(h.from) : STR_NONE;
	c2s_write_header(c, h.host.p != NULL ? h.host : c2s_any_host(c), to,
		h.versioned);
	if (h.cond != STREAM_COND_NONE) {
		c2s_end(c, h.cond, h.text);
	} else {
		c2s_take_lang(c, elem_attr_ns(root, NS_XML, "lang"));
		c2s_pin(c->login, &h);
		c->stage = C2S_OPEN;
		c2s_features(c);
	}
	arena_free(a);
	return c->stage == C2S_CLOSED ? XML_STOP : XML_GO_ON;
}

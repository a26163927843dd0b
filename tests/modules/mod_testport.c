/*
 * mod_testport.c - sends back each line that comes to a port of its own: a kind
 * of port in a module.  Built with the tests, never installed.
 *
 * A peer who does not read is not read either.  The line "flood N" is answered
 * with N bytes, whether they are read or not; "move N" has its peer go on at the
 * shard N, which says "at N" before anything else.
 */
#include "module/module.h"

#define KIND "testport"
#define LINE_MAX_BYTES 1024
/* Who has more than this to read is not listened to. */
#define QUEUE_BYTES (64 * 1024)

struct port_conf {
	const char *prefix;
	bool refuse;
};

static const struct option port_options[] = {
	{ .name = "prefix", .type = OPT_TEXT, .dflt = "",
		.off = offsetof(struct port_conf, prefix),
		.help = "what stands before each line that is sent back" },
	{ .name = "refuse", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct port_conf, refuse),
		.help = "accept nobody, but ask for each" },
	{ .name = NULL },
};

/* Of one connection. */
struct echo {
	struct listen_peer p; /* first */
	struct buf line; /* what has come of it */
};

static void
echo_flood(struct echo *e, struct str number)
{
	char some[4096];
	long long n;

	memset(some, '.', sizeof(some));
	if (!str_to_int(number, 0, 1 << 30, &n))
		return;
	for (; n > 0; n -= (long long)sizeof(some))
		conn_write(e->p.conn, some, MIN((size_t)n, sizeof(some)));
	conn_write(e->p.conn, "\n", 1);
}

static void
echo_line(struct echo *e, struct str line)
{
	struct module_ctx *m = listen_module(e->p.shard, KIND);
	const struct port_conf *conf = m->conf;

	if (str_starts(line, STR("flood "))) {
		line.p += 6;
		line.n -= 6;
		echo_flood(e, line);
		return;
	}
	conn_write(e->p.conn, conf->prefix, strlen(conf->prefix));
	conn_write(e->p.conn, line.p, line.n);
	conn_write(e->p.conn, "\n", 1);
}

static void on_arrived(struct listen_peer *p);

/* False: it stays. */
static bool
echo_move(struct echo *e, struct str line)
{
	struct str number = line;
	long long n;

	if (!str_starts(line, STR("move ")))
		return false;
	number.p += 5;
	number.n -= 5;
	if (!str_to_int(number, 0, e->p.shard->server->n_shards - 1, &n))
		return false;
	buf_consume(&e->line, line.n + 1);
	return listen_move(&e->p, (struct place){ .shard = (uint16_t)n },
		on_arrived);
}

/* What has come, line by line, until it moves. */
static void
echo_lines(struct echo *e)
{
	struct str line, rest;

	while (str_cut(buf_str(&e->line), '\n', &line, &rest)) {
		if (echo_move(e, line))
			return;
		echo_line(e, line);
		buf_consume(&e->line, line.n + 1);
	}
	if (e->line.n > LINE_MAX_BYTES)
		conn_close(e->p.conn, 0);
	else if (conn_queued(e->p.conn) > QUEUE_BYTES && !conn_flush(e->p.conn))
		conn_pause(e->p.conn);
}

static void
on_arrived(struct listen_peer *p)
{
	struct echo *e = (struct echo *)(void *)p;

	buf_printf(conn_out(p->conn), "at %u\n", p->shard->index);
	conn_wrote(p->conn);
	echo_lines(e);
}

static void
on_data(void *arg, const char *p, size_t n)
{
	struct echo *e = arg;

	buf_add(&e->line, p, n);
	echo_lines(e);
}

static void
on_drained(void *arg)
{
	struct echo *e = arg;

	conn_resume(e->p.conn);
}

static void
on_closed(void *arg, const struct err *why)
{
	struct echo *e = arg;

	(void)why;
	buf_done(&e->line);
}

static void
on_answer(struct listen_peer *p, const struct stanza *answer,
	const struct err *err)
{
	(void)answer;
	(void)err;
	conn_write(p->conn, "never\n", 6);
}

static bool
port_accept(struct module_ctx *m, struct listen_peer *p,
	const struct config_listen *at)
{
	struct jid host = jid_trusted(m->host->domain);
	struct stanza *st;

	(void)at;
	if (!((const struct port_conf *)m->conf)->refuse)
		return true;
	st = stanza_new(IQ_GET, host, host, STR_NONE);
	elem_add(st->arena, st->root, "urn:xmpp:ping", "ping");
	listen_ask(p, m, st, US_PER_S, on_answer);
	return false;
}

static const struct conn_events port_events = {
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

/* At a port that it shares, the first line begins so. */
static enum listen_verdict
begins(struct str first, struct str with)
{
	if (str_starts(first, with))
		return LISTEN_MINE;
	return str_starts(with, first) ? LISTEN_MORE : LISTEN_NOT_MINE;
}

static enum listen_verdict
port_recognise(struct str first)
{
	return begins(first, STR("line "));
}

static enum listen_verdict
port_recognise_other(struct str first)
{
	return begins(first, STR("lines "));
}

static const struct listen_kind port_listeners[] = {
	{ .name = KIND, .summary = "whoever wants to read what he has sent",
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN) |
			LISTEN_MAY(LISTEN_DIRECT),
		.tls = LISTEN_PLAIN, .ports = { [LISTEN_PLAIN] = 7007 },
		.alpn = { KIND, KIND "/2" }, .recognise = port_recognise,
		.size = sizeof(struct echo), .accept = port_accept,
		.events = &port_events },
	{ .name = KIND "2", .summary = "the same, under another name",
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN) |
			LISTEN_MAY(LISTEN_DIRECT),
		.tls = LISTEN_PLAIN,
		.alpn = { KIND "2" }, .recognise = port_recognise_other,
		.size = sizeof(struct echo), .accept = port_accept,
		.events = &port_events },
	{ .name = NULL },
};

MODULE(testport) = {
	.api = MODULE_API,
	.name = "testport",
	.summary = "send back lines, for tests",
	.options = port_options,
	.conf_size = sizeof(struct port_conf),
	.listeners = port_listeners,
};

/*
 * upload_slot.c - a client asks where it may upload a file (XEP-0363 §4).
 *
 * Shard of the session that asks, for the domain of the service is on all of them;
 * what he may is looked up at his place.
 */
#include "config.h"

#include "upload.h"

#include "upload_text.h"

struct slot_job {
	struct upload_job job; /* first */
	struct iq *iq;         /* kept */
	struct buf name;       /* as it will be called */
	struct str type;       /* in the arena of iq, as id */
	uint64_t bytes;
	enum upload_purpose purpose;
	int64_t until_us;
	char id[UPLOAD_ID_BYTES + 1]; /* of what is reserved; "": nothing yet */
	/* what came of it */
	enum stanza_cond cond; /* COND_NONE: there is a slot */
	const char *text;
	uint64_t max_bytes;    /* it is larger than that; 0: it is not */
	int64_t retry_us;      /* 0: nobody knows */
	struct buf url, token;
};

/* --- who may ------------------------------------------------------------------------ */

static bool
user_may(const struct module_ctx *m, const struct host *host, struct jid who)
{
	const struct upload_conf *conf = m->conf;

	return (jid_local(who).n != 0 &&
		       str_eq(jid_domain(who), host->domain)) ||
		option_list_has(&conf->allow, jid_domain(who)) ||
		option_list_has(&conf->allow, jid_bare_str(who));
}

/* One that exists as long as its session keeps nothing (XEP-0175). */
static bool
user_keeps_nothing(const struct upload_user *u)
{
	const struct account *acc;

	if (u->owner[0] == '/')
		return false;
	acc = account_find(u->here->shard, str_c(u->bare));
	return acc == NULL || !acc->exists || acc->anonymous || acc->removing;
}

/* --- the answer, at home ---------------------------------------------------------------- */

/* XEP-0363 §4, example 6 */
static void
slot_answer(struct slot_job *s)
{
	struct arena *a = s->iq->st->arena;
	struct elem *slot = iq_payload(s->iq, NS_UPLOAD, "slot");
	struct elem *put = elem_add(a, slot, NS_UPLOAD, "put");
	struct elem *get = elem_add(a, slot, NS_UPLOAD, "get");
	struct elem *header = elem_add_with_text(a, put, NS_UPLOAD, "header",
		buf_str(&s->token));

	elem_set_attr(a, header, "name", STR("Authorization"));
	elem_set_attr(a, put, "url", buf_str(&s->url));
	elem_set_attr(a, get, "url", buf_str(&s->url));
	iq_result(s->iq, slot);
}

/* XEP-0363 §6, example 11 */
static void
too_large_answer(struct slot_job *s)
{
	struct arena *a = s->iq->st->arena;
	struct str max = arena_printf(a, "%llu", (unsigned long long)s->max_bytes);
	struct elem *e = iq_payload(s->iq, NS_UPLOAD, "file-too-large");
	struct str text = arena_printf(a,
		"File too large. The maximum file size is %.*s bytes",
		STR_ARG(max));

	elem_add_with_text(a, e, NS_UPLOAD, "max-file-size", max);
	iq_error_with(s->iq, COND_NOT_ACCEPTABLE, text.p, e);
}

/* XEP-0363 §6, example 12: rounded up, so that it is true. */
static void
retry_answer(struct slot_job *s)
{
	struct elem *e = iq_payload(s->iq, NS_UPLOAD, "retry");
	char stamp[DATETIME_SIZE];

	elem_set_attr(s->iq->st->arena, e, "stamp",
		datetime_format(stamp, s->retry_us + US_PER_S - 1));
	iq_error_with(s->iq, s->cond, s->text, e);
}

static void
on_slot_home(struct shard *sh, struct upload_job *job)
{
	struct slot_job *s = CONTAINER_OF(job, struct slot_job, job);

	(void)sh;
	if (job->err.code != ERR_NONE)
		iq_error(s->iq, stanza_cond_of(job->err.code), NULL);
	else if (s->max_bytes != 0)
		too_large_answer(s);
	else if (s->retry_us != 0)
		retry_answer(s);
	else if (s->cond != COND_NONE)
		iq_error(s->iq, s->cond, s->text);
	else
		slot_answer(s);
	mem_wipe_free(s->token.p, s->token.cap);
	buf_done(&s->url);
	buf_done(&s->name);
}

/* --- granted, at the place of the user -------------------------------------------------------- */

static void
slot_refuse(struct slot_job *s, enum stanza_cond cond, const char *text)
{
	struct upload_user *u = s->job.user;
	struct upload_claim *c =
		s->id[0] != '\0' ? upload_claim_find(u, str_c(s->id)) : NULL;

	if (c != NULL)
		upload_claim_remove(c);
	s->cond = cond;
	s->text = text;
	upload_job_end(&s->job);
}

/* Before anybody is asked: what the next one wants is beside it. */
static void
slot_reserve(struct slot_job *s, const struct upload_conf *conf,
	struct upload_user *u)
{
	struct shard *sh = u->here->shard;
	uint8_t bytes[UPLOAD_ID_BYTES / 2];
	struct buf id = BUF_INIT;

	rand_bytes(sh->rand, bytes, sizeof(bytes));
	hex_encode(&id, bytes, sizeof(bytes));
	memcpy(s->id, id.p, UPLOAD_ID_BYTES);
	upload_claim_add(u, buf_str(&id), s->purpose, s->bytes,
		shard_wall_us(sh) + conf->slot_timeout_us);
	buf_done(&id);
}

bool
upload_url_write(struct buf *out, struct shard *sh, const struct host *host,
	struct str id, struct str name)
{
	size_t at = out->n;

	/* XEP-0363 §4: both MUST be https.  Its port may not be open after all */
	if (!http_public_url(sh, host, out) ||
		!str_starts((struct str){ out->p + at, out->n - at },
			STR("https://"))) {
		out->n = at;
		return false;
	}
	buf_printf(out, UPLOAD_PREFIX "/%.*s/", STR_ARG(id));
	http_path_encode(name, out);
	return true;
}

static void
slot_grant(struct slot_job *s, struct module_ctx *m, struct upload_user *u,
	const struct upload_claim *c)
{
	struct str name = buf_str(&s->name);
	struct upload_token t = {
		.id = str_c(c->id),
		.user = str_c(u->bare),
		.type = s->type,
		.bytes = s->bytes,
		.purpose = s->purpose,
		.slot_us = c->slot_us,
		.until_us = s->until_us,
	};

	if (!upload_url_write(&s->url, u->here->shard, m->host, t.id, name)) {
		slot_refuse(s, COND_SERVICE_UNAVAILABLE,
			"No port is open to upload to");
		return;
	}
	upload_token_make(&s->token, &t, name, str_c(u->key));
	upload_job_end(&s->job);
}

static void
on_room(void *arg, const struct err *why)
{
	struct slot_job *s = arg;
	struct upload_user *u = s->job.user;
	struct module_ctx *m = upload_module(u->here->shard, str_c(u->host),
		s->job.entry);
	const struct upload_claim *c = upload_claim_find(u, str_c(s->id));

	if (why != NULL)
		slot_refuse(s, COND_RESOURCE_CONSTRAINT,
			"The disk is full, try again later");
	else if (m == NULL || u->gone || c == NULL)
		slot_refuse(s, COND_SERVICE_UNAVAILABLE, NULL);
	else
		slot_grant(s, m, u, c);
}

static const char *const verdict_texts[] = {
	[UPLOAD_DAY_FULL] = "You have uploaded as much as you may in a day",
	[UPLOAD_FULL] = "You have as many files here as you may",
};

static void
slot_run(struct module_ctx *m, struct upload_user *u, struct upload_job *job)
{
	struct slot_job *s = CONTAINER_OF(job, struct slot_job, job);
	const struct upload_conf *conf = m->conf;
	struct shard *sh = u->here->shard;
	struct upload_limits limits;
	struct upload_reserved reserved;
	enum upload_verdict v;

	upload_user_limits(m, u, &limits);
	upload_user_reserved(u, &reserved);
	v = upload_fits(&limits, &u->usage, &reserved, s->purpose, s->bytes,
		shard_wall_us(sh), &s->retry_us);
	if (user_keeps_nothing(u)) {
		s->retry_us = 0;
		slot_refuse(s, COND_FORBIDDEN,
			"Files are kept for accounts alone");
	} else if (v == UPLOAD_TOO_LARGE) {
		s->max_bytes = upload_max_bytes(&limits, s->purpose);
		slot_refuse(s, COND_NOT_ACCEPTABLE, NULL);
	} else if (v != UPLOAD_GRANTED) {
		slot_refuse(s, COND_RESOURCE_CONSTRAINT, verdict_texts[v]);
	} else if (upload_user_slots(u) >= (uint64_t)conf->user_slots) {
		s->retry_us = reserved.first_us;
		slot_refuse(s, COND_RESOURCE_CONSTRAINT,
			"Use the slots that you have first");
	} else if (shard_refuses_writes(sh)) {
		slot_refuse(s, COND_RESOURCE_CONSTRAINT, SHARD_REFUSES_TEXT);
	} else {
		slot_reserve(s, conf, u);
		upload_room(m, sh, s->bytes, on_room, s);
	}
}

/* --- what is asked for, at home ------------------------------------------------------------------ */

static bool
request_refuse(struct iq *iq, const char *text)
{
	iq_error(iq, COND_BAD_REQUEST, text);
	return false;
}

/* XEP-0363 §5: without one, it is for a message. */
static bool
purpose_read(const struct upload_conf *conf, struct iq *iq, struct slot_job *s)
{
	const struct elem *e = elem_child(iq->payload, NS_UPLOAD_PURPOSE, NULL);

	if (e == NULL)
		return true;
	if (!upload_purpose_parse(e->name, &s->purpose) ||
		!upload_offers(conf, s->purpose)) {
		iq_error(iq, COND_FEATURE_NOT_IMPLEMENTED,
			"Files are not kept for that purpose");
		return false;
	}
	if (s->purpose != UPLOAD_EPHEMERAL)
		return true;
	if (!datetime_parse(elem_attr(e, "expire-before"), &s->until_us) ||
		s->until_us <= shard_wall_us(iq->shard))
		return request_refuse(iq, "expire-before is to come, and a time "
					  "of UTC");
	return true;
}

static bool
request_read(const struct upload_conf *conf, struct iq *iq, struct slot_job *s)
{
	struct str type = elem_attr(iq->payload, "content-type");
	long long bytes;

	if (!upload_name_make(&s->name, elem_attr(iq->payload, "filename")))
		return request_refuse(iq, "A filename is wanted");
	if (!str_to_int(elem_attr(iq->payload, "size"), 1, INT64_MAX, &bytes))
		return request_refuse(iq, "A size is wanted, in bytes");
	if (type.n != 0 && !upload_type_ok(type))
		return request_refuse(iq, "content-type is none");
	s->bytes = (uint64_t)bytes;
	s->type = type.n != 0 ? type : STR("");
	return purpose_read(conf, iq, s);
}

enum hook_result
upload_on_request(struct module_ctx *m, struct iq *iq)
{
	const struct host *host = iq->host->parent;
	struct slot_job *s;

	if (!user_may(m, host, iq->st->from)) {
		iq_error(iq, COND_FORBIDDEN,
			"Only users of this server may upload files");
		return HOOK_HANDLED;
	}
	s = xcalloc(1, sizeof(*s));
	if (!request_read(m->conf, iq, s)) {
		buf_done(&s->name);
		free(s);
		return HOOK_HANDLED;
	}
	s->iq = iq;
	s->job.run = slot_run;
	s->job.done = on_slot_home;
	iq_keep(iq);
	upload_ask(m, iq->shard, &s->job, host->domain,
		jid_bare_str(iq->st->from));
	return HOOK_HANDLED;
}

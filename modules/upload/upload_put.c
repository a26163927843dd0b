/*
 * upload_put.c - a file comes (XEP-0363 §7).
 *
 *	PUT --token?--> the place of the user: true, in time, the right size and
 *	                  |                    type, not used, room on the disk
 *	                  | taken
 *	body -----------> draft --whole--> noted --> synced, named --> record, what he has
 *	                                     `---- until here ------------------------' 201
 *	     it breaks, or cannot be written: nothing is left, and the slot is free
 *	     again, until its time is over
 *
 * Shard of the request.  Invariant: a request is held from the moment that its user is
 * asked until PUT_OVER; a slot is taken meanwhile, by nobody else.  A file that is
 * whole is kept, whether its client waits for the answer or not.
 */
#include "config.h"

#include "upload.h"

#include "upload_text.h"

static struct upload_put *
put_of(struct http_request *r)
{
	return r->state;
}

/* No answer, where 0. */
static void
put_end(struct upload_put *p, unsigned status)
{
	struct http_request *r = p->r;

	p->state = PUT_OVER;
	STORAGE->discard(p->draft);
	p->draft = NULL;
	buf_done(&p->rest);
	if (status != 0 && !http_is_gone(r))
		http_answer(r, status, NULL, STR_NONE);
	http_let_go(r);
}

/* What a client is told of what went wrong here. */
static unsigned
status_of(const struct err *why)
{
	switch (why->code) {
	case ERR_DISK:
	case ERR_LIMIT:
		return 507; /* RFC 4918 §11.5 */
	case ERR_BUSY:
	case ERR_CLOSED:
		return 503;
	case ERR_CONFLICT:
		return 409;
	case ERR_MISSING:
		return 403; /* the account has gone */
	default:
		return 500;
	}
}

static void
put_fail(struct upload_put *p, const struct err *why)
{
	if (status_of(why) == 500 || status_of(why) == 507)
		log_error(LOG_NET, LOG_NOBODY,
			"a file was not uploaded user=%.*s reason=\"%s\"",
			STR_ARG(p->token.user), why->text);
	else if (why->code == ERR_BUSY &&
		log_limit_ok(&p->r->shard->http_refused, LOG_NET))
		log_warn(LOG_NET, LOG_NOBODY,
			"a file cannot be uploaded now user=%.*s reason=\"%s\"",
			STR_ARG(p->token.user), why->text);
	put_end(p, status_of(why));
}

/* --- what is asked of the user ------------------------------------------------------ */

struct put_job {
	struct upload_job job; /* first */
	struct upload_put *put; /* NULL: nobody waits */
	struct arena *arena;    /* of what follows */
	struct upload_token token;
	struct str mac, said, name, type;
	int64_t length;         /* that the client has announced */
	struct str given_type;
	bool replaces;          /* it is to be in the place of another */
	unsigned status;        /* 0: it may */
	struct upload_record record;
	struct upload_usage before;
};

static struct put_job *
put_job_new(struct upload_put *p, void (*run)(struct module_ctx *m,
					 struct upload_user *u,
					 struct upload_job *job),
	void (*done)(struct shard *sh, struct upload_job *job))
{
	struct put_job *j = xcalloc(1, sizeof(*j));
	struct arena *a = arena_new();

	j->put = p;
	j->arena = a;
	j->token = p->token;
	j->token.id = arena_str(a, p->token.id);
	j->token.user = arena_str(a, p->token.user);
	j->token.type = arena_str(a, p->token.type);
	j->mac = arena_str(a, p->mac);
	j->said = arena_str(a, p->said);
	j->name = arena_str(a, p->name);
	j->type = arena_str(a, p->type);
	j->length = p->r->head->content_length;
	j->given_type =
		arena_str(a, http_head_find(p->r->head, "content-type"));
	j->replaces = http_head_find(p->r->head, "if-match").p != NULL;
	j->job.run = run;
	j->job.done = done;
	return j;
}

static struct put_job *
put_job_of(struct upload_job *job)
{
	return CONTAINER_OF(job, struct put_job, job);
}

/* --- may it? at the place of the user -------------------------------------------------- */

/* XEP-0363 §7: the size has to be right, and the type, where one was named; and 201
 * says that it can be had, which it cannot when its time is over (§5.3). */
static unsigned
claim_judge(const struct put_job *j, const struct upload_user *u)
{
	const struct upload_token *t = &j->token;
	const struct upload_claim *c = upload_claim_find(u, t->id);
	int64_t now_us = shard_wall_us(u->here->shard);

	if (u->gone || c == NULL || !upload_token_is_true(j->mac, j->said,
					    j->name, str_c(u->key)) ||
		t->slot_us <= now_us ||
		(t->until_us != 0 && t->until_us <= now_us))
		return 403;
	if ((uint64_t)j->length > t->bytes)
		return 413;
	if ((uint64_t)j->length < t->bytes)
		return 400;
	if (t->type.n != 0 && !upload_type_eq(t->type, j->given_type))
		return 400;
	if (c->state != CLAIM_FREE)
		return 409;
	/* RFC 9110 §13.1.1: there is none; and behind all else, by §13.2.1 */
	return j->replaces ? 412 : 0;
}

static void
on_claim_room(void *arg, const struct err *why)
{
	struct put_job *j = arg;
	struct upload_claim *c = upload_claim_find(j->job.user, j->token.id);

	if (why != NULL) {
		j->status = status_of(why);
		if (c != NULL)
			c->state = CLAIM_FREE;
	}
	upload_job_end(&j->job);
}

static void
claim_run(struct module_ctx *m, struct upload_user *u, struct upload_job *job)
{
	struct put_job *j = put_job_of(job);

	j->status = claim_judge(j, u);
	if (j->status != 0) {
		upload_job_end(job);
		return;
	}
	upload_claim_find(u, j->token.id)->state = CLAIM_TAKEN;
	upload_room(m, u->here->shard, j->token.bytes, on_claim_room, j);
}

/* --- it is let go ------------------------------------------------------------------------- */

static void
put_release(struct upload_put *p)
{
	upload_claim_release(p->entry, p->r->shard, p->r->domain, p->token.user,
		p->token.id);
}

/* --- the record, at the place of the user ---------------------------------------------------- */

static void
on_recorded(void *arg, bool ok, const struct err *err)
{
	struct put_job *j = arg;
	struct upload_user *u = j->job.user;
	struct upload_claim *c = upload_claim_find(u, j->token.id);

	if (ok)
		u->stored = true;
	else
		upload_usage_undo(&u->usage, j->token.purpose, j->token.bytes,
			j->record.at_us);
	if (c != NULL)
		c->state = ok ? CLAIM_USED : CLAIM_FREE;
	j->status = ok ? 201 : status_of(err);
	upload_job_end(&j->job);
}

/* MUST NOT be available after the time that its user has named (XEP-0363 §5.3). */
static int64_t
due_of(const struct upload_limits *limits, const struct upload_token *t,
	int64_t at_us)
{
	int64_t keep_us = limits->of[t->purpose].expire_us;
	int64_t due_us = keep_us >= UPLOAD_NEVER_US - at_us ? UPLOAD_NEVER_US :
							      at_us + keep_us;

	return t->until_us != 0 ? MIN(due_us, t->until_us) : due_us;
}

static void
record_run(struct module_ctx *m, struct upload_user *u, struct upload_job *job)
{
	struct put_job *j = put_job_of(job);
	int64_t now = shard_wall_us(u->here->shard);
	struct upload_limits limits;
	struct store_tx *tx;

	/* the account may have gone meanwhile, and another may have got its name:
	 * that one has no such slot */
	if (u->gone || upload_claim_find(u, j->token.id) == NULL) {
		j->status = 403;
		upload_job_end(job);
		return;
	}
	upload_user_limits(m, u, &limits);
	j->record = (struct upload_record){
		.id = j->token.id,
		.user = str_c(u->bare),
		.series = str_c(u->series),
		.name = j->name,
		.type = j->type,
		.bytes = j->token.bytes,
		.purpose = j->token.purpose,
		.at_us = now,
		.due_us = due_of(&limits, &j->token, now),
	};
	upload_usage_add(&u->usage, j->token.purpose, j->token.bytes, now);
	tx = store_tx_new();
	upload_record_add(tx, str_c(u->host), &j->record);
	upload_user_write(u, tx);
	module_commit(m, u->here->shard, tx, on_recorded, j);
	upload_sweep_soon(m, u->here->shard, str_c(u->host));
}

/* --- what is left over ------------------------------------------------------------------------ */

static void
put_unnote(struct upload_put *p)
{
	STORAGE->unnote(p->storage, p->r->domain, p->token.id);
}

/* It stands under its name, and nothing but its note says so. */
static void
put_take_back(struct upload_put *p)
{
	upload_take_back(p->entry, p->storage, p->r->domain, p->token.id);
}

/* --- recorded, or not ------------------------------------------------------------------------- */

static void
on_record_home(struct shard *sh, struct upload_job *job)
{
	struct put_job *j = put_job_of(job);
	struct upload_put *p = j->put;
	unsigned status = job->err.code != ERR_NONE ? status_of(&job->err) :
						      j->status;

	(void)sh;
	if (status != 201 && status != 409)
		put_take_back(p);
	else
		put_unnote(p);
	if (job->err.code != ERR_NONE)
		put_release(p); /* it was never asked for at his place */
	if (status == 201)
		log_info(LOG_NET, LOG_NOBODY,
			"file uploaded user=%.*s id=%.8s bytes=%llu",
			STR_ARG(p->token.user), p->token.id.p,
			(unsigned long long)p->token.bytes);
	put_end(p, status);
	arena_free(j->arena);
}

/* --- the draft ------------------------------------------------------------------------------------ */

static void
put_failed(struct upload_put *p)
{
	put_release(p);
	if (p->state == PUT_FINISHES)
		put_unnote(p);
	put_fail(p, &p->why);
}

/* Or not: then it is upload-check that would find it after a crash. */
static void
on_noted(void *arg, const struct err *why)
{
	struct upload_put *p = arg;

	(void)why;
	p->noting = false;
	if (p->why.code != ERR_NONE)
		put_failed(p); /* meanwhile */
	else
		STORAGE->finish(p->draft, p->r->domain, p->token.id, p->sync);
}

static void
put_finish(struct upload_put *p)
{
	struct module_ctx *m = http_module(p->r);
	const struct upload_conf *conf;
	struct err err = ERR_INIT;

	if (m == NULL) {
		put_release(p);
		put_end(p, 503);
		return;
	}
	conf = m->conf;
	p->state = PUT_FINISHES;
	p->sync = conf->sync;
	p->noting = true;
	if (!STORAGE->note(p->storage, p->r->domain, p->token.id, on_noted, p,
		    &err))
		on_noted(p, &err);
}

/* What there was no room for goes first. */
static void
put_go_on(struct upload_put *p)
{
	size_t n;

	while (!p->full && (n = MIN(p->rest.n, UPLOAD_WRITE_MAX)) != 0) {
		p->full = !STORAGE->write(p->draft, p->rest.p, n);
		buf_consume(&p->rest, n);
	}
	if (p->full)
		return;
	buf_done(&p->rest);
	if (p->whole)
		put_finish(p);
}

static void
on_draft_room(void *arg)
{
	struct upload_put *p = arg;

	p->full = false;
	put_go_on(p);
	if (p->state == PUT_READS && !p->full)
		http_resume(p->r);
}

static void
on_draft_failed(void *arg, const struct err *why)
{
	struct upload_put *p = arg;

	p->why = *why;
	if (!p->noting)
		put_failed(p);
}

static void
on_draft_finished(void *arg)
{
	struct upload_put *p = arg;
	struct module_ctx *m = http_module(p->r);
	struct put_job *j;

	if (m == NULL) {
		put_take_back(p);
		put_release(p);
		put_end(p, 503);
		return;
	}
	p->state = PUT_RECORDS;
	j = put_job_new(p, record_run, on_record_home);
	upload_ask(m, p->r->shard, &j->job, p->r->domain, j->token.user);
}

static const struct upload_draft_events draft_events = {
	.room = on_draft_room,
	.failed = on_draft_failed,
	.finished = on_draft_finished,
};

static void
put_read(struct upload_put *p, struct module_ctx *m)
{
	struct err err = ERR_INIT;
	struct upload_storage *s = upload_storage_of(m, p->r->shard, &err);
	const struct upload_conf *conf = m->conf;
	const struct disk_spare spare = { conf->disk_free_bytes,
		(unsigned)conf->disk_free_percent };

	p->storage = s;
	if (s != NULL)
		p->draft = STORAGE->draft(s, &spare, &draft_events, p, &err);
	if (p->draft == NULL) {
		put_release(p);
		put_fail(p, &err);
		return;
	}
	p->state = PUT_READS;
	if (!http_want_body(p->r, p->token.bytes)) {
		put_release(p);
		put_end(p, 0);
	}
}

static void
on_claim_home(struct shard *sh, struct upload_job *job)
{
	struct put_job *j = put_job_of(job);
	struct upload_put *p = j->put;
	struct module_ctx *m = http_module(p->r);

	(void)sh;
	if (job->err.code != ERR_NONE) {
		put_end(p, status_of(&job->err));
	} else if (j->status != 0) {
		put_end(p, j->status);
	} else if (http_is_gone(p->r) || m == NULL) {
		put_release(p);
		put_end(p, 0);
	} else {
		put_read(p, m);
	}
	arena_free(j->arena);
}

/* --- the request ------------------------------------------------------------------------------------ */

bool
upload_path_read(struct str rest, struct str *id_out, struct buf *name)
{
	struct str file;

	if (rest.n < 2 || rest.p[0] != '/')
		return false;
	rest.p++;
	rest.n--;
	return str_cut(rest, '/', id_out, &file) && upload_id_ok(*id_out) &&
		file.n != 0 && memchr(file.p, '/', file.n) == NULL &&
		http_path_decode(file, name) && name->n != 0;
}

static unsigned
put_head_read(struct upload_put *p, struct http_request *r)
{
	struct buf name = BUF_INIT;
	struct str id, given = http_head_find(r->head, "content-type");
	bool ok = upload_path_read(r->rest, &id, &name);

	p->name = arena_str(p->arena, buf_str(&name));
	buf_done(&name);
	if (!ok)
		return 404;
	if (!upload_token_read(&p->token, p->arena,
			http_head_find(r->head, "authorization"), &p->mac,
			&p->said) ||
		!str_eq(p->token.id, id))
		return 403;
	p->type = p->token.type;
	if (p->type.n == 0 && given.n != 0 && upload_type_ok(given))
		p->type = arena_str(p->arena, given);
	if (r->head->content_length < 0)
		return 411;
	/* a part of a file (RFC 9110 §14.5) is none */
	return http_head_find(r->head, "content-range").p != NULL ? 400 : 0;
}

void
upload_put(struct module_ctx *m, struct http_request *r)
{
	struct upload_put *p = put_of(r);
	struct put_job *j;
	unsigned status;

	p->state = PUT_OVER;
	p->arena = arena_new();
	status = put_head_read(p, r);
	if (status != 0) {
		http_answer(r, status, NULL, STR_NONE);
		return;
	}
	p->r = r;
	p->entry = m->entry;
	p->state = PUT_ASKS;
	http_hold(r);
	j = put_job_new(p, claim_run, on_claim_home);
	upload_ask(m, r->shard, &j->job, r->domain, j->token.user);
}

void
upload_put_body(struct module_ctx *m, struct http_request *r, struct str part)
{
	struct upload_put *p = put_of(r);

	(void)m;
	if (p->state != PUT_READS)
		return;
	buf_add_str(&p->rest, part);
	put_go_on(p);
	if (p->state == PUT_READS && p->full)
		http_pause(r);
}

char *
upload_put_place(struct module_ctx *m, struct http_request *r, size_t *n_out)
{
	struct upload_put *p = put_of(r);

	(void)m;
	/* what waits in rest goes first */
	return p->state == PUT_READS && !p->full ?
		STORAGE->place(p->draft, n_out) :
		NULL;
}

void
upload_put_placed(struct module_ctx *m, struct http_request *r, size_t n)
{
	struct upload_put *p = put_of(r);

	(void)m;
	if (p->state != PUT_READS)
		return;
	p->full = !STORAGE->put(p->draft, n);
	if (p->full)
		http_pause(r);
}

void
upload_put_whole(struct module_ctx *m, struct http_request *r)
{
	struct upload_put *p = put_of(r);

	(void)m;
	p->whole = true;
	if (p->state == PUT_READS && !p->full)
		put_finish(p);
}

void
upload_put_gone(struct http_request *r)
{
	struct upload_put *p = put_of(r);

	if (p->r == NULL || p->state != PUT_READS)
		return;
	put_release(p);
	put_end(p, 0);
}

void
upload_put_done(struct http_request *r)
{
	struct upload_put *p = put_of(r);

	arena_free(p->arena);
	buf_done(&p->rest);
}

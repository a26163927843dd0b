/*
 * register.c - makes accounts in-band, changes their passwords, and removes
 * them (XEP-0077).
 *
 * A stranger's request comes by HOOK_STREAM_IQ on the shard of his stream; it
 * travels to the shard that counts for his address, where keys are derived (by
 * the worker) and the account is created, and the answer travels back:
 *
 *	stranger_register -> job_admit -> job_derive -> job_derived -> job_done
 *	-> job_answer
 *
 * A change of password goes the same way, from and to the shard of the account.
 * Invariant: a job holds the module, and ends in job_answer(); it wipes passwords.
 */
#include "config.h"

#include <fnmatch.h>

#include "register.h"

/* Keys that wait to be derived; with 3 x 10000 rounds each, about a second. */
#define DERIVING_MAX 64
#define WINDOW_US (3600 * US_PER_S)
#define CHANGES_PER_HOUR 20 /* of the password of one account */

struct register_conf {
	bool allow;
	int64_t per_hour;
	const char *instructions;
	struct option_list blocked_names;
	bool password_change;
	bool removal;
};

static const struct option register_options[] = {
	{ .name = "allow", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct register_conf, allow),
		.help = "let strangers make accounts, over TLS only" },
	{ .name = "per_hour", .type = OPT_INT, .dflt = "5", .min = "1",
		.max = "100000",
		.off = offsetof(struct register_conf, per_hour),
		.help = "how often one network address may try in an hour" },
	{ .name = "instructions", .type = OPT_TEXT,
		.dflt = "Choose a name and a password.",
		.off = offsetof(struct register_conf, instructions),
		.help = "what a stranger is told first" },
	{ .name = "blocked_names", .type = OPT_LIST, .item = OPT_TEXT,
		.dflt = "abuse, admin*, hostmaster, info, noreply, postmaster, "
			"root, security, support, sysadmin, webmaster, xmpp",
		.off = offsetof(struct register_conf, blocked_names),
		.help = "names that strangers cannot have; * stands for any "
			"letters, ? for one" },
	{ .name = "password_change", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct register_conf, password_change),
		.help = "let users change their password" },
	{ .name = "removal", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct register_conf, removal),
		.help = "let users remove their account" },
	{ .name = NULL },
};

/* What a shard keeps is a struct rate, of addresses and accounts. */
static void
on_shard_done(struct shard *sh, void *arg)
{
	(void)sh;
	rate_done(arg);
}

/* --- passwords ------------------------------------------------------------------------ */

/* What is wrong with a password, for the user; NULL: nothing. */
static const char *
password_mistake(const struct host *host, struct str password)
{
	if ((int64_t)password.n < host->conf->auth.password_min_bytes)
		return "The password is too short";
	if (password.n > PASSWORD_MAX)
		return "The password is too long";
	return NULL;
}

/* --- a job -------------------------------------------------------------------------- */

struct job {
	struct module_entry *entry;
	struct place home;   /* where it came from, and is answered */
	struct shard *shard; /* where it is done, once it is there */
	struct stanza *st;   /* a stranger's, owned; NULL: a user's */
	void (*reply)(struct shard *sh, uint64_t token, struct stanza *reply);
	uint64_t token;
	struct iq *iq;       /* a user's, kept */
	struct jid jid;      /* bare, in the arena of st or iq */
	struct str keep;     /* the resource that asked, in the same */
	struct str key;      /* what it is counted for, in the same */
	int64_t max;         /* of that in an hour */
	char *password;      /* NUL-terminated; NULL once it is derived */
	uint32_t iterations;
	struct buf creds;
	struct err err;
	enum stanza_cond cond; /* COND_NONE: it worked */
	const char *text;      /* to cond; or NULL */
	const char *peer;      /* for the log, in the same arena; or NULL */
};

static void
job_wipe(struct job *job)
{
	size_t n = job->password != NULL ? strlen(job->password) : 0;

	mem_wipe_free(job->password, n);
	job->password = NULL;
}

static void
job_reply_stranger(struct shard *home, struct job *job)
{
	struct stanza *reply = job->cond == COND_NONE ?
		stanza_result(job->st) :
		stanza_error(job->st, job->cond, str_c(job->text));

	job->reply(home, job->token, reply);
	stanza_free(job->st);
}

/* The last step, at home. */
static void
job_answer(struct shard *home, void *arg)
{
	struct job *job = arg;
	struct module_entry *entry = job->entry;

	job_wipe(job);
	if (job->creds.n != 0)
		explicit_bzero(job->creds.p, job->creds.n);
	buf_done(&job->creds);
	if (job->st != NULL)
		job_reply_stranger(home, job);
	else if (job->cond == COND_NONE)
		iq_result(job->iq, NULL);
	else
		iq_error(job->iq, job->cond, job->text);
	free(job);
	module_release(entry);
}

static void
job_end(struct job *job, enum stanza_cond cond, const char *text)
{
	job->cond = cond;
	job->text = text;
	place_post(job->shard->server, job->home, job_answer, job,
		sizeof(*job));
}

static void
job_done(void *arg, bool ok, const struct err *err)
{
	struct job *job = arg;

	if (!ok) {
		if (err->code == ERR_STORAGE)
			log_error(LOG_AUTH, LOG_NOBODY, "%s", err->text);
		job_end(job, stanza_cond_of(err->code), NULL);
		return;
	}
	log_info(LOG_AUTH, LOG_NOBODY, "%s account=%.*s peer=%s",
		job->st != NULL ? "registered" : "password changed",
		STR_ARG(jid_str(job->jid)),
		job->peer != NULL ? job->peer : "-");
	job_end(job, COND_NONE, NULL);
}

/* On the worker's thread. */
static void
job_derive(void *arg)
{
	struct job *job = arg;
	struct credentials creds = { .verifiers = { { 0 } } };

	if (credentials_derive(&creds, str_c(job->password), SCRAM_ALL,
		    job->iterations, job->shard->server->rand, &job->err))
		credentials_format(&job->creds, &creds);
	credentials_wipe(&creds);
	job_wipe(job);
}

static void
job_derived(void *arg)
{
	struct job *job = arg;

	if (job->err.code != ERR_NONE)
		job_end(job, COND_NOT_ACCEPTABLE,
			"This cannot be a password");
	else if (job->st != NULL)
		account_create(job->shard, job->jid, buf_str(&job->creds),
			job_done, job);
	else
		account_set_credentials(job->shard, job->jid,
			buf_str(&job->creds), job->keep, job_done, job);
}

/* On the shard that counts. */
static void
job_admit(struct shard *sh, void *arg)
{
	struct job *job = arg;
	struct host *host = shard_host(sh, jid_domain(job->jid));
	struct module_ctx *m = NULL;
	struct rate *rate;

	job->shard = sh;
	if (host != NULL)
		m = module_at_host(host, job->entry);
	if (m == NULL) {
		job_end(job, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	if (worker_waiting(sh->server->worker) >= DERIVING_MAX) {
		job_end(job, COND_RESOURCE_CONSTRAINT,
			"The server is busy, try again in a minute");
		return;
	}
	rate = module_shard_state(m, sh);
	if (!rate_admit(rate, job->key, job->max, WINDOW_US, sh->now_us)) {
		job_end(job, COND_RESOURCE_CONSTRAINT,
			"That was too often, try again in an hour");
		return;
	}
	job->iterations = (uint32_t)host->conf->auth.scram_iterations;
	worker_run(sh->server->worker, job_derive, &sh->mailbox, job_derived,
		job);
}

static struct job *
job_new(struct module_ctx *m, const struct shard *home, struct str password)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->entry = module_hold(m);
	job->home = place_of_shard(home);
	job->password = str_dup(password);
	return job;
}

/* --- strangers ------------------------------------------------------------------------ */

/* Answers, and frees the stanza of q. */
static void
stranger_refuse(const struct stream_iq *q, enum stanza_cond cond,
	const char *text)
{
	struct stanza *error = stanza_error(q->st, cond, str_c(text));

	if (error != NULL)
		q->reply(q->shard, q->token, error);
	stanza_free(q->st);
}

/* XEP-0077 §3.1, §4 */
static void
stranger_show_form(const struct register_conf *conf, const struct stream_iq *q)
{
	struct stanza *reply = stanza_result(q->st);
	struct arena *a = reply->arena;
	struct str text = str_c(conf->instructions);
	struct elem *query = elem_add(a, reply->root, NS_REGISTER, "query");
	struct elem *form, *field;

	elem_add_with_text(a, query, NS_REGISTER, "instructions", text);
	elem_add(a, query, NS_REGISTER, "username");
	elem_add(a, query, NS_REGISTER, "password");
	form = form_add(a, query, "form", NS_REGISTER);
	elem_add_with_text(a, form, NS_FORM, "instructions", text);
	field = form_add_field(a, form, "username", "text-single", "Name");
	elem_add(a, field, NS_FORM, "required");
	field = form_add_field(a, form, "password", "text-private", "Password");
	elem_add(a, field, NS_FORM, "required");
	q->reply(q->shard, q->token, reply);
	stanza_free(q->st);
}

static bool
name_is_blocked(const struct register_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->blocked_names.n; i++) {
		if (fnmatch(conf->blocked_names.items[i], name, 0) == 0)
			return true;
	}
	return false;
}

/* Prepares the name into *local_out; or says what is wrong with it, or with the
 * rest. */
static const char *
stranger_mistake(const struct register_conf *conf, const struct stream_iq *q,
	const struct fields *f, struct str *local_out)
{
	struct arena *a = q->st->arena;
	struct str local;

	if (f->twice)
		return "A field was given twice";
	if (f->username.n == 0 || f->password.n == 0)
		return "Both a name and a password are needed";
	if (!jid_prep_local(&local, a, f->username, NULL))
		return "This cannot be a name";
	/* the name may lie where the password is about to be wiped */
	local = arena_str(a, local);
	if (name_is_blocked(conf, local.p))
		return "This name is reserved";
	*local_out = local;
	return password_mistake(q->host, f->password);
}

static void
stranger_register(struct module_ctx *m, const struct stream_iq *q)
{
	const struct register_conf *conf = m->conf;
	const struct server *srv = q->shard->server;
	struct arena *a = q->st->arena;
	struct elem *query = stanza_payload(q->st);
	struct fields f = fields_read(a, query);
	struct str local;
	const char *mistake = stranger_mistake(conf, q, &f, &local);
	struct job *job = NULL;

	if (mistake == NULL) {
		job = job_new(m, q->shard, f.password);
		job->st = q->st;
		job->reply = q->reply;
		job->token = q->token;
		job->jid = jid_make(a, local, q->host->domain, STR_NONE);
		job->key = arena_str(a, q->peer_key);
		job->max = conf->per_hour;
		job->peer = arena_str(a, str_c(q->peer)).p;
	}
	fields_wipe(&f, query);
	if (job == NULL)
		stranger_refuse(q, COND_NOT_ACCEPTABLE, mistake);
	else
		place_post(srv, server_place_of(srv, job->key), job_admit, job,
			sizeof(*job));
}

static enum hook_result
on_stream_iq(struct module_ctx *m, void *arg)
{
	const struct register_conf *conf = m->conf;
	const struct stream_iq *q = arg;
	const struct elem *query = stanza_payload(q->st);

	if (query == NULL || !elem_is(query, NS_REGISTER, "query") ||
		(q->st->type != IQ_GET && q->st->type != IQ_SET))
		return HOOK_PASS;
	if (!conf->allow)
		stranger_refuse(q, COND_SERVICE_UNAVAILABLE,
			"Accounts cannot be made here");
	else if (!q->secure)
		stranger_refuse(q, COND_NOT_ALLOWED, "Use TLS first");
	else if (q->st->type == IQ_GET)
		stranger_show_form(conf, q);
	else if (shard_refuses_writes(q->shard))
		stranger_refuse(q, COND_RESOURCE_CONSTRAINT, SHARD_REFUSES_TEXT);
	else
		stranger_register(m, q);
	return HOOK_HANDLED;
}

/* XEP-0077 §8 */
static enum hook_result
on_stream_features(struct module_ctx *m, void *arg)
{
	const struct register_conf *conf = m->conf;
	struct stream_features *f = arg;

	if (conf->allow && f->secure && !f->authenticated)
		elem_add(f->arena, f->features, NS_FEATURE_REGISTER,
			"register");
	return HOOK_PASS;
}

/* --- users ------------------------------------------------------------------------------ */

/* Is it asked by the owner of the account?  His session may have ended since. */
static bool
is_user(const struct iq *iq)
{
	return iq_account(iq) != NULL || (jid_local(iq->st->from).n != 0 &&
		str_eq(jid_domain(iq->st->from), iq->host->domain));
}

/* XEP-0077 §3.1 */
static enum hook_result
on_user_get(struct module_ctx *m, struct iq *iq)
{
	struct arena *a = iq->st->arena;
	struct elem *query;

	(void)m;
	if (!is_user(iq))
		return HOOK_PASS;
	query = iq_payload(iq, NS_REGISTER, "query");
	elem_add(a, query, NS_REGISTER, "registered");
	elem_add_with_text(a, query, NS_REGISTER, "username",
		jid_local(iq->st->from));
	elem_add(a, query, NS_REGISTER, "password");
	iq_result(iq, query);
	return HOOK_HANDLED;
}

/* COND_NONE: the password may be changed (XEP-0077 §3.3, table 2).  s: who asks,
 * or NULL when he has ended. */
static enum stanza_cond
change_cond(const struct register_conf *conf, const struct session *s,
	const struct iq *iq, const struct fields *f, const char **text_out)
{
	struct str local;

	if (!conf->password_change || (s != NULL && s->account->anonymous))
		return COND_NOT_ALLOWED;
	if (!iq->st->secure) {
		*text_out = "Use TLS first";
		return COND_NOT_AUTHORIZED;
	}
	if (f->twice || f->username.n == 0 || f->password.n == 0) {
		*text_out = "Both your name and the new password are needed";
		return COND_BAD_REQUEST;
	}
	/* hostile 32 */
	if (!jid_prep_local(&local, iq->st->arena, f->username, NULL) ||
		!str_eq(local, jid_local(iq->st->from))) {
		*text_out = "This is not your name";
		return COND_NOT_ALLOWED;
	}
	*text_out = password_mistake(iq->host, f->password);
	return *text_out != NULL ? COND_NOT_ACCEPTABLE : COND_NONE;
}

static void
user_change(struct module_ctx *m, const struct session *s, struct iq *iq,
	struct fields *f)
{
	const char *text = NULL;
	enum stanza_cond cond = change_cond(m->conf, s, iq, f, &text);
	struct job *job = NULL;

	if (cond == COND_NONE) {
		job = job_new(m, iq->shard, f->password);
		job->iq = iq;
		job->jid = jid_bare(iq->st->from);
		job->keep = jid_resource(iq->st->from);
		job->key = jid_str(job->jid);
		if (s != NULL)
			job->peer = session_describe_stream(s, "peer");
		job->peer = arena_str(iq->st->arena, str_c(job->peer)).p;
		job->max = CHANGES_PER_HOUR;
	}
	fields_wipe(f, iq->payload);
	if (job == NULL) {
		iq_error(iq, cond, text);
		return;
	}
	iq_keep(iq);
	shard_post(iq->shard, job_admit, job, sizeof(*job));
}

struct removal {
	struct module_entry *entry;
	struct iq *iq;
};

static void
on_removed(void *arg, bool ok, const struct err *err)
{
	struct removal r = *(struct removal *)arg;

	free(arg);
	if (ok) {
		log_info(LOG_AUTH, LOG_NOBODY,
			"removed by its user account=%.*s",
			STR_ARG(jid_bare_str(r.iq->st->from)));
		iq_result(r.iq, NULL);
	} else {
		iq_error(r.iq, stanza_cond_of(err->code), NULL);
	}
	module_release(r.entry);
}

/* XEP-0077 §3.2 */
static void
user_remove(struct module_ctx *m, const struct session *s, struct iq *iq)
{
	const struct register_conf *conf = m->conf;
	bool allowed = conf->removal && (s == NULL || !s->account->anonymous);
	bool alone = elem_count(iq->payload) == 1;
	struct removal *r;

	if (!alone || !allowed) {
		iq_error(iq, alone ? COND_NOT_ALLOWED : COND_BAD_REQUEST, NULL);
		return;
	}
	r = xmalloc(sizeof(*r));
	*r = (struct removal){ module_hold(m), iq };
	iq_keep(iq);
	account_remove(iq->shard, jid_bare(iq->st->from), on_removed, r);
}

static enum hook_result
on_user_set(struct module_ctx *m, struct iq *iq)
{
	struct fields f;

	if (!is_user(iq))
		return HOOK_PASS;
	f = fields_read(iq->st->arena, iq->payload);
	if (f.remove)
		user_remove(m, iq_sender(iq), iq);
	else
		user_change(m, iq_sender(iq), iq, &f);
	return HOOK_HANDLED;
}

static enum hook_result
on_page(struct module_ctx *m, void *arg)
{
	const struct register_conf *conf = m->conf;
	struct http_page *page = arg;

	if (conf->allow)
		buf_add_c(page->html,
			"<p>Who has no account makes one: many clients do that, if "
			"they are asked for a new account at this server.</p>\n");
	return HOOK_PASS;
}

static const struct hook_handler register_hooks[] = {
	{ HOOK_STREAM_FEATURES, HOOK_CHANGE, on_stream_features },
	{ HOOK_HTTP_PAGE, HOOK_CHANGE, on_page },
	{ HOOK_STREAM_IQ, HOOK_DELIVER, on_stream_iq },
	{ .fn = NULL },
};

static const struct iq_handler register_iqs[] = {
	{ IQ_GET, AT_HOST | AT_OWN_ACCOUNT, NS_REGISTER, "query", on_user_get },
	{ IQ_SET, AT_HOST | AT_OWN_ACCOUNT | STORES, NS_REGISTER, "query",
		on_user_set },
	{ .fn = NULL },
};

MODULE(register) = {
	.api = MODULE_API,
	.name = "register",
	.summary = "make accounts, change passwords, remove accounts in-band",
	.specs = "XEP-0077 2.4",
	.features = (const char *const[]){ NS_REGISTER, NULL },
	.options = register_options,
	.conf_size = sizeof(struct register_conf),
	.hooks = register_hooks,
	.iqs = register_iqs,
	.shard_state = sizeof(struct rate),
	.shard_done = on_shard_done,
};

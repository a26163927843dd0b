/*
 * dns.c - questions to the DNS: the thread between those who ask and libunbound.
 *
 *   dns_ask --> mailbox --> open: in the list, a slot in the library for each part
 *                             |         |               |
 *                             | all     | soon_us,      | too many slots of
 *                             | parts   | timeout       | closed ones
 *                             v         v               v
 *                           answered, its slots      asked again, in a new
 *                           go on alone              context
 *
 * All but dns_new() to dns_free() runs on that thread.  Invariant: a question is
 * in the list of the open ones until it is posted to its asker, once; a slot that
 * the library has belongs to one part of an open question, or to nobody.
 *
 * ub_cancel() is not used: with threads it only keeps the callback from being
 * called, while the library works on, and then nobody could count how much it has
 * to do.  ub_ctx_delete() calls no callback for what is out.
 */
#include "config.h"

#include "dns/dns.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <unbound.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/thread.h"
#include "conf/conf.h"
#include "dns/dns_int.h"

#define CLASS_IN 1
#define MAILS_A_TURN 64
/* Slots that nobody waits for, for each that somebody may. */
#define ABANDONED_MAX 4

struct open;

/* What the library was asked, until it has answered. */
struct slot {
	LIST_ENTRY(slot) link;
	struct dns *dns;
	struct open *open; /* NULL: nobody waits any more */
	struct dns_part *part;
};

/* A question on its way; its asker's, with what this thread needs. */
struct open {
	TAILQ_ENTRY(open) link;
	struct mail mail;
	struct dns *dns;
	struct mailbox *reply;
	struct dns_question *q;
	int64_t until_us;
	size_t n_waiting; /* parts */
};

struct dns {
	struct mailbox mailbox;
	struct config *conf; /* a reference */
	const struct clock *clock;
	unsigned flags;
	bool has_mailbox, running; /* the owner's */
	struct err why;	/* the owner's: it cannot run */
	pthread_t thread;
	/* the thread's */
	struct ub_ctx *ctx; /* NULL: none yet */
	char anchor[DNS_NAME_SIZE];
	enum dns_trust trust;
	TAILQ_HEAD(, open) open;
	LIST_HEAD(, slot) slots;
	size_t n_parts;     /* of open questions, without an answer */
	size_t n_abandoned; /* slots */
	bool stopping, end;
};

/* --- answers ---------------------------------------------------------------------- */

/* The asker's thread. */
static void
on_answer(struct mail *m, void *owner)
{
	struct open *o = CONTAINER_OF(m, struct open, mail);
	struct dns_question *q = o->q;

	(void)owner;
	free(o);
	q->done(q->arg, q);
}

static void
open_post(struct open *o)
{
	o->mail = (struct mail){ .bytes = sizeof(*o), .run = on_answer };
	mailbox_post(o->reply, &o->mail);
}

/* What has no answer gets this one: nobody waits any more. */
static void
open_close(struct open *o, enum dns_state state, const char *why)
{
	struct dns *d = o->dns;
	struct slot *s;

	for (size_t i = 0; i < o->q->n; i++) {
		struct dns_part *part = &o->q->parts[i];

		if (part->state != DNS_WAITING)
			continue;
		part->state = state;
		snprintf(part->why, sizeof(part->why), "%s", why);
	}
	LIST_FOREACH (s, &d->slots, link) {
		if (s->open != o)
			continue;
		s->open = NULL;
		d->n_abandoned++;
	}
	d->n_parts -= o->n_waiting;
	o->q->trust = d->trust;
	TAILQ_REMOVE(&d->open, o, link);
	open_post(o);
}

static const char *
rcode_text(int rcode)
{
	switch (rcode) {
	case 1:
		return "the name servers do not understand the question (FORMERR)";
	case 2:
		return "no name server could be asked, or none knows (SERVFAIL)";
	case 5:
		return "the name servers do not answer us (REFUSED)";
	default:
		return "the name servers answer with an error";
	}
}

/* result is taken. */
static void
part_answer(struct dns_part *part, struct ub_result *result)
{
	part->result = result;
	part->secure = result->secure != 0;
	part->nxdomain = result->nxdomain != 0;
	part->ttl_s = (uint32_t)MAX(result->ttl, 0);
	if (result->bogus) {
		part->state = DNS_BOGUS;
		snprintf(part->why, sizeof(part->why), "%s",
			result->why_bogus != NULL ? result->why_bogus :
						    "the signatures are wrong");
	} else if (result->havedata) {
		part->state = DNS_FOUND;
		part->data = result->data;
		part->size = result->len;
	} else if (result->rcode == 0 || result->nxdomain) {
		part->state = DNS_NONE;
	} else {
		part->state = DNS_FAILED;
		snprintf(part->why, sizeof(part->why), "%s",
			rcode_text(result->rcode));
	}
}

static void
part_fail(struct dns_part *part, int rc)
{
	part->state = DNS_FAILED;
	snprintf(part->why, sizeof(part->why), "the resolver has failed: %s",
		ub_strerror(rc));
}

static void
open_answered(struct open *o, const struct dns_part *part)
{
	o->n_waiting--;
	o->dns->n_parts--;
	if (part->state == DNS_FOUND && o->q->soon_us != 0)
		o->until_us = MIN(o->until_us,
			clock_mono_us(o->dns->clock) + o->q->soon_us);
	if (o->n_waiting == 0)
		open_close(o, DNS_FAILED, "");
}

/* Of libunbound, in ub_process(). */
static void
on_result(void *arg, int rc, struct ub_result *result)
{
	struct slot *s = arg;
	struct open *o = s->open;
	struct dns_part *part = s->part;

	LIST_REMOVE(s, link);
	if (o == NULL)
		s->dns->n_abandoned--;
	free(s);
	if (o == NULL) {
		ub_resolve_free(result);
		return;
	}
	if (rc == UB_NOERROR && result != NULL)
		part_answer(part, result);
	else
		part_fail(part, rc);
	open_answered(o, part);
}

/* --- asking ----------------------------------------------------------------------- */

/* False: part has failed already. */
static bool
part_start(struct dns *d, struct open *o, struct dns_part *part)
{
	struct slot *s = xcalloc(1, sizeof(*s));
	int rc;

	*s = (struct slot){ .dns = d, .open = o, .part = part };
	rc = ub_resolve_async(d->ctx, part->name, (int)part->type, CLASS_IN, s,
		on_result, NULL);
	if (rc != UB_NOERROR) {
		free(s);
		part_fail(part, rc);
		return false;
	}
	LIST_INSERT_HEAD(&d->slots, s, link);
	return true;
}

static void
open_start(struct open *o)
{
	for (size_t i = 0; i < o->q->n; i++) {
		struct dns_part *part = &o->q->parts[i];

		if (part->state == DNS_WAITING &&
			!part_start(o->dns, o, part)) {
			o->n_waiting--;
			o->dns->n_parts--;
		}
	}
	if (o->n_waiting == 0)
		open_close(o, DNS_FAILED, "");
}

/* Where the library works for nobody. */
static void
context_drop(struct dns *d)
{
	struct slot *s;

	if (d->ctx != NULL)
		ub_ctx_delete(d->ctx);
	d->ctx = NULL;
	while ((s = LIST_FIRST(&d->slots)) != NULL) {
		LIST_REMOVE(s, link);
		free(s);
	}
	d->n_abandoned = 0;
}

static void
dns_judge_keys(struct dns *d, const struct dns_part *part)
{
	if (d->stopping)
		return;
	d->trust = part->state == DNS_FOUND && part->secure ? DNS_TRUST_YES :
							      DNS_TRUST_NO;
	if (d->trust == DNS_TRUST_YES)
		return;
	log_warn(LOG_DNS, LOG_NOBODY,
		"the keys of the DNS do not come, %s: a name server on the way may strip signatures zone=%s reason=\"%s\"",
		d->conf->dns.dnssec == DNSSEC_REQUIRED ?
			"no name is believed" :
			"names count as unsigned",
		part->name,
		part->why[0] != '\0' ? part->why :
					"they come without signatures");
}

/* Of the question about the keys: on the thread of the DNS itself. */
static void
on_keys(void *arg, struct dns_question *q)
{
	dns_judge_keys(arg, &q->parts[0]);
	dns_question_free(q);
}

static void dns_take(struct dns *d, struct open *o);

static void
dns_ask_keys(struct dns *d)
{
	struct open *o;

	if (d->anchor[0] == '\0') {
		d->trust = DNS_TRUST_OFF;
		return;
	}
	o = xcalloc(1, sizeof(*o));
	o->dns = d;
	o->reply = &d->mailbox;
	o->q = dns_question_new(1, on_keys, d);
	dns_question_add(o->q, d->anchor, DNS_DNSKEY);
	dns_take(d, o);
}

static bool
dns_has_context(struct dns *d, struct err *err)
{
	bool first = d->trust == DNS_TRUST_UNKNOWN;

	if (d->ctx != NULL)
		return true;
	d->ctx = dns_context_new(&d->conf->dns, d->flags, d->anchor, err);
	if (d->ctx != NULL && first)
		dns_ask_keys(d);
	return d->ctx != NULL;
}

/* In a new context: what the old one was asked in vain is forgotten there. */
static void
dns_renew(struct dns *d)
{
	struct err err = ERR_INIT;
	struct open *o, *next;

	log_info(LOG_DNS, LOG_NOBODY,
		"too many names whose name servers are silent, beginning anew names=%zu",
		d->n_abandoned);
	context_drop(d);
	if (!dns_has_context(d, &err))
		return; /* their time will end */
	for (o = TAILQ_FIRST(&d->open); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		open_start(o);
	}
}

static void
dns_take(struct dns *d, struct open *o)
{
	size_t max = (size_t)d->conf->dns.questions;
	struct err err = ERR_INIT;

	o->until_us = clock_mono_us(d->clock) + d->conf->dns.timeout_us;
	for (size_t i = 0; i < o->q->n; i++)
		o->n_waiting += o->q->parts[i].state == DNS_WAITING;
	TAILQ_INSERT_TAIL(&d->open, o, link);
	d->n_parts += o->n_waiting;
	if (d->stopping) {
		open_close(o, DNS_FAILED, "the server stops");
	} else if (d->n_parts > max && d->n_parts != o->n_waiting) {
		open_close(o, DNS_FAILED,
			"too many names are being looked up (dns: questions)");
	} else if (!dns_has_context(d, &err)) {
		open_close(o, DNS_FAILED, err.text);
	} else {
		open_start(o);
		if (d->n_abandoned > ABANDONED_MAX * max)
			dns_renew(d);
	}
}

/* --- the thread -------------------------------------------------------------------- */

static void
on_asked(struct mail *m, void *owner)
{
	struct open *o = CONTAINER_OF(m, struct open, mail);

	dns_take(owner, o);
}

static void
dns_close_all(struct dns *d)
{
	d->stopping = true;
	while (!TAILQ_EMPTY(&d->open))
		open_close(TAILQ_FIRST(&d->open), DNS_FAILED,
			"the server stops");
}

static void
on_stop(struct mail *m, void *owner)
{
	free(m);
	dns_close_all(owner);
}

static void
on_end(struct mail *m, void *owner)
{
	struct dns *d = owner;

	free(m);
	dns_close_all(d);
	d->end = true;
}

static void
dns_expire(struct dns *d)
{
	int64_t now_us = clock_mono_us(d->clock);
	struct open *o, *next;

	for (o = TAILQ_FIRST(&d->open); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (o->until_us <= now_us)
			open_close(o, DNS_WAITING,
				"no answer in time: the name servers are silent, or cannot be reached");
	}
}

/* Until the first time is over, in ms and rounded up; -1: there is none. */
static int
dns_patience(const struct dns *d)
{
	int64_t first_us = INT64_MAX, left_us;
	const struct open *o;

	TAILQ_FOREACH (o, &d->open, link)
		first_us = MIN(first_us, o->until_us);
	if (first_us == INT64_MAX)
		return -1;
	left_us = MAX(first_us - clock_mono_us(d->clock), 0);
	return (int)((left_us + US_PER_MS - 1) / US_PER_MS);
}

static void *
dns_main(void *arg)
{
	struct dns *d = arg;

	while (!d->end) {
		struct pollfd fds[] = {
			{ .fd = d->mailbox.fd, .events = POLLIN },
			{ .fd = d->ctx != NULL ? ub_fd(d->ctx) : -1,
				.events = POLLIN },
		};

		/* a full turn leaves the mailbox awake */
		if (mailbox_drain(&d->mailbox, d, MAILS_A_TURN) < MAILS_A_TURN &&
			!d->end) {
			fds[1].fd = d->ctx != NULL ? ub_fd(d->ctx) : -1;
			poll(fds, COUNT(fds), dns_patience(d));
		}
		if (d->ctx != NULL)
			ub_process(d->ctx);
		dns_expire(d);
	}
	context_drop(d);
	/* what was posted to itself */
	mailbox_drain(&d->mailbox, d, SIZE_MAX);
	return NULL;
}

/* --- the owner ---------------------------------------------------------------------- */

struct dns *
dns_new(struct config *conf, const struct clock *clock, unsigned flags)
{
	struct dns *d = xcalloc(1, sizeof(*d));

	d->conf = config_ref(conf);
	d->clock = clock;
	d->flags = flags;
	TAILQ_INIT(&d->open);
	LIST_INIT(&d->slots);
	return d;
}

static bool
dns_runs(struct dns *d)
{
	if (d->running || d->why.code != ERR_NONE)
		return d->running;
	d->has_mailbox = d->has_mailbox || mailbox_init(&d->mailbox, &d->why);
	d->running = d->has_mailbox &&
		thread_start(&d->thread, "dns", dns_main, d, &d->why);
	return d->running;
}

void
dns_ask(struct dns *d, struct mailbox *reply, struct dns_question *q)
{
	struct open *o = xcalloc(1, sizeof(*o));

	*o = (struct open){
		.mail = { .bytes = sizeof(*o), .run = on_asked },
		.dns = d,
		.reply = reply,
		.q = q,
	};
	if (dns_runs(d)) {
		mailbox_post(&d->mailbox, &o->mail);
		return;
	}
	for (size_t i = 0; i < q->n; i++) {
		q->parts[i].state = DNS_FAILED;
		snprintf(q->parts[i].why, sizeof(q->parts[i].why), "%.150s",
			d->why.text);
	}
	open_post(o);
}

static void
dns_tell(struct dns *d, void (*run)(struct mail *m, void *owner))
{
	struct mail *m = xcalloc(1, sizeof(*m));

	m->run = run;
	mailbox_post(&d->mailbox, m);
}

void
dns_stop(struct dns *d)
{
	if (d->running)
		dns_tell(d, on_stop);
}

void
dns_free(struct dns *d)
{
	if (d->running) {
		dns_tell(d, on_end);
		pthread_join(d->thread, NULL);
	}
	if (d->has_mailbox)
		mailbox_done(&d->mailbox);
	config_unref(d->conf);
	free(d);
}

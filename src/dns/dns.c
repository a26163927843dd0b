/*
 * dns.c - questions to the DNS: the thread between those who ask and libunbound.
 *
 *   dns_ask --> mailbox --> in line (dns_line.c), until there is room
 *                             |
 *                             v
 *                           out: a slot in the library for each part
 *                             |         |               |
 *                             | all     | soon_us,      | too many slots of slow
 *                             | parts   | timeout       | and closed ones
 *                             v         v               v
 *                           answered, its slots      asked again, in a new
 *                           go on alone              context; a slow one: answered
 *
 * All but dns_new() to dns_free() runs on that thread.  Invariant: a question is
 * in line, or in the list of those that are out, until it is posted to its asker,
 * once; a slot that the library has belongs to one part of one that is out, or to
 * nobody.
 *
 * A question that is out is slow after a second: then it takes no room, but of its
 * asker's own, and only slots.  So a few names that are silent, of each of many
 * askers, keep nobody waiting for longer than that.
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
/* One asker has at most such a part of the questions out. */
#define ASKER_PART 4
/* Who has been out for longer takes no room any more. */
#define SLOW_US US_PER_S

static const char silent_text[] =
	"no answer in time: the name servers are silent, or cannot be reached";
static const char full_text[] =
	"too many names are being looked up (dns: questions)";

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
	TAILQ_ENTRY(open) link; /* while it is out, */
	TAILQ_ENTRY(open) next; /* and not slow */
	struct line_item item;
	struct mail mail;
	struct dns *dns;
	struct mailbox *reply;
	struct dns_question *q;
	int64_t until_us; /* in line, then out */
	int64_t slow_us;
	size_t n_waiting; /* parts */
	bool out, slow;
	bool own; /* about the keys: it takes no room, and is asked until its time
		   * is over */
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
	struct line line;
	TAILQ_HEAD(, open) open;  /* those that are out, */
	TAILQ_HEAD(, open) quick; /* and of them, by age, those that are not slow */
	LIST_HEAD(, slot) slots;
	size_t n_slots;
	size_t n_quick; /* parts of those, without an answer */
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

/* It takes no room any more. */
static void
open_slow(struct open *o)
{
	if (o->slow)
		return;
	o->slow = true;
	o->dns->n_quick -= o->n_waiting;
	TAILQ_REMOVE(&o->dns->quick, o, next);
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
	LIST_FOREACH (s, &d->slots, link)
		if (s->open == o)
			s->open = NULL;
	line_leave(&d->line, &o->item);
	if (o->out) {
		open_slow(o);
		TAILQ_REMOVE(&d->open, o, link);
	}
	o->q->trust = d->trust;
	open_post(o);
}

/* One of its parts. */
static void
open_settle(struct open *o)
{
	o->n_waiting--;
	if (!o->slow)
		o->dns->n_quick--;
}

static void
open_answered(struct open *o, const struct dns_part *part)
{
	open_settle(o);
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
	s->dns->n_slots--;
	free(s);
	if (o == NULL) {
		ub_resolve_free(result);
		return;
	}
	if (rc == UB_NOERROR && result != NULL)
		dns_part_answer(part, result);
	else
		dns_part_fail(part, rc);
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
		dns_part_fail(part, rc);
		return false;
	}
	LIST_INSERT_HEAD(&d->slots, s, link);
	d->n_slots++;
	return true;
}

/* Asks for all that has no answer. */
static void
open_start(struct open *o)
{
	for (size_t i = 0; i < o->q->n; i++) {
		struct dns_part *part = &o->q->parts[i];

		if (part->state == DNS_WAITING &&
			!part_start(o->dns, o, part))
			open_settle(o);
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
	d->n_slots = 0;
}

/* Of the question about the keys: on the thread of the DNS itself. */
static void
on_keys(void *arg, struct dns_question *q)
{
	struct dns *d = arg;

	if (!d->stopping)
		d->trust = dns_judge_keys(&d->conf->dns, &q->parts[0]);
	dns_question_free(q);
}

static void dns_begin(struct dns *d, struct open *o);

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
	o->own = true;
	o->reply = &d->mailbox;
	o->q = dns_question_new(1, on_keys, d);
	dns_question_add(o->q, d->anchor, DNS_DNSKEY);
	o->n_waiting = 1;
	dns_begin(d, o);
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
		d->n_slots - d->n_quick);
	for (o = TAILQ_FIRST(&d->open); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (o->slow && !o->own)
			open_close(o, DNS_WAITING, silent_text);
	}
	context_drop(d);
	if (!dns_has_context(d, &err))
		return; /* their time will end */
	for (o = TAILQ_FIRST(&d->open); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		open_start(o);
	}
}

/* It goes out. */
static void
dns_begin(struct dns *d, struct open *o)
{
	int64_t now_us = clock_mono_us(d->clock);
	struct err err = ERR_INIT;

	o->until_us = now_us + d->conf->dns.timeout_us;
	o->slow_us = now_us + SLOW_US;
	o->out = true;
	TAILQ_INSERT_TAIL(&d->open, o, link);
	TAILQ_INSERT_TAIL(&d->quick, o, next);
	d->n_quick += o->n_waiting;
	if (o->own)
		open_slow(o);
	if (!dns_has_context(d, &err))
		open_close(o, DNS_FAILED, err.text);
	else
		open_start(o);
}

/* Those that there is room for. */
static void
dns_go_on(struct dns *d)
{
	size_t max = (size_t)d->conf->dns.questions;
	struct line_item *i;

	while ((i = line_next(&d->line,
			d->n_quick == 0 ? SIZE_MAX :
			d->n_quick < max ? max - d->n_quick : 0)) != NULL) {
		dns_begin(d, CONTAINER_OF(i, struct open, item));
		if (d->n_slots > d->n_quick + DNS_SLOW_MAX * max)
			dns_renew(d);
	}
}

static void
dns_take(struct dns *d, struct open *o)
{
	for (size_t i = 0; i < o->q->n; i++)
		o->n_waiting += o->q->parts[i].state == DNS_WAITING;
	/* who waits for longer is not waited for any more himself */
	o->until_us = clock_mono_us(d->clock) + d->conf->s2s.timeout_us;
	if (d->stopping) {
		open_close(o, DNS_FAILED, "the server stops");
		return;
	}
	line_add(&d->line, &o->item, o->q->asker, o->n_waiting);
	dns_go_on(d);
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
	struct line_item *i;

	d->stopping = true;
	while (!TAILQ_EMPTY(&d->open))
		open_close(TAILQ_FIRST(&d->open), DNS_FAILED,
			"the server stops");
	while ((i = TAILQ_FIRST(&d->line.all)) != NULL)
		open_close(CONTAINER_OF(i, struct open, item), DNS_FAILED,
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

/* That has waited in line for longest; NULL: none waits. */
static struct open *
dns_first_in_line(const struct dns *d)
{
	struct line_item *i = TAILQ_FIRST(&d->line.all);

	return i != NULL ? CONTAINER_OF(i, struct open, item) : NULL;
}

static void
dns_expire(struct dns *d)
{
	int64_t now_us = clock_mono_us(d->clock);
	struct open *o, *next;

	for (o = TAILQ_FIRST(&d->open); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (o->until_us <= now_us)
			open_close(o, DNS_WAITING, silent_text);
	}
	while ((o = TAILQ_FIRST(&d->quick)) != NULL && o->slow_us <= now_us)
		open_slow(o);
	while ((o = dns_first_in_line(d)) != NULL && o->until_us <= now_us)
		open_close(o, DNS_FAILED, full_text);
}

/* Until the first time is over, in ms and rounded up; -1: there is none. */
static int
dns_patience(const struct dns *d)
{
	const struct open *in_line = dns_first_in_line(d), *o;
	int64_t first_us = INT64_MAX, left_us;

	TAILQ_FOREACH (o, &d->open, link)
		first_us = MIN(first_us, o->until_us);
	if (in_line != NULL) {
		first_us = MIN(first_us, in_line->until_us);
		o = TAILQ_FIRST(&d->quick);
		if (o != NULL)
			first_us = MIN(first_us, o->slow_us);
	}
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
		dns_go_on(d);
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
	line_init(&d->line, (size_t)conf->dns.questions / ASKER_PART);
	TAILQ_INIT(&d->open);
	TAILQ_INIT(&d->quick);
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

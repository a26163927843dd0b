/*
 * test_mailbox.c - the queue through which threads hand work to one thread.
 */
#include "config.h"

#include "base/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "test.h"

#define SENDERS 8
#define LETTERS 20000

struct letter {
	struct mail mail;
	unsigned sender;
	unsigned number;
};

/* What the owner has seen; its thread's alone. */
struct reader {
	struct mailbox box;
	unsigned next[SENDERS];
	size_t n;
	bool in_order;
};

static void
run_letter(struct mail *m, void *owner)
{
	struct letter *l = CONTAINER_OF(m, struct letter, mail);
	struct reader *r = owner;

	if (l->number != r->next[l->sender])
		r->in_order = false;
	r->next[l->sender] = l->number + 1;
	r->n++;
	free(l);
}

static void
post_letter(struct reader *r, unsigned sender, unsigned number, uint32_t bytes)
{
	struct letter *l = xmalloc(sizeof(*l));

	*l = (struct letter){
		.mail = { .bytes = bytes, .run = run_letter },
		.sender = sender,
		.number = number,
	};
	mailbox_post(&r->box, &l->mail);
}

static void
reader_init(struct reader *r)
{
	*r = (struct reader){ .in_order = true };
	CHECK(mailbox_init(&r->box, NULL));
}

/* How often the eventfd was written since the mailbox read it last. */
static uint64_t
wakeups(struct reader *r)
{
	uint64_t count = 0;

	if (read(r->box.fd, &count, sizeof(count)) == -1)
		return 0;
	CHECK_INT(write(r->box.fd, &count, sizeof(count)), sizeof(count));
	return count;
}

TEST(mailbox_runs_mails_in_the_order_of_posting)
{
	struct reader r;

	reader_init(&r);
	CHECK_INT(mailbox_drain(&r.box, &r, 10), 0);
	for (unsigned i = 0; i < 5; i++)
		post_letter(&r, 0, i, 1);
	CHECK_INT(mailbox_drain(&r.box, &r, 10), 5);
	CHECK(r.in_order);
	CHECK_INT(r.next[0], 5);
	CHECK_INT(mailbox_drain(&r.box, &r, 10), 0);
	mailbox_done(&r.box);
}

TEST(mailbox_drain_stops_at_its_maximum)
{
	struct reader r;

	reader_init(&r);
	for (unsigned i = 0; i < 5; i++)
		post_letter(&r, 0, i, 1);
	CHECK_INT(mailbox_drain(&r.box, &r, 3), 3);
	CHECK_INT(r.n, 3);
	CHECK_INT(mailbox_drain(&r.box, &r, 3), 2);
	CHECK(r.in_order);
	mailbox_done(&r.box);
}

TEST(mailbox_counts_the_bytes_of_what_waits)
{
	struct reader r;

	reader_init(&r);
	post_letter(&r, 0, 0, 100);
	post_letter(&r, 0, 1, 20);
	CHECK_INT(mailbox_bytes(&r.box), 120);
	mailbox_drain(&r.box, &r, 1);
	CHECK_INT(mailbox_bytes(&r.box), 20);
	mailbox_drain(&r.box, &r, 2);
	CHECK_INT(mailbox_bytes(&r.box), 0);
	mailbox_done(&r.box);
}

TEST(mailbox_remembers_how_full_it_has_been)
{
	struct reader r;

	reader_init(&r);
	CHECK_INT(mailbox_highest(&r.box).mails, 0);
	post_letter(&r, 0, 0, UINT32_MAX);
	mailbox_drain(&r.box, &r, 1);
	for (unsigned i = 1; i < 4; i++)
		post_letter(&r, 0, i, 5);
	CHECK_INT(mailbox_depth(&r.box).mails, 3);
	CHECK_INT(mailbox_depth(&r.box).bytes, 15);
	mailbox_drain(&r.box, &r, 10);
	CHECK_INT(mailbox_depth(&r.box).mails, 0);
	/* each at its own time */
	CHECK_INT(mailbox_highest(&r.box).mails, 3);
	CHECK_INT(mailbox_highest(&r.box).bytes, UINT32_MAX);
	mailbox_done(&r.box);
}

TEST(mailbox_writes_the_eventfd_once_until_it_is_drained)
{
	struct reader r;

	reader_init(&r);
	for (unsigned i = 0; i < 1000; i++)
		post_letter(&r, 0, i, 1);
	CHECK_INT(wakeups(&r), 1);
	CHECK_INT(mailbox_drain(&r.box, &r, 2000), 1000);
	post_letter(&r, 0, 1000, 1);
	CHECK_INT(wakeups(&r), 1);
	CHECK_INT(mailbox_drain(&r.box, &r, 1), 1);
	/* the maximum was reached: the owner comes again, nobody wakes him */
	post_letter(&r, 0, 1001, 1);
	CHECK_INT(wakeups(&r), 1);
	CHECK_INT(mailbox_drain(&r.box, &r, 10), 1);
	mailbox_done(&r.box);
}

TEST(mailbox_leaves_the_eventfd_unreadable_once_it_is_empty)
{
	struct reader r;
	struct pollfd p = { .events = POLLIN };

	reader_init(&r);
	p.fd = r.box.fd;
	post_letter(&r, 0, 0, 1);
	CHECK_INT(poll(&p, 1, 0), 1);
	mailbox_drain(&r.box, &r, 10);
	CHECK_INT(poll(&p, 1, 0), 0);
	mailbox_done(&r.box);
}

TEST(mailbox_of_an_owner_who_stays_awake_writes_no_eventfd)
{
	struct reader r;

	reader_init(&r);
	CHECK_INT(mailbox_run(&r.box, &r, 10), 0);
	post_letter(&r, 0, 0, 1);
	CHECK(!mailbox_rest(&r.box));
	CHECK_INT(mailbox_run(&r.box, &r, 10), 1);
	CHECK_INT(wakeups(&r), 0);
	CHECK(mailbox_rest(&r.box));
	post_letter(&r, 0, 1, 1);
	CHECK_INT(wakeups(&r), 1);
	CHECK_INT(mailbox_run(&r.box, &r, 10), 1);
	CHECK(r.in_order);
	mailbox_done(&r.box);
}

TEST(mailbox_is_woken_once_for_all_that_was_put_in)
{
	struct reader r;
	struct letter *l;

	reader_init(&r);
	for (unsigned i = 0; i < 5; i++) {
		l = xmalloc(sizeof(*l));
		*l = (struct letter){ .mail.run = run_letter, .number = i };
		mailbox_put(&r.box, &l->mail);
	}
	CHECK_INT(wakeups(&r), 0);
	mailbox_wake(&r.box);
	mailbox_wake(&r.box);
	CHECK_INT(wakeups(&r), 1);
	CHECK_INT(mailbox_run(&r.box, &r, 10), 5);
	CHECK(r.in_order);
	mailbox_done(&r.box);
}

static void
run_chain(struct mail *m, void *owner)
{
	struct letter *l = CONTAINER_OF(m, struct letter, mail);
	struct reader *r = owner;

	r->n++;
	if (l->number-- > 0)
		mailbox_post(&r->box, m);
}

TEST(mailbox_takes_a_mail_back_from_its_own_run)
{
	struct reader r;
	struct letter l = {
		.mail = { .bytes = 8, .run = run_chain },
		.number = 9,
	};

	reader_init(&r);
	mailbox_post(&r.box, &l.mail);
	CHECK_INT(mailbox_drain(&r.box, &r, 4), 4);
	CHECK_INT(mailbox_drain(&r.box, &r, 100), 6);
	CHECK_INT(r.n, 10);
	CHECK_INT(mailbox_bytes(&r.box), 0);
	mailbox_done(&r.box);
}

struct sender {
	pthread_t thread;
	struct reader *to;
	unsigned number;
};

static void *
sender_main(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < LETTERS; i++)
		post_letter(s->to, s->number, i, 16);
	return NULL;
}

/* Sleeps on the eventfd, as a shard does: a lost wake-up would hang here. */
static void
read_until(struct reader *r, size_t total, size_t max)
{
	while (r->n < total) {
		struct pollfd p = { .fd = r->box.fd, .events = POLLIN };

		CHECK_INT(poll(&p, 1, 30000), 1);
		while (mailbox_drain(&r->box, r, max) == max)
			;
	}
}

TEST(mailbox_keeps_the_order_of_each_of_many_senders)
{
	static const size_t batches[] = { 1, 7, 1000 };
	struct sender senders[SENDERS];
	struct reader r;
	char label[32];

	for (size_t i = 0; i < COUNT(batches); i++) {
		snprintf(label, sizeof(label), "batches of %zu", batches[i]);
		TEST_CASE(label);
		reader_init(&r);
		for (unsigned k = 0; k < SENDERS; k++) {
			senders[k] = (struct sender){ .to = &r, .number = k };
			CHECK_INT(pthread_create(&senders[k].thread, NULL,
					  sender_main, &senders[k]),
				0);
		}
		read_until(&r, (size_t)SENDERS * LETTERS, batches[i]);
		for (unsigned k = 0; k < SENDERS; k++)
			pthread_join(senders[k].thread, NULL);
		CHECK(r.in_order);
		CHECK_INT(mailbox_bytes(&r.box), 0);
		mailbox_done(&r.box);
	}
}

/* One letter at a time, back and forth: every post meets a sleeping owner. */
struct player {
	struct mailbox box;
	struct player *other;
	unsigned rounds; /* this thread's alone */
	bool over;
};

static void
run_ball(struct mail *m, void *owner)
{
	struct player *p = owner;
	struct letter *l = CONTAINER_OF(m, struct letter, mail);

	p->rounds++;
	p->over = l->number <= 1;
	if (l->number-- > 0)
		mailbox_post(&p->other->box, m);
}

static void *
player_main(void *arg)
{
	struct player *p = arg;

	while (!p->over) {
		struct pollfd wait = { .fd = p->box.fd, .events = POLLIN };

		if (poll(&wait, 1, 30000) != 1)
			break;
		while (mailbox_drain(&p->box, p, 10) == 10)
			;
	}
	return NULL;
}

/* As a shard does it. */
static void *
edge_player_main(void *arg)
{
	struct player *p = arg;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->box.fd, &ev) == -1)
		abort();
	while (!p->over) {
		if (mailbox_rest(&p->box) &&
			epoll_wait(epoll, &ev, 1, 30000) != 1)
			break;
		mailbox_run(&p->box, p, 10);
	}
	close(epoll);
	return NULL;
}

static void
rally(void *(*play)(void *player))
{
	struct player a = { .rounds = 0 }, b = { .rounds = 0 };
	struct letter ball = {
		.mail = { .bytes = 1, .run = run_ball },
		.number = 20000,
	};
	pthread_t thread;

	a.other = &b;
	b.other = &a;
	CHECK(mailbox_init(&a.box, NULL));
	CHECK(mailbox_init(&b.box, NULL));
	CHECK_INT(pthread_create(&thread, NULL, play, &b), 0);
	mailbox_post(&a.box, &ball.mail);
	play(&a);
	pthread_join(thread, NULL);
	CHECK_INT(a.rounds, 10001);
	CHECK_INT(b.rounds, 10000);
	mailbox_done(&a.box);
	mailbox_done(&b.box);
}

TEST(mailbox_wakes_its_owner_for_every_ball_of_a_rally)
{
	rally(player_main);
}

TEST(mailbox_wakes_an_owner_who_is_told_of_edges_for_every_ball)
{
	rally(edge_player_main);
}

TEST_MAIN

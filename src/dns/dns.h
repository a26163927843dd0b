/*
 * dns.h - asks the DNS, by libunbound: a cache, and a thread that waits for
 * answers and mails them to whoever asked.
 *
 *	asker's thread        thread "dns"             libunbound's thread
 *
 *	dns_ask(question) --> its parts ------------->  cache, or name servers
 *	                      | all, or enough, or        |
 *	                      | the time is over          |
 *	done(question)  <---- mailbox  <------------------'
 *
 * Nothing of it exists before it is needed: who asks has a struct dns made, by a
 * configuration that stays what it was.  libunbound takes no other one once it has
 * been asked: who wants one in force makes another struct dns, whose cache is
 * empty.
 *
 * How many names are asked for at once has a bound, and so has how many of them are
 * one asker's; further ones wait in line, those of each asker behind his own, and
 * the askers in turns.  So who asks for names whose name servers are silent waits for
 * himself.  A name that is not answered within a second takes no room from others.
 *
 * How long answers are kept, their TTL says; that there is none, a minute at most.
 * A question that has got no answer in time may go on in the library, where nobody
 * waits for it; when too many do, or are as slow, the library's context is made anew,
 * slow ones are answered as having none, and all others asked again there.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct config;
struct dns;
struct dns_question;
struct mailbox;

/* As the DNS numbers them; there is no list in any header of the system. */
enum dns_type {
	DNS_A = 1,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DNSKEY = 48,
	DNS_TLSA = 52,
	DNS_CAA = 257,
};

enum dns_state {
	DNS_WAITING, /* no answer (yet) */
	DNS_FOUND,
	DNS_NONE,    /* it is sure that there is none */
	DNS_BOGUS,   /* the signatures say that this is forged, or a mistake */
	DNS_FAILED,
};

/* What is known of signatures at all, see `dnssec' in the configuration. */
enum dns_trust {
	DNS_TRUST_UNKNOWN, /* nothing has come yet */
	DNS_TRUST_YES,
	DNS_TRUST_NO,      /* the keys do not come: names count as unsigned */
	DNS_TRUST_OFF,     /* the configuration says so, or there are no keys */
};

#define DNS_NAME_SIZE 256
#define DNS_WHY_SIZE 160

struct dns_part {
	char name[DNS_NAME_SIZE];
	enum dns_type type;
	/* the answer */
	enum dns_state state;
	bool nxdomain; /* NONE: the whole name does not exist */
	bool secure;   /* signed, from the root on: what was found, or that there
			* is nothing */
	uint32_t ttl_s;
	const char *canon; /* the name where CNAMEs have led, as one of a host; NULL:
			    * there are none, or no host can have it */
	char why[DNS_WHY_SIZE]; /* BOGUS, FAILED, WAITING: in words for an
				 * administrator, about this name */
	char *const *data; /* of each record, in the form of the wire; NULL ends */
	const int *size;
	struct ub_result *result; /* which holds those; or NULL */
};

#define DNS_PARTS_MAX 40

/* q, with its answer, is the callee's from now on. */
typedef void (*dns_done_fn)(void *arg, struct dns_question *q);

/* Several names are one question: it is answered when all of them are. */
struct dns_question {
	/* as who asks sets it */
	int64_t soon_us; /* from the first part that was found on, the others get
			  * no more time than that (RFC 8305 §3); 0: as long as
			  * any */
	uint64_t asker;   /* whose it is, as a number; 0: nobody's, which waits
			   * behind no other of his */
	dns_done_fn done;
	void *arg;
	/* the answer */
	enum dns_trust trust;
	size_t n;
	struct dns_part parts[];
};

/* Looks nothing up in the hosts file: what others see. */
#define DNS_AS_OTHERS 1u

/* --- any thread ---------------------------------------------------------------- */

/* Room for n parts (DNS_PARTS_MAX at most). */
struct dns_question *dns_question_new(size_t n, dns_done_fn done, void *arg);
/* name is ASCII, as it stands in the DNS, without the last dot.  One that cannot
 * stand there is answered as FAILED, and asked of nobody. */
void dns_question_add(struct dns_question *q, const char *name,
	enum dns_type type);
/* One that was not asked, or is answered. */
void dns_question_free(struct dns_question *q);

/* The name in the DNS of domain, which is a prepared one: in out, false when it
 * has none, such as an address. */
bool dns_name(const char *domain, char out[DNS_NAME_SIZE]);

/* --- one thread: the owner's ----------------------------------------------------- */

/* conf is referenced.  The thread starts with the first question. */
struct dns *dns_new(struct config *conf, const struct clock *clock,
	unsigned flags);
/* q is taken until q->done is called by whoever drains reply: once, whatever
 * happens, and never before this has returned. */
void dns_ask(struct dns *d, struct mailbox *reply, struct dns_question *q);
/* All that is asked is answered now, as FAILED; also what is asked from here on. */
void dns_stop(struct dns *d);

/* --- any thread ---------------------------------------------------------------- */

/* Nobody asks any more, and what was asked is answered.  Waits for threads. */
void dns_free(struct dns *d);

#endif

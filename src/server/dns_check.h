/*
 * dns_check.h - what others find of a host in the DNS, and at the addresses that
 * stand there.
 *
 * Shard 0.  One at a time: it has a struct dns of its own, which looks at no hosts
 * file and has nothing in its cache, and which goes with it.
 */
#ifndef SERVER_DNS_CHECK_H
#define SERVER_DNS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "net/probe.h"
#include "dns/dns.h"
#include "dns/dns_targets.h"

struct dns_check;
struct err;
struct host;
struct server;

/* Of the question about a domain: what each part is about.  A service has those of
 * servers and its addresses. */
enum check_part {
	CHECK_SERVER_DIRECT,
	CHECK_SERVER,
	CHECK_AAAA,
	CHECK_A,
	CHECK_CLIENT_DIRECT,
	CHECK_CLIENT,
	CHECK_CAA, /* and for each domain above, up to the second label */
};
#define CHECK_SERVICE_PARTS CHECK_CLIENT_DIRECT
#define CHECK_CAA_MAX 4

struct check_domain {
	struct dns_check *check;
	const char *domain;      /* prepared; of the snapshot */
	char name[DNS_NAME_SIZE]; /* in the DNS */
	struct dns_question *answer;
};

/* A target of the host, or the host itself where it has none. */
#define CHECK_HOSTS_MAX 8
struct check_host {
	char name[DNS_NAME_SIZE];
	struct target_addresses addresses;
	size_t part;      /* its addresses, in the answer about hosts */
};

/* One that serves servers, and what TLSA records say of it. */
struct check_tlsa {
	struct target target;
	size_t part; /* in the answer about hosts */
};

struct check_probe {
	struct dns_check *check;
	struct sockaddr_storage address;
	bool direct, server;
	struct probe *probe; /* under way */
	struct probe_found found;
};
#define CHECK_PROBES_MAX 24

struct dns_check {
	struct server *server;
	void (*done)(void *arg, const struct dns_check *c);
	void *arg;
	struct snapshot *snap; /* a reference */
	const struct host *host;
	struct dns *dns;
	bool stopping;
	size_t n_waiting; /* answers, or probes */
	void (*next)(struct dns_check *c); /* when there are none */

	size_t n_domains; /* the host, then its services */
	struct check_domain *domains;
	struct targets clients, servers;
	struct dns_question *hosts_answer;
	size_t n_hosts;
	struct check_host hosts[CHECK_HOSTS_MAX];
	size_t n_tlsa;
	struct check_tlsa tlsa[TARGETS_MAX];
	size_t n_probes;
	struct check_probe probes[CHECK_PROBES_MAX];
	bool has_certificate;
	uint8_t digest[PROBE_DIGEST_SIZE], key_digest[PROBE_DIGEST_SIZE];
};

/* domain (prepared) is one of our hosts.  done is called once, later, with all that
 * was found, borrowed.  False with err: another check is under way, or the domain is
 * an address. */
bool dns_check_start(struct server *srv, struct str domain,
	void (*done)(void *arg, const struct dns_check *c), void *arg,
	struct err *err);
/* The server stops: one that is under way ends now, with what it has. */
void dns_check_stop(struct server *srv);

#endif

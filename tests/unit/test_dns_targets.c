/*
 * test_dns_targets.c - what is to be tried, and in which order.
 */
#include "config.h"

#include "dns/dns_targets.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "dns/dns_records.h"
#include "test.h"

#define RECORDS_MAX 32
#define MANY 4000

/* A part with its records, made by hand. */
struct records {
	unsigned char bytes[RECORDS_MAX][80];
	char *data[RECORDS_MAX + 1];
	int size[RECORDS_MAX];
	size_t n;
};

static void
srv_add(struct records *r, unsigned priority, unsigned weight, unsigned port,
	const char *target)
{
	unsigned char *p = r->bytes[r->n];
	size_t at = 6;

	p[0] = (unsigned char)(priority >> 8);
	p[1] = (unsigned char)priority;
	p[2] = (unsigned char)(weight >> 8);
	p[3] = (unsigned char)weight;
	p[4] = (unsigned char)(port >> 8);
	p[5] = (unsigned char)port;
	if (*target != '\0') {
		p[at++] = (unsigned char)strlen(target);
		memcpy(p + at, target, strlen(target));
		at += strlen(target);
	}
	p[at++] = 0;
	r->data[r->n] = (char *)p;
	r->size[r->n++] = (int)at;
}

static void
address_add_text(struct records *r, int family, const char *text)
{
	unsigned char *p = r->bytes[r->n];

	CHECK(inet_pton(family, text, p) == 1);
	r->data[r->n] = (char *)p;
	r->size[r->n++] = family == AF_INET ? 4 : 16;
}

static void
part_set(struct dns_question *q, size_t i, enum dns_state state,
	const struct records *r)
{
	struct dns_part *part = &q->parts[i];

	part->state = state;
	part->data = r->data;
	part->size = r->size;
	snprintf(part->why, sizeof(part->why), "it is so");
}

struct zone {
	struct records direct, starttls;
	enum dns_state direct_state, starttls_state;
	bool secure; /* what is found, or that there is nothing */
	struct targets out;
};

static void
zone_read(struct zone *z)
{
	struct dns_question *q = dns_question_new(2, NULL, NULL);

	CHECK_INT(targets_ask(q, "example.org", TARGET_SERVER), 0);
	CHECK_STR(str_c(q->parts[0].name), "_xmpps-server._tcp.example.org");
	CHECK_STR(str_c(q->parts[1].name), "_xmpp-server._tcp.example.org");
	part_set(q, 0, z->direct_state, &z->direct);
	part_set(q, 1, z->starttls_state, &z->starttls);
	for (size_t i = 0; i < 2; i++)
		q->parts[i].secure = z->secure &&
			(q->parts[i].state == DNS_FOUND ||
				q->parts[i].state == DNS_NONE);
	targets_read(&z->out, q, 0, "example.org", TARGET_SERVER, &rand_system);
	dns_question_free(q);
}

static struct zone *
zone_new(enum dns_state direct, enum dns_state starttls)
{
	struct zone *z = xcalloc(1, sizeof(*z));

	z->direct_state = direct;
	z->starttls_state = starttls;
	return z;
}

TEST(priorities_go_before_weights_and_both_kinds_of_tls_are_one_list)
{
	struct zone *z = zone_new(DNS_FOUND, DNS_FOUND);

	srv_add(&z->starttls, 30, 0, 5269, "last");
	srv_add(&z->starttls, 10, 5, 5269, "second");
	srv_add(&z->direct, 20, 65535, 443, "third");
	srv_add(&z->direct, 5, 0, 5270, "first");
	zone_read(z);
	CHECK_INT(z->out.state, TARGETS_FOUND);
	CHECK(z->out.srv);
	CHECK_INT(z->out.n, 4);
	CHECK_STR(str_c(z->out.list[0].name), "first");
	CHECK(z->out.list[0].direct);
	CHECK_INT(z->out.list[0].port, 5270);
	CHECK_STR(str_c(z->out.list[1].name), "second");
	CHECK(!z->out.list[1].direct);
	CHECK_STR(str_c(z->out.list[2].name), "third");
	CHECK_STR(str_c(z->out.list[3].name), "last");
	free(z);
}

TEST(weights_are_chances)
{
	unsigned heavy = 0, none = 0;

	for (int i = 0; i < MANY; i++) {
		struct zone *z = zone_new(DNS_NONE, DNS_FOUND);

		srv_add(&z->starttls, 1, 30, 5269, "light");
		srv_add(&z->starttls, 1, 0, 5269, "none");
		srv_add(&z->starttls, 1, 70, 5269, "heavy");
		zone_read(z);
		CHECK_INT(z->out.n, 3);
		heavy += strcmp(z->out.list[0].name, "heavy") == 0;
		none += strcmp(z->out.list[0].name, "none") == 0;
		free(z);
	}
	/* 70 and 1 of 101; nine standard deviations */
	CHECK(heavy > MANY * 69 / 100 - 260 && heavy < MANY * 69 / 100 + 260);
	CHECK(none > 0 && none < MANY * 3 / 100);
}

TEST(equals_are_all_kept_for_any_number_of_records)
{
	for (size_t n = 0; n <= RECORDS_MAX; n++) {
		struct zone *z = zone_new(DNS_NONE, DNS_FOUND);

		for (size_t i = 0; i < n; i++)
			srv_add(&z->starttls, (unsigned)(i % 3), 0, 5269, "a");
		zone_read(z);
		CHECK_INT(z->out.n, MIN(n, TARGETS_MAX));
		for (size_t i = 1; i < z->out.n; i++)
			CHECK(z->out.list[i - 1].priority <=
				z->out.list[i].priority);
		free(z);
	}
}

TEST(without_records_the_domain_itself_is_tried)
{
	struct zone *z = zone_new(DNS_NONE, DNS_NONE);

	zone_read(z);
	CHECK_INT(z->out.state, TARGETS_FOUND);
	CHECK(!z->out.srv);
	CHECK_INT(z->out.n, 1);
	CHECK_STR(str_c(z->out.list[0].name), "example.org");
	CHECK_INT(z->out.list[0].port, 5269);
	CHECK(!z->out.list[0].direct);
	free(z);
}

TEST(a_dot_says_no_and_the_domain_itself_is_not_tried)
{
	struct zone *z = zone_new(DNS_FOUND, DNS_NONE);

	srv_add(&z->direct, 0, 0, 0, "");
	zone_read(z);
	CHECK_INT(z->out.state, TARGETS_NONE);
	CHECK_INT(z->out.n, 0);
	CHECK(strstr(z->out.why, "no such service") != NULL);
	/* no direct TLS, but the other (XEP-0368 §5) */
	z->starttls_state = DNS_FOUND;
	srv_add(&z->starttls, 0, 0, 5269, "xmpp");
	zone_read(z);
	CHECK_INT(z->out.state, TARGETS_FOUND);
	CHECK_INT(z->out.n, 1);
	CHECK(!z->out.list[0].direct);
	free(z);
}

TEST(what_is_not_known_is_not_taken_for_nothing)
{
	static const struct {
		enum dns_state direct, starttls;
		enum targets_state state;
	} rows[] = {
		{ DNS_FAILED, DNS_NONE, TARGETS_FAILED },
		{ DNS_NONE, DNS_WAITING, TARGETS_FAILED },
		{ DNS_BOGUS, DNS_NONE, TARGETS_BOGUS },
		{ DNS_NONE, DNS_BOGUS, TARGETS_BOGUS },
		{ DNS_FOUND, DNS_BOGUS, TARGETS_BOGUS },
		{ DNS_FOUND, DNS_FAILED, TARGETS_FOUND },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct zone *z = zone_new(rows[i].direct, rows[i].starttls);

		if (rows[i].direct == DNS_FOUND)
			srv_add(&z->direct, 0, 0, 5270, "xmpp");
		zone_read(z);
		CHECK_INT(z->out.state, rows[i].state);
		CHECK((z->out.n != 0) == (rows[i].state == TARGETS_FOUND));
		CHECK((z->out.why[0] != '\0') ==
			(rows[i].state != TARGETS_FOUND ||
				rows[i].starttls == DNS_FAILED));
		free(z);
	}
}

/* RFC 7673 §3.1: it may be hidden, but for names that nobody could have. */
TEST(of_a_signed_zone_both_kinds_have_to_be_known)
{
	static const struct {
		enum dns_state direct, starttls;
		bool secure;
		enum targets_state state;
		const char *why;
	} rows[] = {
		{ DNS_FOUND, DNS_FAILED, true, TARGETS_FAILED,
			"_xmpp-server._tcp.example.org: it is so, and" },
		{ DNS_FOUND, DNS_FAILED, false, TARGETS_FOUND,
			"_xmpp-server._tcp.example.org: it is so" },
		{ DNS_WAITING, DNS_FOUND, true, TARGETS_FAILED,
			"_xmpps-server._tcp.example.org: it is so, and" },
		{ DNS_WAITING, DNS_FOUND, false, TARGETS_FOUND,
			"_xmpps-server._tcp.example.org: it is so" },
		{ DNS_FOUND, DNS_NONE, true, TARGETS_FOUND, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct zone *z = zone_new(rows[i].direct, rows[i].starttls);

		z->secure = rows[i].secure;
		srv_add(rows[i].direct == DNS_FOUND ? &z->direct : &z->starttls,
			0, 0, 5270, "xmpp");
		zone_read(z);
		CHECK_INT(z->out.state, rows[i].state);
		CHECK((z->out.n != 0) == (rows[i].state == TARGETS_FOUND));
		CHECK(strncmp(z->out.why, rows[i].why, strlen(rows[i].why)) == 0);
		CHECK((z->out.why[0] == '\0') == (rows[i].why[0] == '\0'));
		free(z);
	}
}

TEST(a_name_that_is_too_long_for_one_kind_hides_nothing)
{
	struct dns_question *q = dns_question_new(2, NULL, NULL);
	struct records starttls = { .n = 0 };
	struct targets out;
	char name[DNS_NAME_SIZE];

	/* "_xmpps-server._tcp." makes it 254 */
	memset(name, 'a', 235);
	name[235] = '\0';
	for (size_t i = 60; i < 235; i += 60)
		name[i] = '.';
	srv_add(&starttls, 0, 0, 5269, "xmpp");
	targets_ask(q, name, TARGET_SERVER);
	CHECK_INT(q->parts[0].state, DNS_FAILED);
	CHECK_INT(q->parts[1].state, DNS_WAITING);
	part_set(q, 1, DNS_FOUND, &starttls);
	q->parts[1].secure = true;
	targets_read(&out, q, 0, name, TARGET_SERVER, &rand_system);
	CHECK_INT(out.state, TARGETS_FOUND);
	CHECK_INT(out.n, 1);
	dns_question_free(q);
}

TEST(records_that_no_host_can_have_are_left_out)
{
	struct zone *z = zone_new(DNS_NONE, DNS_FOUND);

	srv_add(&z->starttls, 0, 0, 5269, "a b");
	srv_add(&z->starttls, 0, 0, 0, "xmpp");
	zone_read(z);
	CHECK_INT(z->out.state, TARGETS_NONE);
	CHECK(strstr(z->out.why, "none that can be used") != NULL);
	free(z);
}

/* "1234": the last number of each. */
static void
check_order(const struct target_addresses *found, const char *want)
{
	char text[DNS_ADDRESS_SIZE];

	CHECK_INT(found->n, strlen(want));
	for (size_t i = 0; i < found->n; i++) {
		dns_address_text(&found->list[i].address, text);
		CHECK_INT(text[strlen(text) - 1], want[i]);
	}
}

TEST(addresses_of_both_families_take_turns)
{
	struct target t[] = { { .name = "a.example", .port = 5269 },
		{ .name = "b.example", .port = 5270 } };
	struct records v6 = { .n = 0 }, v4 = { .n = 0 }, other = { .n = 0 };
	struct dns_question *q = dns_question_new(4, NULL, NULL);
	struct target_addresses found;

	address_add_text(&v6, AF_INET6, "2001:db8::1");
	address_add_text(&v6, AF_INET6, "2001:db8::2");
	address_add_text(&v4, AF_INET, "192.0.2.7");
	address_add_text(&other, AF_INET, "192.0.2.9");
	addresses_ask(q, t, 2);
	part_set(q, 0, DNS_FOUND, &v6);
	part_set(q, 1, DNS_FOUND, &v4);
	part_set(q, 2, DNS_NONE, &v6);
	part_set(q, 3, DNS_FOUND, &other);
	addresses_read(&found, q, 0, t, 2);
	check_order(&found, "1729");
	CHECK_INT(found.list[3].target, 1);
	CHECK_INT(ntohs(((struct sockaddr_in *)(void *)&found.list[3].address)
				  ->sin_port),
		5270);
	/* of one family alone */
	part_set(q, 0, DNS_NONE, &v6);
	part_set(q, 3, DNS_WAITING, &other);
	addresses_read(&found, q, 0, t, 2);
	check_order(&found, "7");
	part_set(q, 1, DNS_FAILED, &v4);
	addresses_read(&found, q, 0, t, 2);
	CHECK_INT(found.n, 0);
	CHECK_STR(str_c(found.why), "a.example: it is so");
	/* RFC 7673 §3.2: a forged one, and nobody is to be connected to there */
	part_set(q, 0, DNS_FOUND, &v6);
	part_set(q, 1, DNS_BOGUS, &v4);
	part_set(q, 3, DNS_FOUND, &other);
	addresses_read(&found, q, 0, t, 2);
	check_order(&found, "9");
	CHECK_INT(found.list[0].target, 1);
	dns_question_free(q);
}

/* RFC 7671 §7: every step of the way is signed, or none counts. */
TEST(a_target_is_expanded_where_the_whole_way_is_signed)
{
	static const struct {
		enum dns_state state;
		bool secure;
		const char *canon, *base;
	} rows[] = {
		{ DNS_FOUND, true, "end.example", "end.example" },
		{ DNS_FOUND, true, NULL, "" },
		{ DNS_FOUND, false, "end.example", "" },
		{ DNS_NONE, true, "end.example", "" },
		{ DNS_BOGUS, false, "end.example", "" },
	};

	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct dns_question *q = dns_question_new(4, NULL, NULL);
		struct target t[2] = { { .name = "other" }, { .name = "xmpp" } };
		/* by either of its families */
		struct dns_part *part = &q->parts[2 + i / COUNT(rows)];
		size_t row = i % COUNT(rows);

		addresses_ask(q, t, 2);
		part->state = rows[row].state;
		part->secure = rows[row].secure;
		part->canon = rows[row].canon;
		targets_expand(t, 2, q, 0);
		CHECK_CSTR(t[0].base, "");
		CHECK_CSTR(t[1].base, rows[row].base);
		dns_question_free(q);
	}
}

TEST(a_zone_cannot_make_us_try_more_than_some_addresses)
{
	struct target t[TARGETS_MAX];
	struct dns_question *q = dns_question_new(DNS_PARTS_MAX, NULL, NULL);
	struct records v4[TARGETS_MAX] = { { .n = 0 } };
	struct target_addresses found;

	for (unsigned i = 0; i < TARGETS_MAX; i++) {
		t[i] = (struct target){ .name = "a.example", .port = 5269 };
		for (unsigned k = 0; k < RECORDS_MAX; k++) {
			char text[DNS_ADDRESS_SIZE];

			snprintf(text, sizeof(text), "192.0.%u.%u", i, k);
			address_add_text(&v4[i], AF_INET, text);
		}
	}
	addresses_ask(q, t, TARGETS_MAX);
	for (unsigned i = 0; i < TARGETS_MAX; i++) {
		part_set(q, 2 * i, DNS_NONE, &v4[i]);
		part_set(q, 2 * i + 1, DNS_FOUND, &v4[i]);
	}
	addresses_read(&found, q, 0, t, 1);
	CHECK_INT(found.n, TARGET_ADDRESSES_MAX);
	addresses_read(&found, q, 0, t, TARGETS_MAX);
	CHECK_INT(found.n, ADDRESSES_MAX);
	/* the same one is tried once */
	part_set(q, 3, DNS_FOUND, &v4[0]);
	addresses_read(&found, q, 0, t, 2);
	CHECK_INT(found.n, TARGET_ADDRESSES_MAX);
	dns_question_free(q);
}

TEST(private_addresses_are_known)
{
	static const struct {
		int family;
		const char *text;
		bool is_public;
	} rows[] = {
		{ AF_INET, "127.0.0.1", false },
		{ AF_INET, "10.255.0.1", false },
		{ AF_INET, "11.0.0.1", true },
		{ AF_INET, "100.64.0.1", false },
		{ AF_INET, "100.128.0.1", true },
		{ AF_INET, "172.31.255.255", false },
		{ AF_INET, "172.32.0.0", true },
		{ AF_INET, "192.168.1.1", false },
		{ AF_INET, "224.0.0.1", false },
		{ AF_INET, "192.0.2.1", true },
		{ AF_INET6, "::1", false },
		{ AF_INET6, "::ffff:192.0.2.1", false },
		{ AF_INET6, "fe80::1", false },
		{ AF_INET6, "fd00::1", false },
		{ AF_INET6, "2001:db8::1", true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sockaddr_storage address;
		unsigned char bytes[16];
		bool v4 = rows[i].family == AF_INET;

		CHECK(inet_pton(rows[i].family, rows[i].text, bytes) == 1);
		CHECK(dns_address_read(v4 ? DNS_A : DNS_AAAA, bytes,
			v4 ? 4 : 16, 0, &address));
		CHECK(dns_address_is_public(&address) == rows[i].is_public);
	}
}

TEST_MAIN

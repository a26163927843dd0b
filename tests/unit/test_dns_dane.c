/*
 * test_dns_dane.c - which targets are asked about, and what becomes of the answers.
 */
#include "config.h"

#include "dns/dns_dane.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/tls_dane.h"
#include "dns/dns_records.h"
#include "test.h"

/* Of a part: one record. */
struct record {
	char *data[2];
	int size[2];
};

static void
part_set(struct dns_part *part, enum dns_state state, bool secure,
	const struct record *r)
{
	part->state = state;
	part->secure = secure;
	part->data = r->data;
	part->size = r->size;
	snprintf(part->why, sizeof(part->why), "it is so");
}

static struct target
target_of(const char *name, bool secure, bool itself)
{
	struct target t = { .port = 5269, .secure = secure, .itself = itself };

	snprintf(t.name, sizeof(t.name), "%s", name);
	return t;
}

/* --- who is asked about ---------------------------------------------------------- */

/* RFC 7673 §3.1, §3.2 */
TEST(where_the_way_is_not_signed_nothing_is_asked)
{
	static const struct {
		bool secure, itself, address_secure;
		bool asked, named; /* its name counts in certificates */
	} rows[] = {
		{ false, false, false, false, false },
		{ false, false, true, false, false },
		{ true, false, false, false, true },
		{ true, false, true, true, true },
		{ false, true, false, false, false },
		{ false, true, true, true, true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct target t = target_of("xmpp.a.example", rows[i].secure,
			rows[i].itself);
		struct target_addresses a = { .n = 1,
			.list = { { .secure = rows[i].address_secure } } };
		struct dns_question *q = dns_question_new(1, NULL, NULL);
		static const struct record none;
		struct dane d;

		CHECK_INT(dane_ask(q, &t, 1, &a), rows[i].asked);
		if (rows[i].asked) {
			CHECK_CSTR(q->parts[0].name,
				"_5269._tcp.xmpp.a.example");
			CHECK_INT(q->parts[0].type, DNS_TLSA);
			part_set(&q->parts[0], DNS_NONE, true, &none);
		}
		dane_read(&d, q, &t, 1, &a);
		CHECK_INT(d.state, rows[i].asked ? DANE_NONE : DANE_UNSIGNED);
		CHECK((d.records != NULL) == rows[i].named);
		tls_dane_unref(d.records);
		dns_question_free(q);
	}
}

TEST(each_target_has_its_own_answer)
{
	const struct target t[] = {
		target_of("a.example", true, false),
		target_of("b.example", true, false),
		target_of("c.example", false, false),
		target_of("d.example", true, false),
	};
	/* of the second no address is signed */
	const struct target_addresses a = { .n = 5,
		.list = {
			{ .target = 0, .secure = true },
			{ .target = 0, .secure = false },
			{ .target = 1, .secure = false },
			{ .target = 2, .secure = true },
			{ .target = 3, .secure = true },
		} };
	struct record first = { { (char[]){ 3, 1, 1, 7 } }, { 4 } };
	struct record last = { { (char[]){ 2, 0, 0, 7, 7 } }, { 5 } };
	struct dns_question *q = dns_question_new(4, NULL, NULL);
	struct dane d[COUNT(t)];

	CHECK_INT(dane_ask(q, t, COUNT(t), &a), 2);
	part_set(&q->parts[0], DNS_FOUND, true, &first);
	part_set(&q->parts[1], DNS_FOUND, true, &last);
	dane_read(d, q, t, COUNT(t), &a);
	CHECK_INT(d[0].state, DANE_FOUND);
	CHECK_CSTR(tls_dane_at(d[0].records), "_5269._tcp.a.example");
	CHECK_INT(tls_dane_count(d[0].records), 1);
	CHECK_INT(d[1].state, DANE_UNSIGNED);
	CHECK_INT(tls_dane_count(d[1].records), 0);
	CHECK(d[2].records == NULL);
	CHECK_INT(d[3].state, DANE_FOUND);
	CHECK_CSTR(tls_dane_target(d[3].records), "d.example");
	for (size_t i = 0; i < COUNT(t); i++)
		tls_dane_unref(d[i].records);
	dns_question_free(q);
}

/* Who has come is not connected to. */
TEST(addresses_do_not_matter_for_those_that_come)
{
	const struct target t[] = { target_of("a.example", true, false),
		target_of("b.example", false, false),
		target_of("c.example", false, true) };
	struct dns_question *q = dns_question_new(3, NULL, NULL);

	CHECK_INT(dane_ask(q, t, COUNT(t), NULL), 2);
	dns_question_free(q);
}

/* RFC 7671 §7: first where CNAMEs have led, then at the name itself. */
TEST(a_signed_alias_has_records_at_its_end_or_at_its_name)
{
	static const struct {
		enum dns_state at_end, at_name;
		bool secure; /* at the end */
		enum dane_state is;
		const char *at, *also;
		size_t n;
	} rows[] = {
		{ DNS_FOUND, DNS_FOUND, true, DANE_FOUND,
			"_5269._tcp.end.b.example", "xmpp.a.example", 1 },
		{ DNS_FOUND, DNS_BOGUS, true, DANE_FOUND,
			"_5269._tcp.end.b.example", "xmpp.a.example", 1 },
		{ DNS_NONE, DNS_FOUND, true, DANE_FOUND,
			"_5269._tcp.xmpp.a.example", "", 1 },
		{ DNS_FOUND, DNS_FOUND, false, DANE_FOUND,
			"_5269._tcp.xmpp.a.example", "", 1 },
		{ DNS_BOGUS, DNS_FOUND, false, DANE_BOGUS,
			"_5269._tcp.end.b.example", "xmpp.a.example", 0 },
		{ DNS_FAILED, DNS_FOUND, false, DANE_FAILED,
			"_5269._tcp.end.b.example", "xmpp.a.example", 0 },
		{ DNS_NONE, DNS_BOGUS, true, DANE_BOGUS,
			"_5269._tcp.xmpp.a.example", "", 0 },
		/* a name without records counts only where SRV has it */
		{ DNS_NONE, DNS_NONE, true, DANE_NONE,
			"_5269._tcp.xmpp.a.example", "", 0 },
	};
	struct record r = { { (char[]){ 3, 1, 1, 7 } }, { 4 } };
	struct target t = target_of("xmpp.a.example", true, false);
	const struct target_addresses a = { .n = 1,
		.list = { { .secure = true } } };

	snprintf(t.base, sizeof(t.base), "end.b.example");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_question *q =
			dns_question_new(DANE_PARTS_MAX, NULL, NULL);
		struct dane d;

		CHECK_INT(dane_ask(q, &t, 1, &a), 2);
		part_set(&q->parts[0], rows[i].at_end, rows[i].secure, &r);
		part_set(&q->parts[1], rows[i].at_name, true, &r);
		dane_read(&d, q, &t, 1, &a);
		CHECK_INT(d.state, rows[i].is);
		CHECK_CSTR(tls_dane_at(d.records), rows[i].at);
		CHECK_CSTR(tls_dane_also(d.records), rows[i].also);
		CHECK_INT(tls_dane_count(d.records), rows[i].n);
		tls_dane_unref(d.records);
		dns_question_free(q);
	}
}

/* Answers of several targets, some of which have two. */
TEST(what_is_behind_an_alias_keeps_its_answer)
{
	struct target t[] = { target_of("a.example", true, false),
		target_of("b.example", true, false) };
	struct record first = { { (char[]){ 3, 1, 1, 7 } }, { 4 } };
	struct record second = { { (char[]){ 2, 0, 0, 7, 7 } }, { 5 } };
	struct dns_question *q = dns_question_new(4, NULL, NULL);
	struct dane d[COUNT(t)];

	snprintf(t[0].base, sizeof(t[0].base), "end.example");
	CHECK_INT(dane_ask(q, t, COUNT(t), NULL), 3);
	part_set(&q->parts[0], DNS_FOUND, true, &first);
	part_set(&q->parts[1], DNS_NONE, true, &first);
	part_set(&q->parts[2], DNS_FOUND, true, &second);
	dane_read(d, q, t, COUNT(t), NULL);
	CHECK_CSTR(tls_dane_at(d[0].records), "_5269._tcp.end.example");
	CHECK_CSTR(tls_dane_at(d[1].records), "_5269._tcp.b.example");
	CHECK_INT(d[1].state, DANE_FOUND);
	for (size_t i = 0; i < COUNT(t); i++)
		tls_dane_unref(d[i].records);
	dns_question_free(q);
}

TEST(a_name_that_would_be_too_long_has_no_record)
{
	struct target t = { .port = 5269, .secure = true };
	struct dns_question *q = dns_question_new(2, NULL, NULL);
	struct dane d;

	memset(t.name, 'a', 242);
	for (size_t i = 60; i < 240; i += 60)
		t.name[i] = '.';
	CHECK_INT(dane_ask(q, &t, 1, NULL), 0);
	dane_read(&d, NULL, &t, 1, NULL);
	CHECK_INT(d.state, DANE_UNSIGNED);
	tls_dane_unref(d.records);
	t.name[241] = '\0';
	CHECK_INT(dane_ask(q, &t, 1, NULL), 1);
	CHECK_INT(q->parts[0].state, DNS_WAITING);
	dns_question_free(q);
}

/* --- answers ------------------------------------------------------------------------ */

/* RFC 7673 §3.4, RFC 6698 §4.1 */
TEST(what_is_not_signed_says_nothing_and_what_is_not_known_is_not_taken_for_it)
{
	static const struct {
		enum dns_state state;
		bool secure;
		enum dane_state is;
		size_t n;
	} rows[] = {
		{ DNS_FOUND, true, DANE_FOUND, 1 },
		{ DNS_FOUND, false, DANE_UNSIGNED, 0 },
		{ DNS_NONE, true, DANE_NONE, 0 },
		{ DNS_NONE, false, DANE_UNSIGNED, 0 },
		{ DNS_BOGUS, false, DANE_BOGUS, 0 },
		{ DNS_FAILED, false, DANE_FAILED, 0 },
		{ DNS_WAITING, false, DANE_FAILED, 0 },
	};
	struct record r = { { (char[]){ 3, 1, 1, 7 } }, { 4 } };
	struct target t = target_of("a.example", true, false);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_question *q = dns_question_new(1, NULL, NULL);
		struct dane d;

		dane_ask(q, &t, 1, NULL);
		part_set(&q->parts[0], rows[i].state, rows[i].secure, &r);
		dane_read(&d, q, &t, 1, NULL);
		CHECK_INT(d.state, rows[i].is);
		CHECK_INT(tls_dane_count(d.records), rows[i].n);
		if (d.state == DANE_BOGUS || d.state == DANE_FAILED)
			CHECK_CSTR(d.why, "_5269._tcp.a.example: it is so");
		tls_dane_unref(d.records);
		dns_question_free(q);
	}
}

/* --- records ------------------------------------------------------------------------ */

TEST(records_of_any_length)
{
	static char bytes[65535];
	static const struct {
		int n;
		size_t count;
	} rows[] = {
		{ 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 1 }, { 35, 1 },
		{ TLS_DANE_BYTES_MAX - 2, 1 }, { TLS_DANE_BYTES_MAX - 1, 0 },
		{ 65535, 0 },
	};
	struct target t = target_of("a.example", true, false);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct record r = { { bytes }, { rows[i].n } };
		struct dns_question *q = dns_question_new(1, NULL, NULL);
		struct dane d;

		dane_ask(q, &t, 1, NULL);
		part_set(&q->parts[0], DNS_FOUND, true, &r);
		dane_read(&d, q, &t, 1, NULL);
		CHECK_INT(d.state, DANE_FOUND);
		CHECK_INT(tls_dane_count(d.records), rows[i].count);
		tls_dane_unref(d.records);
		dns_question_free(q);
	}
}

TEST_MAIN

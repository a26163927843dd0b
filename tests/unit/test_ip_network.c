/*
 * test_ip_network.c - networks of IP, and which addresses are in them.
 */
#include "config.h"

#include "net/ip_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "test.h"

static const struct {
	const char *network;
	const char *inside, *outside; /* NULL: it is no network */
} cases[] = {
	{ "192.0.2.1", "192.0.2.1", "192.0.2.2" },
	{ "192.0.2.1/32", "192.0.2.1", "192.0.2.0" },
	{ "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
	{ "192.0.2.128/25", "192.0.2.128", "192.0.2.127" },
	{ "127.0.0.0/8", "127.255.0.1", "128.0.0.1" },
	{ "172.16.0.0/12", "172.31.9.9", "172.32.0.0" },
	{ "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
	{ "::1", "::1", "::2" },
	{ "::/0", "2001:db8::1", "192.0.2.1" },
	{ "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
	{ "2001:DB8:8000::/33", "2001:db8:8000::1", "2001:db8:7fff::1" },
	{ "2001:db8::1/128", "2001:db8::1", "2001:db8::" },
	/* an address of IPv4, however it is written */
	{ "192.0.2.0/24", "::ffff:192.0.2.7", "::192.0.2.7" },
	{ "::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9" },
	{ "::ffff:0.0.0.0/96", "192.0.2.9", "::1" },
	{ "192.0.2.1/24", NULL, NULL },
	{ "2001:db8::1/32", NULL, NULL },
	{ "::ffff:0.0.0.0/95", NULL, NULL },
	{ "192.0.2.0/33", NULL, NULL },
	{ "::/129", NULL, NULL },
	{ "192.0.2.0/", NULL, NULL },
	{ "192.0.2.0/-1", NULL, NULL },
	{ "192.0.2.0/024", NULL, NULL },
	{ "192.0.2.0/24/8", NULL, NULL },
	{ "192.0.2.0/24 ", NULL, NULL },
	{ "192.0.2.0/0x18", NULL, NULL },
	{ "192.0.2/24", NULL, NULL },
	{ "[::1]", NULL, NULL },
	{ "[::1]/128", NULL, NULL },
	{ "::1%lo", NULL, NULL },
	{ "localhost", NULL, NULL },
	{ "/8", NULL, NULL },
	{ "", NULL, NULL },
};

static bool
is_in(const char *address, const struct ip_network *net)
{
	struct ip ip = { .n = 0 };

	CHECK(ip_read(str_c(address), &ip));
	return ip_network_has(net, &ip);
}

TEST(a_network_has_what_begins_as_it_does)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ip_network net;
		bool ok = ip_network_read(str_c(cases[i].network), &net);

		TEST_CASE(cases[i].network);
		CHECK_INT(ok, cases[i].inside != NULL);
		if (!ok)
			continue;
		CHECK(is_in(cases[i].inside, &net));
		CHECK(!is_in(cases[i].outside, &net));
	}
}

TEST(who_has_no_address_is_in_no_network)
{
	struct sockaddr_storage file = { .ss_family = AF_UNIX };
	struct ip none = ip_of_sockaddr((struct sockaddr *)&file, sizeof(file));
	struct ip_network all;

	CHECK_INT(none.n, 0);
	CHECK(ip_network_read(STR("0.0.0.0/0"), &all));
	CHECK(!ip_network_has(&all, &none));
	CHECK_INT(ip_of_sockaddr(NULL, 0).n, 0);
}

TEST(an_address_of_the_system_is_read)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(5222) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(443) };
	struct ip ip, same;

	inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	ip = ip_of_sockaddr((struct sockaddr *)&in, sizeof(in));
	same = ip_of_sockaddr((struct sockaddr *)&in6, sizeof(in6));
	CHECK_INT(ip.n, 4);
	CHECK_INT(same.n, 4);
	CHECK(memcmp(ip.bytes, same.bytes, 4) == 0);
	CHECK_INT(ip_port_of_sockaddr((struct sockaddr *)&in), 5222);
	CHECK_INT(ip_port_of_sockaddr((struct sockaddr *)&in6), 443);
	CHECK_INT(ip_of_sockaddr((struct sockaddr *)&in6, sizeof(in)).n, 0);
}

TEST_MAIN

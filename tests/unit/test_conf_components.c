/*
 * test_conf_components.c - `components', and the port that they get.
 */
#include "config.h"

#include "conf/conf.h"

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_error.h"

#include "test.h"

#define HOSTS "hosts: { example.org: {}, sub.example.org: {} }\n"

struct echo_conf {
	const char *domain;
};

static const struct option echo_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .dflt = "echo",
		.service = true, .off = offsetof(struct echo_conf, domain),
		.help = "its domain" },
	{ .name = NULL },
};

static bool
module_find(void *arg, const char *name, const struct option **options_out,
	size_t *conf_size_out)
{
	(void)arg;
	*options_out = echo_options;
	*conf_size_out = sizeof(struct echo_conf);
	return strcmp(name, "echo") == 0;
}

static const struct listen_kind kinds[] = {
	{ .name = "c2s", .tls_modes = 7,
		.ports = { [LISTEN_STARTTLS] = 5222, [LISTEN_DIRECT] = 5223 } },
	{ .name = "component", .tls_modes = LISTEN_MAY(LISTEN_PLAIN),
		.tls = LISTEN_PLAIN, .ports = { [LISTEN_PLAIN] = 5347 },
		.address = "127.0.0.1" },
	{ .name = NULL },
};

static const struct config_modules modules = {
	.find = module_find,
	.kinds = kinds,
};

static struct config *
parse(const char *text, struct conf_errors *m)
{
	conf_errors_init(m);
	return config_parse("antiphond.yml", str_c(text), &modules, m);
}

static struct config *
parsed(const char *text)
{
	struct conf_errors m;
	struct config *c = parse(text, &m);

	CHECK_CSTR(m.n_kept > 0 ? m.texts[0] : NULL, NULL);
	CHECK(c != NULL);
	conf_errors_done(&m);
	return c;
}

TEST(a_component_needs_a_secret_and_no_more)
{
	struct config *c = parsed(HOSTS
		"components: { IRC.Example.org: { secret: s } }\n");
	const struct config_component *irc = &c->components[0];

	CHECK_INT(c->n_components, 1);
	CHECK_CSTR(irc->domain, "irc.example.org");
	CHECK_CSTR(irc->secret, "s");
	CHECK_INT(irc->conflict, COMPONENT_REPLACE);
	CHECK_INT(irc->queue_bytes, 0);
	CHECK(irc->disco && !irc->subdomains);
	config_unref(c);
	c = parsed(HOSTS "components:\n");
	CHECK_INT(c->n_components, 0);
	CHECK_INT(c->n_listen, 4);
	config_unref(c);
}

/* XEP-0030 §4: the nearest above. */
TEST(it_is_an_item_of_the_host_above)
{
	static const char *const above[] = { "example.org", "sub.example.org",
		"sub.example.org", NULL, NULL };
	struct config *c = parsed(HOSTS "components:\n"
		"  irc.example.org: { secret: s }\n"
		"  irc.sub.example.org: { secret: s }\n"
		"  a.b.sub.example.org: { secret: s }\n"
		"  example.com: { secret: s }\n"
		"  myexample.org: { secret: s }\n");

	CHECK_INT(c->n_components, COUNT(above));
	for (size_t i = 0; i < COUNT(above); i++)
		CHECK_CSTR(c->components[i].host, above[i]);
	config_unref(c);
}

TEST(their_port_is_of_this_machine_unless_told_otherwise)
{
	static const struct {
		const char *listen;
		size_t n, at;
		const char *address;
		int64_t port;
	} cases[] = {
		{ "", 5, 4, "127.0.0.1", 5347 },
		{ "listen: [ { port: 7 } ]\n", 2, 1, "127.0.0.1", 5347 },
		{ "listen: [ { kind: component } ]\n", 1, 0, "127.0.0.1",
			5347 },
		{ "listen: [ { kind: component, address: \"::1\" }, {} ]\n", 2,
			0, "::1", 5347 },
		{ "listen: [ { port: 5347, address: \"::1\" } ]\n", 2,
			1, "127.0.0.1", 5347 },
		{ "listen: [ { port: 5347 }, { kind: component, port: 1 } ]\n",
			2, 1, "127.0.0.1", 1 },
		{ "listen: [ { kind: component, port: 0 } ]\n", 1, 0,
			"127.0.0.1", 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf text = BUF_INIT;
		const struct config_listen *l;
		struct config *c;

		TEST_CASE(cases[i].listen);
		buf_printf(&text, HOSTS "%scomponents: { c.example: { secret: s } }\n",
			cases[i].listen);
		c = parsed(buf_c(&text));
		CHECK_INT(c->n_listen, cases[i].n);
		l = &c->listen[cases[i].at];
		CHECK_CSTR(l->kind, "component");
		CHECK_CSTR(l->address, cases[i].address);
		CHECK_INT(l->port, cases[i].port);
		CHECK_INT(l->tls, LISTEN_PLAIN);
		config_unref(c);
		buf_done(&text);
	}
}

TEST(a_mistake_names_place_and_remedy)
{
	static const struct {
		const char *text, *mistake;
	} wrong[] = {
		{ HOSTS "components: [ irc ]\n",
			"antiphond.yml:2: components: expected a map of at most 1000 domains, such as { irc.example.org: { secret: ... } }" },
		{ HOSTS "components:\n  example.org: { secret: s }\n",
			"antiphond.yml:3: components: example.org is one of the hosts; a component has a domain of its own, such as irc.example.org" },
		{ HOSTS "modules: { echo: yes }\n"
		  "components:\n  Echo.example.org: { secret: s }\n",
			"antiphond.yml:4: components: echo.example.org is the domain of a service, that of echo at example.org" },
		{ HOSTS "components:\n  a.example: { secret: s }\n"
		  "  A.example: { secret: s }\n",
			"antiphond.yml:4: components: a.example is given twice; the other one is in antiphond.yml:3" },
		{ HOSTS "components:\n  -: { secret: s }\n", NULL },
		{ HOSTS "components:\n  a.example: {}\n", NULL },
		{ HOSTS "components:\n  a.example: { secret: \"\" }\n",
			"antiphond.yml:3: components: a.example: secret: it is empty" },
		{ HOSTS "components:\n  a.example:\n    secret: s\n"
		  "    conflct: share\n",
			"antiphond.yml:5: components: a.example: unknown option \"conflct\"; did you mean \"conflict\"?" },
		{ HOSTS "components:\n  a.example:\n    secret: s\n"
		  "    conflict: kill\n",
			"antiphond.yml:5: components: a.example: conflict: found \"kill\", expected one of: replace, refuse, share" },
		{ HOSTS "listen: [ { kind: component, tls: direct } ]\n",
			"antiphond.yml:2: listen: tls: direct is nothing for ports of kind component, expected one of: none" },
		{ HOSTS "components: { c.example: { secret: s } }\n"
		  "listen:\n  - {}\n  - port: 5347\n",
			"antiphond.yml:5: listen: port 5347 of address * is that of components, which is 127.0.0.1:5347 unless an entry of kind component names another one" },
		{ HOSTS "components: { c.example: { secret: s } }\n"
		  "listen:\n  - kind: component\n  - port: 5347\n",
			"antiphond.yml:5: listen: port 5347 of address * is given already, for address 127.0.0.1 in antiphond.yml:4" },
		{ HOSTS "component: {}\n",
			"antiphond.yml:2: unknown option \"component\"; did you mean \"components\"?" },
	};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct conf_errors m;

		TEST_CASE(wrong[i].text);
		CHECK(parse(wrong[i].text, &m) == NULL);
		CHECK_INT(m.n, 1);
		if (wrong[i].mistake != NULL)
			CHECK_CSTR(m.texts[0], wrong[i].mistake);
		conf_errors_done(&m);
	}
}

TEST(a_secret_is_not_shown)
{
	struct config *c = parsed(HOSTS
		"components: { irc.example.org: { secret: abracadabra } }\n");
	struct buf out = BUF_INIT;

	config_show(c, &out);
	CHECK(strstr(buf_c(&out), "irc.example.org") != NULL);
	CHECK(strstr(buf_c(&out), "abracadabra") == NULL);
	buf_done(&out);
	config_unref(c);
}

TEST_MAIN

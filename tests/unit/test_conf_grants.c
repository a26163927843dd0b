/*
 * test_conf_grants.c - what `components' grants: at which hosts, and what no
 * component can have.
 */
#include "config.h"

#include "conf/conf.h"

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_error.h"

#include "test.h"

#define HOSTS                                                                  \
	"modules: { privilege: yes, delegation: yes }\n"                       \
	"hosts: { example.org: {}, example.net: { modules: { privilege: no } } }\n"
#define MAM "urn:xmpp:mam:2"
#define PUBSUB "http://jabber.org/protocol/pubsub"

static bool
module_find(void *arg, const char *name, const struct option **options_out,
	size_t *conf_size_out)
{
	(void)arg;
	*options_out = NULL;
	*conf_size_out = 0;
	return strcmp(name, "privilege") == 0 || strcmp(name, "delegation") == 0;
}

static const struct config_modules modules = { .find = module_find };

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

TEST(nothing_is_granted_unless_it_is_written)
{
	struct config *c = parsed(HOSTS "components: { a.example.org: { secret: s } }\n");
	const struct config_component *a = &c->components[0];

	CHECK_INT(a->roster, ACCESS_NONE);
	CHECK_INT(a->message, MESSAGES_NONE);
	CHECK_INT(a->presence, PRESENCE_HIDDEN);
	CHECK_INT(a->iq_get.n + a->iq_set.n + a->delegate.n, 0);
	CHECK_INT(c->n_delegations, 0);
	CHECK(!config_component_asks(a, ACCESS_GET, STR(MAM)));
	CHECK(config_delegation(c, STR("example.org"), STR(MAM)) == NULL);
	config_unref(c);
}

TEST(it_is_granted_at_the_host_above_at_all_or_at_those_named)
{
	static const struct {
		const char *options;
		bool org, net;
	} cases[] = {
		{ "a.example.org: { secret: s }", true, false },
		{ "a.example: { secret: s }", true, true },
		{ "a.example.org: { secret: s, hosts: [ example.net ] }", false,
			true },
		{ "a.example: { secret: s, hosts: [ EXAMPLE.net, example.org ] }",
			true, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf text = BUF_INIT;
		struct config *c;

		TEST_CASE(cases[i].options);
		buf_printf(&text, HOSTS "components: { %s }\n",
			cases[i].options);
		c = parsed(buf_c(&text));
		CHECK_INT(config_component_is_at(&c->components[0],
				  STR("example.org")),
			cases[i].org);
		CHECK_INT(config_component_is_at(&c->components[0],
				  STR("example.net")),
			cases[i].net);
		config_unref(c);
		buf_done(&text);
	}
}

TEST(namespaces_are_granted_by_type)
{
	struct config *c = parsed(HOSTS
		"components: { a.example.org: { secret: s, iq_get: [ a, b ], iq_set: [ b ] } }\n");
	const struct config_component *a = &c->components[0];

	CHECK(config_component_asks(a, ACCESS_GET, STR("a")));
	CHECK(!config_component_asks(a, ACCESS_SET, STR("a")));
	CHECK(config_component_asks(a, ACCESS_GET, STR("b")));
	CHECK(config_component_asks(a, ACCESS_SET, STR("b")));
	CHECK(!config_component_asks(a, ACCESS_GET, STR("c")));
	config_unref(c);
}

TEST(a_namespace_is_delegated_with_its_attributes)
{
	struct config *c = parsed(HOSTS "components:\n"
		"  a.example.org: { secret: s, delegate: [ " MAM " node  id, " PUBSUB " ] }\n"
		"  b.example.net: { secret: s, delegate: [ " PUBSUB " ] }\n");
	const struct config_delegation *d =
		config_delegation(c, STR("example.org"), STR(MAM));

	CHECK_INT(c->n_delegations, 3);
	CHECK(d != NULL);
	CHECK_CSTR(d->attributes[0], "node");
	CHECK_CSTR(d->attributes[1], "id");
	CHECK(d->attributes[2] == NULL);
	CHECK_CSTR(d->component->domain, "a.example.org");
	d = config_delegation(c, STR("example.net"), STR(PUBSUB));
	CHECK_CSTR(d->component->domain, "b.example.net");
	CHECK(d->attributes[0] == NULL);
	CHECK(config_delegation(c, STR("example.net"), STR(MAM)) == NULL);
	config_unref(c);
}

TEST(a_mistake_names_place_and_remedy)
{
#define C "components:\n  a.example.org:\n    secret: s\n"
	static const struct {
		const char *text, *mistake;
	} wrong[] = {
		{ HOSTS C "    roster: bth\n",
			"antiphond.yml:6: components: a.example.org: roster: found \"bth\", expected one of: none, get, set, both" },
		{ HOSTS C "    hosts: [ exmple.org ]\n",
			"antiphond.yml:6: components: a.example.org: hosts: unknown host \"exmple.org\"; did you mean \"example.org\"?" },
		{ HOSTS C "    hosts: [ example.net ]\n    message: outgoing\n",
			"antiphond.yml:7: components: a.example.org: message needs the module privilege, which is off; switch it on with `modules: { privilege: yes }'" },
		{ HOSTS C "    presence: roster\n",
			"antiphond.yml:6: components: a.example.org: presence: roster needs to read rosters, too: `roster: get' or `roster: both'" },
		{ HOSTS C "    presence: roster\n    roster: set\n", NULL },
		{ HOSTS C "    iq_get: [ urn:x,\n      urn:x node ]\n",
			"antiphond.yml:7: components: a.example.org: iq_get: \"urn:x node\" is no namespace; expected one such as http://jabber.org/protocol/pubsub" },
		{ HOSTS C "    iq_set: [ \"\" ]\n",
			"antiphond.yml:6: components: a.example.org: iq_set: \"\" is no namespace; expected one such as http://jabber.org/protocol/pubsub" },
		{ HOSTS C "    delegate: [ urn:xmpp:delegation:2 ]\n",
			"antiphond.yml:6: components: a.example.org: delegate: urn:xmpp:delegation:2 is the server's own, and cannot be delegated" },
		{ HOSTS C "    delegate: [ a,\n      urn:xmpp:privilege:2 x ]\n",
			"antiphond.yml:7: components: a.example.org: delegate: urn:xmpp:privilege:2 is the server's own, and cannot be delegated" },
		{ HOSTS C "    delegate: [ urn:ietf:params:xml:ns:xmpp-bind ]\n",
			NULL },
		{ HOSTS C "    delegate: [ \" \" ]\n",
			"antiphond.yml:6: components: a.example.org: delegate: expected a namespace, such as urn:xmpp:mam:2" },
		{ HOSTS C "    delegate: [ \"http://jabber.org/protocol/disco#info\" ]\n",
			"antiphond.yml:6: components: a.example.org: delegate: the server answers http://jabber.org/protocol/disco#info itself, with what the component says; for nodes of users delegate urn:xmpp:delegation:2:bare:disco#info:*" },
		{ HOSTS C "    delegate: [ a, a b ]\n",
			"antiphond.yml:6: components: a.example.org: delegate: a is delegated to a.example.org already" },
		{ HOSTS C "    delegate: [ a ]\n  b.example:\n    secret: s\n"
		  "    delegate: [ b,\n      a ]\n",
			"antiphond.yml:10: components: b.example: delegate: a is delegated to a.example.org already" },
		{ "hosts: { example.org: {} }\n" C "    delegate: [ a ]\n",
			"antiphond.yml:5: components: a.example.org: delegate needs the module delegation, which is off; switch it on with `modules: { delegation: yes }'" },
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

TEST_MAIN

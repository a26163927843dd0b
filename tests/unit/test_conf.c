/*
 * test_conf.c - the configuration as a whole.
 */
#include "config.h"

#include "conf/conf.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "store/store.h"

#include "test.h"

struct ping_conf {
	int64_t interval_us;
};

struct contact_conf {
	const char *address;
	const char *token;
};

static const struct option ping_options[] = {
	{ .name = "interval", .type = OPT_DURATION, .dflt = "60s", .min = "5s",
		.max = "1h", .off = offsetof(struct ping_conf, interval_us),
		.help = "silence before a ping" },
	{ .name = NULL },
};

static const struct option contact_options[] = {
	{ .name = "address", .type = OPT_JID, .required = true,
		.off = offsetof(struct contact_conf, address),
		.help = "whom to ask" },
	{ .name = "token", .type = OPT_TEXT, .secret = true,
		.off = offsetof(struct contact_conf, token), .help = "secret" },
	{ .name = NULL },
};

struct echo_conf {
	const char *domain;
};

static const struct option echo_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .service = true, .dflt = "echo",
		.off = offsetof(struct echo_conf, domain), .help = "where" },
	{ .name = NULL },
};

struct box_conf {
	uint64_t day_bytes, max_bytes;
};

static const struct option box_options[] = {
	{ .name = "day_bytes", .type = OPT_SIZE, .dflt = "4KiB", .min = "0",
		.max = "1MiB", .most = "max_bytes",
		.off = offsetof(struct box_conf, day_bytes), .help = "a part" },
	{ .name = "max_bytes", .type = OPT_SIZE, .dflt = "64KiB", .min = "1KiB",
		.max = "1MiB", .off = offsetof(struct box_conf, max_bytes),
		.help = "the whole" },
	{ .name = NULL },
};

static bool
module_find(void *arg, const char *name, const struct option **options_out,
	size_t *conf_size_out)
{
	(void)arg;
	*options_out = NULL;
	*conf_size_out = 0;
	if (strcmp(name, "ping") == 0) {
		*options_out = ping_options;
		*conf_size_out = sizeof(struct ping_conf);
		return true;
	}
	if (strcmp(name, "contact") == 0) {
		*options_out = contact_options;
		*conf_size_out = sizeof(struct contact_conf);
		return true;
	}
	if (strcmp(name, "echo") == 0) {
		*options_out = echo_options;
		*conf_size_out = sizeof(struct echo_conf);
		return true;
	}
	if (strcmp(name, "box") == 0) {
		*options_out = box_options;
		*conf_size_out = sizeof(struct box_conf);
		return true;
	}
	return strcmp(name, "roster") == 0 || strcmp(name, "outside") == 0;
}

static enum listen_verdict
recognise_any(struct str first)
{
	(void)first;
	return LISTEN_MINE;
}

static const struct listen_kind house_kinds[] = {
	{ .name = "c2s", .tls_modes = 7, .alpn = { "xmpp-client" },
		.recognise = recognise_any,
		.ports = { [LISTEN_STARTTLS] = 5222, [LISTEN_DIRECT] = 5223 } },
	{ .name = "server", .tls_modes = 3, .alpn = { "xmpp-server" },
		.recognise = recognise_any,
		.ports = { [LISTEN_STARTTLS] = 5269, [LISTEN_DIRECT] = 5270 } },
	{ .name = NULL },
};

static const struct listen_kind echo_kinds[] = {
	{ .name = "lines", .tls = LISTEN_DIRECT,
		.tls_modes = LISTEN_MAY(LISTEN_DIRECT) |
			LISTEN_MAY(LISTEN_PLAIN),
		.alpn = { "lines" },
		.ports = { [LISTEN_DIRECT] = 7007, [LISTEN_PLAIN] = 7 } },
	{ .name = "local", .tls = LISTEN_PLAIN, .standard = true,
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN), .address = "127.0.0.1",
		.ports = { [LISTEN_PLAIN] = 7008 } },
	{ .name = "all", .tls = LISTEN_PLAIN, .standard = true,
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN),
		.ports = { [LISTEN_PLAIN] = 7009 } },
	{ .name = NULL },
};

static const struct listen_kind outside_kinds[] = {
	{ .name = "outside", .tls_modes = 7 },
	{ .name = NULL },
};

/* What the examples name, of the house and of bundled modules. */
static const struct listen_kind bundled_kinds[] = {
	{ .name = "proxy65", .tls = LISTEN_PLAIN,
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN),
		.ports = { [LISTEN_PLAIN] = 5000 } },
	{ .name = "https", .tls = LISTEN_DIRECT,
		.tls_modes = LISTEN_MAY(LISTEN_DIRECT),
		.ports = { [LISTEN_DIRECT] = 5281 } },
	{ .name = "web", .tls = LISTEN_DIRECT, .tls_modes = 7,
		.alpn = { "http/1.1" }, .recognise = recognise_any },
	{ .name = NULL },
};

static const struct listen_kind *
module_listeners(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "echo") == 0 ? echo_kinds :
		strcmp(name, "outside") == 0 ? outside_kinds :
		strcmp(name, "roster") == 0  ? bundled_kinds :
						NULL;
}

static const char *const all_modules[] = { "contact", "echo", "ping", "roster" };
static const char *const default_modules[] = { "roster", "ping" };
static const struct config_modules modules = {
	.find = module_find,
	.defaults = default_modules,
	.n_defaults = COUNT(default_modules),
	.names = all_modules,
	.n_names = COUNT(all_modules),
	.kinds = house_kinds,
	.listeners = module_listeners,
};

static struct config *
parse(const char *text)
{
	struct conf_errors m;
	struct config *c;

	conf_errors_init(&m);
	c = config_parse("antiphond.yml", str_c(text), &modules, &m);
	CHECK_CSTR(m.n_kept > 0 ? m.texts[0] : NULL, NULL);
	CHECK(c != NULL);
	conf_errors_done(&m);
	return c;
}

/* NULL: the host does not use the module. */
static const struct config_module *
module_of(const struct config_host *h, const char *name)
{
	for (size_t i = 0; i < h->n_modules; i++)
		if (strcmp(h->modules[i].name, name) == 0)
			return &h->modules[i];
	return NULL;
}

static const void *
module_conf(const struct config_host *h, const char *name)
{
	const struct config_module *mod = module_of(h, name);

	return mod != NULL ? mod->conf : NULL;
}

TEST(one_host_is_all_that_has_to_be_said)
{
	struct config *c = parse("hosts: { Example.ORG: {} }");
	const struct config_host *h = config_host(c, STR("example.org"));

	CHECK(h != NULL);
	CHECK(config_host(c, STR("example.com")) == NULL);
	CHECK_CSTR(h->certificate, NULL);
	CHECK(h->auth.tls_required);
	CHECK(!h->auth.anonymous);
	CHECK_INT(h->auth.mechanisms.n, 8);
	CHECK_INT(h->auth.scram_iterations, 10000);
	CHECK_INT(c->n_listen, 4);
	CHECK_INT(c->listen[0].port, 5222);
	CHECK_INT(c->listen[1].tls, LISTEN_DIRECT);
	CHECK_INT(c->listen[2].port, 5269);
	CHECK_CSTR(c->listen[3].kind, "server");
	CHECK_INT(c->listen[3].tls, LISTEN_DIRECT);
	CHECK_INT(c->listen[3].port, 5270);
	CHECK(config_listens(c, "server") && !config_listens(c, "lines"));
	CHECK_INT(c->limits.stanza_bytes, 262144);
	CHECK_INT(c->limits.login_timeout_us, 30000000);
	CHECK_INT(c->server.shards, 0);
	CHECK_INT(h->n_modules, 2);
	CHECK_CSTR(h->modules[0].name, "roster");
	CHECK(module_conf(h, "roster") == NULL);
	CHECK(module_of(h, "contact") == NULL);
	config_unref(c);
}

TEST(a_host_overrides_what_is_said_for_all)
{
	struct config *c = parse("auth: { scram_iterations: 5000 }\n"
		"modules:\n  ping: { interval: 30s }\n"
		"hosts:\n"
		"  b.example:\n"
		"    auth: { anonymous: yes }\n"
		"    modules: { ping: { interval: 10s }, roster: no,\n"
		"      contact: { address: anna@b.example } }\n"
		"  a.example: {}\n");
	const struct config_host *a = config_host(c, STR("a.example"));
	const struct config_host *b = config_host(c, STR("b.example"));
	const struct ping_conf *ping = module_conf(a, "ping");
	const struct contact_conf *contact = module_conf(b, "contact");

	CHECK_INT(ping->interval_us, 30000000);
	ping = module_conf(b, "ping");
	CHECK_INT(ping->interval_us, 10000000);
	CHECK_CSTR(contact->address, "anna@b.example");
	CHECK_INT(b->n_modules, 2);
	CHECK(module_of(b, "roster") == NULL);
	CHECK_INT(b->auth.scram_iterations, 5000);
	CHECK(b->auth.anonymous);
	CHECK(!a->auth.anonymous);
	CHECK_CSTR(c->host_order[0], "b.example");
	config_unref(c);
}

TEST(hosts_that_say_nothing_share_the_options_of_a_module)
{
	struct config *c = parse("hosts: { a.example: {}, b.example: {} }");

	CHECK(module_conf(&c->hosts[0], "ping") ==
		module_conf(&c->hosts[1], "ping"));
	config_unref(c);
}

/* Of what is said in either place, a default follows; what was a default there
 * follows anew. */
TEST(a_part_is_not_above_the_whole)
{
	static const struct {
		const char *general, *host;
		unsigned day, max; /* KiB */
	} cases[] = {
		{ "", "", 4, 64 },
		{ "max_bytes: 1KiB", "", 1, 1 },
		{ "day_bytes: 1MiB", "", 1024, 1024 },
		{ "max_bytes: 4KiB", "", 4, 4 },
		{ "max_bytes: 1KiB", "max_bytes: 8KiB", 4, 8 },
		{ "max_bytes: 8KiB", "max_bytes: 2KiB", 2, 2 },
		{ "day_bytes: 1MiB", "day_bytes: 1KiB", 1, 64 },
		{ "day_bytes: 1KiB", "max_bytes: 1KiB", 1, 1 },
		{ "max_bytes: 100KiB", "day_bytes: 100KiB", 100, 100 },
		{ "day_bytes: 0, max_bytes: 1KiB", "day_bytes: 1KiB", 1, 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf text = BUF_INIT;
		const struct box_conf *box;
		struct config *c;

		TEST_CASE(cases[i].host);
		buf_printf(&text,
			"modules: { box: { %s } }\n"
			"hosts: { a.example: { modules: { box: { %s } } } }\n",
			cases[i].general, cases[i].host);
		c = parse(buf_c(&text));
		box = module_conf(config_host(c, STR("a.example")), "box");
		CHECK_INT(box->day_bytes, cases[i].day * 1024);
		CHECK_INT(box->max_bytes, cases[i].max * 1024);
		config_unref(c);
		buf_done(&text);
	}
}

TEST(without_defaults_the_order_is_that_of_the_file)
{
	struct config *c = parse("modules:\n  defaults: no\n  ping:\n"
		"  roster: yes\nhosts: { a.example: {} }\n");
	const struct config_host *h = &c->hosts[0];

	CHECK_INT(h->n_modules, 2);
	CHECK_CSTR(h->modules[0].name, "ping");
	CHECK_CSTR(h->modules[1].name, "roster");
	config_unref(c);
}

TEST(an_admin_is_one_at_his_host_only)
{
	struct config *c = parse("hosts:\n"
		"  a.example: { admins: [ Anna@a.example ] }\n"
		"  b.example: { admins: [ bert@a.example ] }\n");
	const struct config_host *a = config_host(c, STR("a.example"));
	const struct config_host *b = config_host(c, STR("b.example"));

	CHECK(config_is_admin(a, STR("anna@a.example")));
	CHECK(!config_is_admin(b, STR("anna@a.example")));
	CHECK(!config_is_admin(a, STR("bert@a.example")));
	CHECK(config_is_admin(b, STR("bert@a.example")));
	CHECK(!config_is_admin(a, STR("anna@b.example")));
	config_unref(c);
}

TEST(levels_are_set_by_area)
{
	struct config *c = parse(
		"log: { level: warn, levels: { auth: debug } }\n"
		"hosts: { a.example: {} }\n");

	CHECK_INT(c->log.levels[LOG_AUTH], LEVEL_DEBUG);
	CHECK_INT(c->log.levels[LOG_NET], LEVEL_WARN);
	config_unref(c);
}

TEST(a_reference_keeps_it_alive)
{
	struct config *c = parse("hosts: { a.example: {} }");

	CHECK(config_ref(c) == c);
	config_unref(c);
	CHECK_CSTR(c->hosts[0].domain, "a.example");
	config_unref(c);
	config_unref(NULL);
}

#define HOST "hosts: { a.example: {} }\n"

static const struct {
	const char *text, *mistake;
} wrong[] = {
	{ "", "antiphond.yml:1: hosts: no host is given; expected a map of "
	      "domains, such as { example.org: {} }" },
	{ "hosts:\n", "antiphond.yml:1: hosts: no host is given; expected a "
		      "map of domains, such as { example.org: {} }" },
	{ HOST "modules: { box: { max_bytes: 1KiB, day_bytes: 2KiB } }",
		"antiphond.yml:2: modules: box: day_bytes: 2KiB must not be "
		"above max_bytes, which is 1KiB" },
	{ "modules:\n  box:\n    day_bytes: 8KiB\n"
	  "hosts:\n  a.example: { modules: { box: {\n    max_bytes: 2KiB } } }",
		"antiphond.yml:6: hosts: a.example: modules: box: day_bytes: "
		"8KiB must not be above max_bytes, which is 2KiB" },
	{ HOST "modules: { box: { max_bytes: 1MB, day_bytes: 1MiB } }",
		"antiphond.yml:2: modules: box: max_bytes: found \"1MB\", "
		"expected a size, such as 4096, 256KiB or 1MiB" },
	{ HOST "limits: { idle_before_ping: nevr }",
		"antiphond.yml:2: limits: idle_before_ping: found \"nevr\", "
		"expected a duration, such as 500ms, 30s, 5m, 2h or 7d, or "
		"never" },
	/* a part of a name will do; else all are named, where they are few */
	{ HOST "s2s:\n  idel: 1s", "antiphond.yml:3: s2s: unknown option "
		"\"idel\"; did you mean \"idle_timeout\"?" },
	{ HOST "limits: { memry: 1 }", "antiphond.yml:2: limits: unknown option "
		"\"memry\"; did you mean \"memory\"?" },
	{ HOST "limits: { spoons: 1 }", "antiphond.yml:2: limits: unknown option "
		"\"spoons\"; antiphond.yml(5) has those that there are" },
	{ HOST "control: { x: 1 }", "antiphond.yml:2: control: unknown option "
		"\"x\", expected one of: socket, group" },
	{ HOST "log:\n  levls: {}", "antiphond.yml:3: log: unknown option "
		"\"levls\"; did you mean \"levels\"?" },
	{ HOST "log: { x: 1 }", "antiphond.yml:2: log: unknown option \"x\", "
		"expected one of: levels, to, file, level" },
	{ "hosts:\n  example.org:\n    moduls: {}\n",
		"antiphond.yml:3: hosts: example.org: unknown option "
		"\"moduls\"; did you mean \"modules\"?" },
	{ "hosts:\n  example.org:\n    services: {}\n",
		"antiphond.yml:3: hosts: example.org: unknown option "
		"\"services\", expected one of: auth, federation, modules, "
		"certificate, key, admins, "
		"public_url, cors_origins, hsts" },
	{ "hosts:\n  example.org:\n    hsts: yes\n    public_url: x\n",
		"antiphond.yml:4: hosts: example.org: public_url: \"x\" is no "
		"address of a page, in lower case and without a / at its end; "
		"expected one such as https://example.org or "
		"https://www.example.org:8443/xmpp" },
	{ "hosts:\n  example.org:\n    hsts: yes\n    cors_origins:\n"
	  "      - https://a.example\n      - x\n",
		"antiphond.yml:4: hosts: example.org: cors_origins: \"x\" is no "
		"origin; expected one such as https://chat.example.org, or *" },
	{ HOST "limit: {}", "antiphond.yml:2: unknown option \"limit\"; did "
			    "you mean \"limits\"?" },
	{ HOST "shards: 1000",
		"antiphond.yml:2: shards: 1000 is above the maximum, 256" },
	{ HOST "storage: { driver: memory, path: x }",
		"antiphond.yml:2: storage: \"path\" is an option of the driver "
		"sqlite, and the driver is memory; leave it out, or write "
		"`driver: sqlite`" },
	{ HOST "storage:\n  readers: 3\n  pth: x",
		"antiphond.yml:4: storage: unknown option \"pth\"; did you "
		"mean \"path\"?" },
	{ HOST "storage: { driver: memory, reader: 3 }",
		"antiphond.yml:2: storage: unknown option \"reader\"; did you "
		"mean \"readers\"?" },
	{ HOST "storage: { driver: sqlit, host: x }",
		"antiphond.yml:2: storage: driver: found \"sqlit\", expected "
		"one of: sqlite, memory" },
	{ HOST "storage: sqlite",
		"antiphond.yml:2: storage: found \"sqlite\", expected a map of "
		"options" },
	{ "hosts:\n  example.org:\n    certifcate: x\n",
		"antiphond.yml:3: hosts: example.org: unknown option "
		"\"certifcate\"; did you mean \"certificate\"?" },
	{ "hosts:\n  example.org:\n    key: x\n",
		"antiphond.yml:2: hosts: example.org: \"key\" is of no use "
		"without \"certificate\"" },
	{ "hosts:\n  example.org:\n    admins: [ anna@example.org/x ]\n",
		"antiphond.yml:2: hosts: example.org: admins: "
		"\"anna@example.org/x\" has a resource; expected an address "
		"such as anna@example.org" },
	{ "hosts:\n  example.org:\n    admins: [ example.org ]\n",
		"antiphond.yml:2: hosts: example.org: admins: \"example.org\" "
		"is a domain; expected an address such as anna@example.org" },
	{ "hosts:\n  example.org:\n  EXAMPLE.org:\n",
		"antiphond.yml:3: hosts: example.org is given twice; the other "
		"one is in antiphond.yml:2" },
	{ HOST "modules:\n  ping: { interval: 2h }\n",
		"antiphond.yml:3: modules: ping: interval: 2h is above the "
		"maximum, 1h" },
	{ HOST "modules:\n  pong: {}\n",
		"antiphond.yml:3: modules: unknown module \"pong\"; did you "
		"mean \"ping\"?" },
	{ HOST "modules:\n  PING: no\n",
		"antiphond.yml:3: modules: unknown module \"PING\"; did you "
		"mean \"ping\"?" },
	{ HOST "modules:\n  roster: { x: 1 }\n",
		"antiphond.yml:3: modules: roster: unknown option \"x\"; there "
		"is none here" },
	{ HOST "modules:\n  ping: maybe\n",
		"antiphond.yml:3: modules: ping: found \"maybe\", expected "
		"yes, no, or a map of options" },
	{ "hosts:\n  a.example:\n    modules:\n      contact:\n",
		"antiphond.yml:4: hosts: a.example: modules: contact: the "
		"option \"address\" is missing: whom to ask" },
	{ HOST "listen: []\n",
		"antiphond.yml:2: listen: expected a list of 1 to 64 ports, "
		"such as [ { kind: c2s, port: 5222 } ]" },
	{ HOST "listen: [ { tls: none } ]\nauth: { tls_required: no }\n",
		"antiphond.yml:2: listen: the option \"port\" is missing: for "
		"kind c2s and `tls: none` there is none that everybody uses; "
		"expected a whole number, such as 5222" },
	{ HOST "listen:\n  - port: 1\n    kind: c2c\n",
		"antiphond.yml:4: listen: unknown kind \"c2c\"; did you mean "
		"\"c2s\"?" },
	{ HOST "modules: { echo: yes }\nlisten:\n  - port: 1\n"
	       "    kind: telephone\n",
		"antiphond.yml:5: listen: kind: unknown kind \"telephone\", "
		"expected one of: c2s, server, proxy65, "
		"https, web, lines, local, all" },
	/* the module is there, and off; one whose kind has its name, too */
	{ HOST "listen: [ { kind: lines } ]\n",
		"antiphond.yml:2: listen: kind: \"lines\" comes with the "
		"module echo, which is on at no host; add "
		"`modules: { echo: yes }`" },
	{ HOST "listen: [ { kind: outside } ]\n",
		"antiphond.yml:2: listen: kind: \"outside\" comes with the "
		"module outside, which is on at no host; add "
		"`modules: { outside: yes }`" },
	{ HOST "modules: { echo: yes }\n"
	       "listen: [ { kind: lines, tls: starttls } ]\n",
		"antiphond.yml:3: listen: tls: starttls is nothing for ports of "
		"kind lines, expected one of: direct, none" },
	{ HOST "modules: { echo: yes }\n"
	       "listen: [ { kind: [ c2s, lines ], port: 1, tls: none } ]\n"
	       "auth: { tls_required: no }\n",
		"antiphond.yml:3: listen: kind: with `tls: none` nothing tells "
		"who comes for kind lines from others; give them an entry of "
		"their own" },
	{ HOST "listen: [ { kind: [ c2s, server, c2s ] } ]\n",
		"antiphond.yml:2: listen: kind: c2s is named twice" },
	{ HOST "listen:\n  - { port: 1 }\n  - { port: 1, kind: server }\n",
		"antiphond.yml:4: listen: port 1 of address * is given "
		"already, for address * in antiphond.yml:3; one entry can have "
		"several kinds, such as `kind: [ c2s, server ]`" },
	{ HOST "listen:\n  - { port: 1 }\n  - { port: 1 }\n",
		"antiphond.yml:4: listen: port 1 of address * is given "
		"already, for address * in antiphond.yml:3" },
	{ HOST "listen:\n  - { port: 1 }\n  - {}\n"
	       "  - { port: 1, address: \"::1\" }\n",
		"antiphond.yml:5: listen: port 1 of address ::1 is given "
		"already, for address * in antiphond.yml:3" },
	{ HOST "listen: [ { port: 5223 }, { tls: direct } ]\n",
		"antiphond.yml:2: listen: port 5223 of address * is given "
		"already, for address * in antiphond.yml:2" },
	{ HOST "listen: [ { port: 1, tls: none } ]\n",
		"antiphond.yml:2: listen: port 1: with `tls: none` nobody "
		"could log in, because no host has "
		"`auth: { tls_required: no }`" },
	{ HOST "log: { levels: { auht: debug } }\n",
		"antiphond.yml:2: log: levels: unknown area \"auht\"; did you "
		"mean \"auth\"?" },
	{ HOST "log: { levels: { auth: loud } }\n",
		"antiphond.yml:2: log: levels: auth: expected one of: error, "
		"warn, info, debug" },
	{ HOST "log: { to: file }\n",
		"antiphond.yml:2: log: `to: file` needs the option \"file\", "
		"such as /var/log/antiphon.log" },
	{ HOST "limits: { memory: 3MiB }\n",
		"antiphond.yml:2: limits: 16 times stanza_bytes (4194304) is "
		"above memory (3145728)" },
	{ HOST "limits: { memory: 4MiB, roster_bytes: 2MiB }\n",
		"antiphond.yml:2: limits: 4 times roster_bytes (8388608) is "
		"above memory (4194304)" },
	{ HOST "limits: { write_queue_bytes: 32MiB }\n",
		"antiphond.yml:2: limits: write_queue_bytes (33554432) is "
		"above write_queue_max_bytes (16777216)" },
	/* the domains of services */
	{ "modules:\n  echo:\n    domain: E.Example\n"
	  "hosts: { a.example: {}, b.example: {} }",
		"antiphond.yml:3: hosts: b.example: modules: echo: domain: "
		"e.example is the domain of another service, that of echo at "
		"a.example" },
	{ "modules: { echo: yes }\nhosts:\n  b.example: {}\n"
	  "  echo.b.example: { modules: { echo: no } }\n",
		"antiphond.yml:1: hosts: b.example: modules: echo: domain: "
		"echo.b.example is one of the hosts" },
	{ "hosts:\n  A.example:\n    modules:\n      echo:\n"
	  "        domain: a.example\n",
		"antiphond.yml:5: hosts: a.example: modules: echo: domain: "
		"a.example is one of the hosts" },
};

TEST(a_module_may_have_ports_open_that_nobody_named)
{
	struct config *c = parse(HOST "modules: { echo: yes }\n");
	struct config *named = parse(HOST "modules: { echo: yes }\n"
					  "listen: [ { kind: c2s } ]\n");

	CHECK_INT(c->n_listen, 6);
	CHECK_INT(c->listen[3].port, 5270);
	CHECK_CSTR(c->listen[4].kind, "local");
	CHECK_CSTR(c->listen[4].address, "127.0.0.1");
	CHECK_INT(c->listen[4].port, 7008);
	CHECK_INT(c->listen[4].tls, LISTEN_PLAIN);
	CHECK_CSTR(c->listen[5].kinds.items[0], "all");
	CHECK_CSTR(c->listen[5].address, "*");
	CHECK_INT(c->listen[5].port, 7009);
	CHECK(!config_listens(c, "lines"));
	CHECK_INT(named->n_listen, 1);
	config_unref(c);
	config_unref(named);
}

TEST(what_an_entry_of_listen_leaves_out_its_kind_says)
{
	static const struct {
		const char *entry, *kind;
		int tls;
		int64_t port;
	} cases[] = {
		{ "{}", "c2s", LISTEN_STARTTLS, 5222 },
		{ "{ tls: direct }", "c2s", LISTEN_DIRECT, 5223 },
		{ "{ port: 0 }", "c2s", LISTEN_STARTTLS, 0 },
		{ "{ kind: lines }", "lines", LISTEN_DIRECT, 7007 },
		{ "{ kind: lines, tls: none }", "lines", LISTEN_PLAIN, 7 },
		{ "{ kind: lines, port: 9 }", "lines", LISTEN_DIRECT, 9 },
		{ "{ kind: [ c2s ] }", "c2s", LISTEN_STARTTLS, 5222 },
		{ "{ kind: [ c2s, server ] }", "c2s,server", LISTEN_STARTTLS,
			5222 },
		{ "{ kind: [ server, c2s, lines ], tls: direct }",
			"server,c2s,lines", LISTEN_DIRECT, 5270 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf text = BUF_INIT;
		struct config *c;

		TEST_CASE(cases[i].entry);
		/* one host is enough */
		buf_printf(&text,
			"hosts:\n  a.example:\n"
			"  b.example: { modules: { echo: yes } }\n"
			"listen: [ %s ]\n",
			cases[i].entry);
		c = parse(buf_c(&text));
		CHECK_CSTR(c->listen[0].kind, cases[i].kind);
		CHECK_INT(c->listen[0].tls, cases[i].tls);
		CHECK_INT(c->listen[0].port, cases[i].port);
		config_unref(c);
		buf_done(&text);
	}
}

TEST(a_mistake_names_place_and_remedy)
{
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct conf_errors m;

		TEST_CASE(wrong[i].text);
		conf_errors_init(&m);
		CHECK(config_parse("antiphond.yml", str_c(wrong[i].text),
			&modules, &m) == NULL);
		CHECK_CSTR(m.texts[0], wrong[i].mistake);
		CHECK_INT(m.n, 1);
		conf_errors_done(&m);
	}
}

TEST(all_mistakes_come_at_once)
{
	struct conf_errors m;

	conf_errors_init(&m);
	CHECK(config_parse("a.yml", STR("shards: x\nlog: { level: x }\n"
		"limits: { depth: 1, elements: 1 }\n"
		"hosts: { a.example: { x: 1 }"
		", \"\": {} }\n"), &modules, &m) == NULL);
	CHECK_INT(m.n, 6);
	conf_errors_done(&m);
}

/* At each of some hundreds. */
TEST(each_host_has_a_service_of_its_own)
{
	struct arena *a = arena_new();
	struct buf text = BUF_INIT;
	struct config *c;

	buf_add_c(&text, "modules: { echo: yes }\nhosts:\n");
	for (int i = 0; i < 300; i++)
		buf_printf(&text, "  h%d.example: {}\n", i);
	c = parse(buf_c(&text));
	for (size_t i = 0; i < c->n_hosts; i++) {
		const struct config_host *h = &c->hosts[i];
		const struct echo_conf *echo = module_conf(h, "echo");
		char want[64];
		struct str got;

		snprintf(want, sizeof(want), "echo.%s", h->domain);
		CHECK(config_service_domain(&got, a, str_c(h->domain),
			echo->domain, NULL));
		CHECK_STR(got, want);
	}
	config_unref(c);
	buf_done(&text);
	arena_free(a);
}

TEST(a_service_is_named_by_a_label_or_a_domain_or_not_at_all)
{
	static const struct {
		const char *text, *domain;
	} names[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "echo", "echo.a.example" },
		{ "x.y", "x.y" },
	};
	struct arena *a = arena_new();
	struct str got;

	for (size_t i = 0; i < COUNT(names); i++) {
		CHECK(config_service_domain(&got, a, STR("a.example"),
			names[i].text, NULL));
		CHECK_CSTR(got.p != NULL ? arena_str(a, got).p : NULL,
			names[i].domain);
	}
	arena_free(a);
}

static void
check_round_trip(struct config *c)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct config *again;

	config_show(c, &first);
	again = parse(buf_c(&first));
	config_show(again, &second);
	CHECK_CSTR(buf_c(&second), buf_c(&first));
	config_unref(again);
	buf_done(&first);
	buf_done(&second);
}

TEST(what_is_shown_reads_back_as_the_same)
{
	struct config *c = parse("user: \"a b\"\nshards: 3\n"
		"listen: [ { port: 0, tls: none, address: \"::1\" } ]\n"
		"log: { to: file, file: /x, levels: { net: error } }\n"
		"hosts:\n  b.example: { modules: { ping: no } }\n"
		"  c.example: { modules: { echo: { domain: \"\" } } }\n"
		"  a.example: { auth: { tls_required: no },\n"
		"    admins: [ \"\xc3\xa4nna@a.example\" ] }\n");

	check_round_trip(c);
	config_unref(c);
}

static struct config *
storage_of(const char *text)
{
	struct conf_errors m;
	struct config *c;

	conf_errors_init(&m);
	c = config_parse("antiphond.yml", str_c(text), &modules, &m);
	CHECK_CSTR(m.n_kept > 0 ? m.texts[0] : NULL, NULL);
	conf_errors_done(&m);
	return c;
}

static const struct {
	const char *label, *file, *was, *shown, *kept;
} storages[] = {
	{ "nothing", HOST, HOST, "path: ", "" },
	{ "memory has no file", HOST "storage: { driver: memory }",
		HOST "storage: { driver: memory }", "driver: memory\n", "" },
	{ "a path", HOST "storage: { path: /b, readers: 3 }",
		HOST "storage: { readers: 3, path: /a, driver: sqlite }",
		"readers: 3\n  path: /a\n",
		"storage: path: /b takes effect with the next start, /a stays in force\n" },
	{ "another driver", HOST "storage: { driver: memory }",
		HOST "storage: { path: /a }",
		"driver: sqlite\n  readers: 2\n  path: /a\n",
		"storage: driver: memory takes effect with the next start, sqlite stays in force\n" },
	{ "and back", HOST "storage: { path: /a }",
		HOST "storage: { driver: memory }", "driver: memory\n",
		"storage: driver: sqlite takes effect with the next start, memory stays in force\n" },
};

/* What is kept outlives what it was taken from. */
TEST(the_storage_has_options_of_its_driver_and_keeps_them)
{
	for (size_t i = 0; i < COUNT(storages); i++) {
		struct config *was = storage_of(storages[i].was);
		struct config *c = storage_of(storages[i].file);
		struct buf kept = BUF_INIT, out = BUF_INIT;

		TEST_CASE(storages[i].label);
		config_keep(c, was, &kept);
		config_unref(was);
		CHECK_CSTR(buf_c(&kept), storages[i].kept);
		config_show(c, &out);
		CHECK(strstr(buf_c(&out), storages[i].shown) != NULL);
		CHECK((strstr(buf_c(&out), "  path: ") == NULL) ==
			(strstr(buf_c(&out), "driver: memory") != NULL));
		check_round_trip(c);
		config_unref(c);
		buf_done(&kept);
		buf_done(&out);
	}
}

TEST(secrets_are_not_shown)
{
	struct config *c = parse("hosts:\n  a.example:\n    modules:\n"
		"      contact: { address: a@b.example, token: hunter2 }\n");
	struct buf out = BUF_INIT;

	config_show(c, &out);
	CHECK(strstr(buf_c(&out), "address: \"a@b.example\"") != NULL ||
		strstr(buf_c(&out), "address: a@b.example") != NULL);
	CHECK(strstr(buf_c(&out), "hunter2") == NULL);
	buf_done(&out);
	config_unref(c);
}

static const char *const files[] = {
	EXAMPLES_DIR "/one-host.yml",
	EXAMPLES_DIR "/partners.yml",
	EXAMPLES_DIR "/several-hosts.yml",
	CONF_BUILT_DIR "/antiphond.yml",
};

TEST(every_file_we_ship_loads_cleanly)
{
	for (size_t i = 0; i < COUNT(files); i++) {
		struct conf_errors m;
		struct config *c;

		TEST_CASE(files[i]);
		conf_errors_init(&m);
		c = config_load(files[i], &modules, &m);
		CHECK_CSTR(m.n_kept > 0 ? m.texts[0] : NULL, NULL);
		CHECK(c != NULL);
		CHECK_CSTR(c->path, files[i]);
		check_round_trip(c);
		config_unref(c);
		conf_errors_done(&m);
	}
}

TEST(every_section_has_its_part_of_the_manual)
{
	for (const struct config_section *s = config_sections; s->name != NULL;
		s++) {
		struct buf out = BUF_INIT;

		TEST_CASE(s->name);
		option_mdoc(s->options, &out);
		CHECK(out.n > 0);
		buf_done(&out);
	}
}

/* As it is written: six times as long, and its namespaces as well. */
TEST(the_store_holds_the_largest_stanza_that_can_be_configured)
{
	const struct option *o = config_limits_options;
	uint64_t max;

	while (strcmp(o->name, "stanza_bytes") != 0)
		o++;
	CHECK(size_parse(str_c(o->max), &max));
	CHECK(12 * max + 4096 <= STORE_VALUE_MAX);
	CHECK(STORE_VALUE_MAX < STORE_QUEUE_MAX);
}

TEST_MAIN

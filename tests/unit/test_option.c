/*
 * test_option.c - options as tables: reading, checking, showing, documenting.
 */
#include "config.h"

#include "conf/option.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf_error.h"
#include "conf/yaml.h"

#include "test.h"

struct sample {
	bool on;
	int64_t n;
	uint64_t bytes;
	int64_t wait_us;
	const char *text;
	const char *path;
	const char *jid;
	const char *domain;
	const char *machine;
	const char *network;
	int color;
	struct option_list jids;
	struct option_list colors;
	struct option_list tags;
	const char *password;
};

static const char *const colors[] = { "red", "green", "blue", NULL };

static const struct option sample_options[] = {
	{ .name = "on", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct sample, on), .help = "is it on" },
	{ .name = "n", .type = OPT_INT, .dflt = "3", .min = "-1", .max = "9",
		.off = offsetof(struct sample, n), .help = "how many" },
	{ .name = "bytes", .type = OPT_SIZE, .dflt = "1KiB", .min = "16",
		.max = "1MiB", .off = offsetof(struct sample, bytes),
		.help = "how large" },
	{ .name = "interval", .type = OPT_DURATION, .dflt = "60s", .min = "5s",
		.max = "1h", .off = offsetof(struct sample, wait_us),
		.help = "how long" },
	{ .name = "text", .type = OPT_TEXT, .max = "8",
		.off = offsetof(struct sample, text), .help = ".what" },
	{ .name = "path", .type = OPT_PATH, .dflt = "/x",
		.off = offsetof(struct sample, path), .help = "where" },
	{ .name = "jid", .type = OPT_JID, .off = offsetof(struct sample, jid),
		.help = "who" },
	{ .name = "domain", .type = OPT_DOMAIN,
		.off = offsetof(struct sample, domain), .help = "which" },
	{ .name = "machine", .type = OPT_MACHINE,
		.off = offsetof(struct sample, machine), .help = "which one" },
	{ .name = "network", .type = OPT_NETWORK,
		.off = offsetof(struct sample, network), .help = "whence" },
	{ .name = "color", .type = OPT_CHOICE, .dflt = "green",
		.choices = colors, .off = offsetof(struct sample, color),
		.help = "looks" },
	{ .name = "jids", .type = OPT_LIST, .item = OPT_JID, .max = "3",
		.off = offsetof(struct sample, jids), .help = "people",
		.example = "[ anna@example.org ]" },
	{ .name = "colors", .type = OPT_LIST, .item = OPT_CHOICE,
		.dflt = "red, blue", .choices = colors,
		.off = offsetof(struct sample, colors), .help = "palette" },
	{ .name = "tags", .type = OPT_LIST, .item = OPT_TEXT, .alone = true,
		.dflt = "some", .min = "1", .max = "2",
		.off = offsetof(struct sample, tags), .help = "words" },
	{ .name = "password", .type = OPT_TEXT, .secret = true,
		.off = offsetof(struct sample, password), .help = "word" },
	{ .name = NULL },
};

struct fixture {
	struct arena *arena;
	struct conf_errors m;
	struct sample s;
	bool ok;
};

static void
fixture_apply(struct fixture *f, const char *text)
{
	struct yaml_node *root;

	f->arena = arena_new();
	conf_errors_init(&f->m);
	root = yaml_parse(f->arena, "conf/a.yml", str_c(text), &f->m);
	CHECK(root != NULL);
	f->ok = option_apply(sample_options, root, "modules: sample", &f->s,
		f->arena, &f->m);
}

static void
fixture_done(struct fixture *f)
{
	conf_errors_done(&f->m);
	arena_free(f->arena);
}

TEST(what_is_not_said_has_its_default)
{
	struct fixture f;

	fixture_apply(&f, "");
	CHECK(f.ok);
	CHECK(f.s.on);
	CHECK_INT(f.s.n, 3);
	CHECK_INT(f.s.bytes, 1024);
	CHECK_INT(f.s.wait_us, 60000000);
	CHECK_CSTR(f.s.text, NULL);
	CHECK_CSTR(f.s.path, "/x");
	CHECK_INT(f.s.color, 1);
	CHECK_INT(f.s.jids.n, 0);
	CHECK_INT(f.s.colors.n, 2);
	CHECK_CSTR(f.s.colors.items[1], "blue");
	fixture_done(&f);
}

TEST(what_is_said_is_read_by_its_type)
{
	struct fixture f;

	fixture_apply(&f, "on: off\nn: -1\nbytes: 64KiB\ninterval: 5m\n"
		"text: \"\"\npath: b/c.pem\njid: Anna@Example.ORG/x\n"
		"domain: EXAMPLE.org\nnetwork: \"2001:db8::/32\"\ncolor: blue\n"
		"jids: [ a@b.example, c.example ]\ncolors: []\n");
	CHECK_CSTR(f.m.n > 0 ? f.m.texts[0] : NULL, NULL);
	CHECK(f.ok);
	CHECK(!f.s.on);
	CHECK_INT(f.s.n, -1);
	CHECK_INT(f.s.bytes, 65536);
	CHECK_INT(f.s.wait_us, 300000000);
	CHECK_CSTR(f.s.text, "");
	CHECK_CSTR(f.s.path, "conf/b/c.pem");
	CHECK_CSTR(f.s.jid, "anna@example.org/x");
	CHECK_CSTR(f.s.domain, "example.org");
	CHECK_CSTR(f.s.network, "2001:db8::/32");
	CHECK_INT(f.s.color, 2);
	CHECK_INT(f.s.jids.n, 2);
	CHECK_CSTR(f.s.jids.items[1], "c.example");
	CHECK_INT(f.s.colors.n, 0);
	fixture_done(&f);
}

#define NAMES \
	"on, n, bytes, interval, text, path, jid, domain, machine, network, color, jids, colors, tags, password"

/* Each stands behind "conf/a.yml:1: modules: sample: ". */
static const struct {
	const char *text, *mistake;
} wrong[] = {
	{ "interval: 2h", "interval: 2h is above the maximum, 1h" },
	{ "interval: never", "interval: never is above the maximum, 1h" },
	{ "interval: 1s", "interval: 1s is below the minimum, 5s" },
	{ "interval: 60", "interval: found \"60\", expected a duration, such "
			  "as 500ms, 30s, 5m, 2h or 7d" },
	{ "interval: 99999999999999999999d",
		"interval: found \"99999999999999999999d\", expected a "
		"duration, such as 500ms, 30s, 5m, 2h or 7d" },
	{ "intervall: 5m", "unknown option \"intervall\"; did you mean "
			   "\"interval\"?" },
	{ "itnerval: 5m", "unknown option \"itnerval\"; did you mean "
			  "\"interval\"?" },
	{ "INTERVAL: 5m", "unknown option \"INTERVAL\"; did you mean "
			  "\"interval\"?" },
	{ "N: 5", "unknown option \"N\"; did you mean \"n\"?" },
	{ "quite_other: 5m",
		"unknown option \"quite_other\", expected one of: " NAMES },
	{ "\"a\\nb\": 1", "unknown option \"a?b\", expected one of: " NAMES },
	{ "n: 10", "n: 10 is above the maximum, 9" },
	{ "n: x", "n: found \"x\", expected a whole number, such as 12" },
	{ "n: [ 1 ]", "n: found a list, expected a whole number, such as 12" },
	{ "n:", "n: found nothing, expected a whole number, such as 12" },
	{ "bytes: 1KB", "bytes: found \"1KB\", expected a size, such as 4096, "
			"256KiB or 1MiB" },
	{ "bytes: 2MiB", "bytes: 2MiB is above the maximum, 1MiB" },
	{ "bytes: 99999999TiB",
		"bytes: found \"99999999TiB\", expected a size, such as 4096, "
		"256KiB or 1MiB" },
	{ "on: 1", "on: found \"1\", expected yes or no" },
	{ "text: 123456789",
		"text: the text has 9 bytes, the maximum is 8" },
	{ "path: \"\"", "path: found \"\", expected the name of a file, such "
			"as /etc/ssl/example.pem" },
	{ "color: grey",
		"color: found \"grey\", expected one of: red, green, blue" },
	{ "network: 192.0.2.1/24",
		"network: found \"192.0.2.1/24\", expected an IP address or a "
		"network, such as 192.0.2.0/24" },
	{ "network: example.org",
		"network: found \"example.org\", expected an IP address or a "
		"network, such as 192.0.2.0/24" },
	{ "jids: a@b.example", "jids: found \"a@b.example\", expected a list, "
			       "such as [ anna@example.org ]" },
	{ "jids: [ a, b, c, d ]",
		"jids: the list has 4 items, the maximum is 3" },
	{ "jids: [ [ a ] ]", "jids: found a list, expected an address, such "
			     "as anna@example.org" },
	{ "tags: [ a, b, c ]",
		"tags: the list has 3 items, the maximum is 2" },
	{ "tags: []", "tags: the list has 0 items, the minimum is 1" },
	{ "tags: { a: b }", "tags: found a map, expected a list, such as [ one, two ]" },
	{ "colors: [ grey ]",
		"colors: found \"grey\", expected one of: red, green, blue" },
};

TEST(a_mistake_says_what_was_found_and_what_would_do)
{
	static const char place[] = "conf/a.yml:1: modules: sample: ";

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct fixture f;

		TEST_CASE(wrong[i].text);
		fixture_apply(&f, wrong[i].text);
		CHECK(!f.ok);
		CHECK_INT(f.m.n, 1);
		CHECK(strncmp(f.m.texts[0], place, sizeof(place) - 1) == 0);
		CHECK_CSTR(f.m.texts[0] + sizeof(place) - 1, wrong[i].mistake);
		CHECK_INT(f.s.n, 3);
		fixture_done(&f);
	}
}

TEST(a_bad_address_says_why)
{
	struct fixture f;

	fixture_apply(&f, "jid: \"@b.example\"\ndomain: \"\"\n");
	CHECK_INT(f.m.n, 2);
	CHECK(strstr(f.m.texts[0], "jid: found \"@b.example\", expected an "
		"address, such as anna@example.org (") != NULL);
	CHECK(strstr(f.m.texts[1], "domain: found \"\", expected a domain, "
		"such as example.org (") != NULL);
	fixture_done(&f);
}

TEST(a_machine_is_named_or_has_an_address)
{
	static const struct {
		const char *text, *read; /* NULL: it is none */
	} all[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "2001:DB8:0:0:0:0:0:01", "2001:db8::1" },
		{ "[2001:db8:0:1:1:1:1:1]", "2001:db8:0:1:1:1:1:1" },
		{ "XMPP.Example.org", "xmpp.example.org" },
		{ "localhost", "localhost" },
		{ "192.0.2.300", NULL },
		{ "192.0.2", NULL },
		{ "2001:db8::x", NULL },
		{ "[192.0.2.1]", NULL },
		{ "192.0.2.1:5000", NULL },
		{ "two words", NULL },
		{ "anna@example.org", NULL },
		{ "example.org/x", NULL },
		{ "", NULL },
	};
	static const char expected[] =
		"expected an IP address or a domain name, such as 192.0.2.1";

	for (size_t i = 0; i < COUNT(all); i++) {
		struct buf text = BUF_INIT;
		struct fixture f;

		TEST_CASE(all[i].text);
		buf_printf(&text, "machine: \"%s\"\n%c", all[i].text, '\0');
		fixture_apply(&f, text.p);
		CHECK_CSTR(f.s.machine, all[i].read);
		CHECK_INT(f.ok, all[i].read != NULL);
		if (!f.ok)
			CHECK(strstr(f.m.texts[0], expected) != NULL &&
				strstr(f.m.texts[0], "a.yml:1: ") != NULL);
		fixture_done(&f);
		buf_done(&text);
	}
}

TEST(all_mistakes_are_reported_but_a_bounded_number_kept)
{
	struct buf text = BUF_INIT;
	struct fixture f;

	for (int i = 0; i < 250; i++)
		buf_printf(&text, "nothing_like_it_%d: 1\n", i);
	fixture_apply(&f, buf_c(&text));
	CHECK_INT(f.m.n, 250);
	CHECK_INT(f.m.n_kept, CONF_ERRORS_MAX);
	fixture_done(&f);
	buf_done(&text);
}

TEST(a_required_option_is_missed)
{
	static const struct option table[] = {
		{ .name = "port", .type = OPT_INT, .required = true,
			.help = "the port", .example = "5222" },
		{ .name = NULL },
	};
	struct arena *a = arena_new();
	struct conf_errors m;
	int64_t port;

	conf_errors_init(&m);
	CHECK(!option_apply(table, NULL, "listen", &port, a, &m));
	CHECK_CSTR(m.texts[0], "listen: the option \"port\" is missing: the "
		"port; expected a whole number, such as 5222");
	conf_errors_done(&m);
	arena_free(a);
}

TEST(an_overlay_leaves_alone_what_it_does_not_name)
{
	struct fixture f;
	struct yaml_node *more;

	fixture_apply(&f, "n: 7\ncolor: red\n");
	more = yaml_parse(f.arena, "b.yml", STR("color: blue\n"), &f.m);
	CHECK(option_overlay(sample_options, more, NULL, "", &f.s, f.arena, &f.m));
	CHECK_INT(f.s.n, 7);
	CHECK_INT(f.s.color, 2);
	fixture_done(&f);
}

TEST(what_is_shown_reads_back_as_the_same)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct fixture f, g;

	fixture_apply(&f, "text: \"a: \\\"\\n\\u2028\"\ninterval: 90s\n"
		"path: \"/a: b, c\"\njids: [ a@b.example/\\u00A0 ]\nbytes: 1025\n");
	option_show(sample_options, &f.s, &first, 0);
	fixture_apply(&g, buf_c(&first));
	CHECK_INT(g.m.n, 0);
	option_show(sample_options, &g.s, &second, 0);
	CHECK_CSTR(buf_c(&second), buf_c(&first));
	CHECK_CSTR(g.s.text, f.s.text);
	CHECK_INT(g.s.wait_us, 90000000);
	buf_done(&first);
	buf_done(&second);
	fixture_done(&f);
	fixture_done(&g);
}

static void
check_tags(const char *text, const char *shown)
{
	struct fixture f;
	struct buf out = BUF_INIT;

	TEST_CASE(text);
	fixture_apply(&f, text);
	CHECK_CSTR(f.m.n > 0 ? f.m.texts[0] : NULL, NULL);
	option_show(sample_options, &f.s, &out, 0);
	CHECK(strstr(buf_c(&out), shown) != NULL);
	buf_done(&out);
	fixture_done(&f);
}

TEST(a_list_may_have_one_item_that_stands_as_it_is)
{
	check_tags("", "\ntags: some\n");
	check_tags("tags: one", "\ntags: one\n");
	check_tags("tags: [ one ]", "\ntags: one\n");
	check_tags("tags: [ one, two ]", "\ntags: [ one, two ]\n");
}

TEST(secrets_are_not_shown)
{
	struct buf out = BUF_INIT;
	struct fixture f;

	fixture_apply(&f, "password: hunter2\n");
	CHECK_CSTR(f.s.password, "hunter2");
	option_show(sample_options, &f.s, &out, 0);
	CHECK(strstr(buf_c(&out), "hunter2") == NULL);
	CHECK(strstr(buf_c(&out), "# password: set, not shown\n") != NULL);
	buf_done(&out);
	fixture_done(&f);
}

static const struct {
	const char *in, *out; /* out NULL: refused */
} durations[] = {
	{ "500ms", "500ms" }, { "1000ms", "1s" }, { "90s", "90s" },
	{ "120s", "2m" }, { "24h", "1d" }, { "0s", "0s" }, { "0ms", "0s" },
	{ "never", "never" }, { "", NULL }, { "s", NULL }, { "-1s", NULL },
	{ "1.5s", NULL }, { "1 s", NULL }, { "1S", NULL }, { "1us", NULL },
	{ "9223372036854775807d", NULL },
};

TEST(durations_are_shown_in_their_shortest_form)
{
	for (size_t i = 0; i < COUNT(durations); i++) {
		struct buf out = BUF_INIT;
		int64_t us;
		bool ok = duration_parse(str_c(durations[i].in), &us);

		TEST_CASE(durations[i].in);
		CHECK_INT(ok, durations[i].out != NULL);
		if (ok)
			duration_show(&out, us);
		if (ok)
			CHECK_CSTR(buf_c(&out), durations[i].out);
		buf_done(&out);
	}
}

TEST(sizes_are_shown_in_their_shortest_form)
{
	static const char *const cases[][2] = { { "1024", "1KiB" },
		{ "1025", "1025" }, { "2048MiB", "2GiB" }, { "0", "0" } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = BUF_INIT;
		uint64_t bytes;

		TEST_CASE(cases[i][0]);
		CHECK(size_parse(str_c(cases[i][0]), &bytes));
		size_show(&out, bytes);
		CHECK_CSTR(buf_c(&out), cases[i][1]);
		buf_done(&out);
	}
}

TEST(the_manual_tells_type_default_and_range)
{
	static const struct option table[] = {
		{ .name = "interval", .type = OPT_DURATION, .dflt = "60s",
			.min = "5s", .max = "1h", .help = "how \\ long",
			.example = "30s" },
		{ .name = NULL },
	};
	struct buf out = BUF_INIT;

	option_mdoc(table, &out);
	CHECK_CSTR(buf_c(&out),
		".It Ic interval : Ar duration\n"
		"How \\e long.\n"
		"Default:\n.Ql \"60s\" .\n"
		"Range: from\n.Ql \"5s\"\nto\n.Ql \"1h\" .\n"
		"Example:\n.Ql \"30s\" .\n");
	buf_done(&out);
}

TEST(the_manual_tells_which_option_follows_which)
{
	static const struct option table[] = {
		{ .name = "a_day", .type = OPT_SIZE, .dflt = "1KiB", .min = "0",
			.max = "1MiB", .most = "in_all", .help = "part" },
		{ .name = NULL },
	};
	struct buf out = BUF_INIT;

	option_mdoc(table, &out);
	CHECK_CSTR(buf_c(&out),
		".It Ic a_day : Ar size\n"
		"Part.\n"
		"Default:\n.Ql \"1KiB\" .\n"
		"Range: from\n.Ql \"0\"\nto\n.Ql \"1MiB\" .\n"
		"Not above\n.Ic in_all ;\n"
		"where only one of the two is set, the other follows.\n");
	buf_done(&out);
}

TEST_MAIN

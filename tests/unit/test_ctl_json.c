/*
 * test_ctl_json.c - requests and answers of the control socket.
 */
#include "config.h"

#include "ctl/ctl_json.h"

#include "base/arena.h"
#include "base/buf.h"
#include "test.h"

static const struct {
	const char *line;
	bool ok;
} requests[] = {
	{ "{\"command\":\"status\"}", true },
	{ "{\"command\":\"status\",\"args\":{}}", true },
	{ "{\"command\":\"status\",\"args\":{\"a\":\"b\"},\"more\":1}", true },
	{ "", false },
	{ "{", false },
	{ "[]", false },
	{ "\"status\"", false },
	{ "null", false },
	{ "{}", false },
	{ "{\"command\":1}", false },
	{ "{\"command\":\"a\",\"args\":[]}", false },
	{ "{\"command\":\"a\",\"command\":\"b\"}", false },
	{ "{\"command\":\"a\"} {\"command\":\"b\"}", false },
	{ "{\"command\":\"\xff\"}", false },
	{ "{\"command\":\"\\u0000\"}", false },
};

TEST(a_request_is_an_object_with_a_command_and_arguments)
{
	for (size_t i = 0; i < COUNT(requests); i++) {
		struct err err = ERR_INIT;
		json_t *o = ctl_json_request(str_c(requests[i].line), &err);

		TEST_CASE(requests[i].line);
		CHECK((o != NULL) == requests[i].ok);
		CHECK((err.code == ERR_NONE) == requests[i].ok);
		json_decref(o);
	}
}

TEST(a_request_may_not_be_nested_without_end)
{
	struct buf line = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add_c(&line, "{\"command\":\"a\",\"args\":");
	for (int i = 0; i < 100000; i++)
		buf_add_c(&line, "[");
	CHECK(ctl_json_request(buf_str(&line), &err) == NULL);
	buf_done(&line);
}

static const struct command_arg say_args[] = {
	{ "word", ARG_TEXT, .help = "what" },
	{ "loud", ARG_SWITCH, .optional = true, .option = true },
	{ "times", ARG_INT, .optional = true, .option = true },
	{ .name = NULL },
};

static const struct command say = { "say", "say a word", NULL, say_args,
	.run = NULL };

static const struct {
	const char *args, *word, *loud, *times;
	bool ok;
} values[] = {
	{ "{\"word\":\"hi\"}", "hi", NULL, NULL, true },
	{ "{\"word\":\"\"}", "", NULL, NULL, true },
	{ "{\"loud\":true,\"times\":3}", NULL, "yes", "3", true },
	{ "{\"loud\":false,\"times\":\"-3\"}", NULL, NULL, "-3", true },
	{ "{\"word\":null}", NULL, NULL, NULL, true },
	{ "{\"times\":-9223372036854775808}", NULL, NULL,
		"-9223372036854775808", true },
	{ "{\"other\":\"x\"}", NULL, NULL, NULL, false },
	{ "{\"word\":[]}", NULL, NULL, NULL, false },
	{ "{\"word\":{}}", NULL, NULL, NULL, false },
	{ "{\"times\":1.5}", NULL, NULL, NULL, false },
};

TEST(values_are_found_by_name_and_become_text)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		struct arena *a = arena_new();
		struct str found[3] = { { NULL, 0 } };
		struct err err = ERR_INIT;
		json_t *args = json_loads(values[i].args, 0, NULL);

		TEST_CASE(values[i].args);
		CHECK(ctl_json_values(args, &say, a, found, &err) ==
			values[i].ok);
		if (values[i].ok) {
			CHECK_STR(found[0], values[i].word);
			CHECK_STR(found[1], values[i].loud);
			CHECK_STR(found[2], values[i].times);
		}
		json_decref(args);
		arena_free(a);
	}
}

TEST(a_command_without_arguments_takes_none)
{
	static const struct command bare = { "bare", "", NULL, NULL,
		.run = NULL };
	struct arena *a = arena_new();
	json_t *args = json_loads("{\"x\":1}", 0, NULL);
	struct err err = ERR_INIT;

	CHECK(ctl_json_values(NULL, &bare, a, NULL, &err));
	CHECK(!ctl_json_values(args, &bare, a, NULL, &err));
	json_decref(args);
	arena_free(a);
}

TEST(wiping_overwrites_every_text)
{
	json_t *o = json_loads("{\"a\":\"secret\",\"b\":[{\"c\":\"word\"}]}", 0,
		NULL);
	const char *a = json_string_value(json_object_get(o, "a"));
	const char *c = json_string_value(json_object_get(
		json_array_get(json_object_get(o, "b"), 0), "c"));

	ctl_json_wipe(o);
	for (size_t i = 0; i < 6; i++)
		CHECK(a[i] == '\0');
	for (size_t i = 0; i < 4; i++)
		CHECK(c[i] == '\0');
	json_decref(o);
}

static void
check_line(json_t *o, const char *wanted)
{
	struct buf out = BUF_INIT;

	ctl_json_line(&out, o);
	CHECK_STR(buf_str(&out), wanted);
	buf_done(&out);
}

TEST(an_answer_is_one_line_whatever_is_in_it)
{
	json_t *row = json_object();

	ctl_json_field(row, "text", STR("a\nb\"\xc3\xa9"), false);
	ctl_json_field(row, "number", STR("-5"), true);
	ctl_json_field(row, "broken", STR("x\xffy"), false);
	ctl_json_field(row, "absent", STR_NONE, false);
	check_line(row,
		"{\"text\":\"a\\nb\\\"\xc3\xa9\",\"number\":-5,\"broken\":\"x?y\",\"absent\":\"\"}\n");
}

TEST(the_end_names_the_error_and_its_kind)
{
	struct err err = ERR_INIT;

	check_line(ctl_json_end(NULL), "{\"done\":true}\n");
	err_set(&err, ERR_CONFLICT, "it is there");
	check_line(ctl_json_end(&err),
		"{\"error\":\"it is there\",\"code\":\"conflict\"}\n");
}

TEST(the_help_of_a_command_holds_its_arguments)
{
	json_t *o = ctl_json_help(&say, NULL);
	const json_t *loud =
		json_array_get(json_object_get(o, "args"), 1);
	enum command_arg_type type;

	CHECK(json_array_size(json_object_get(o, "args")) == 3);
	CHECK(json_is_true(json_object_get(loud, "option")));
	CHECK(ctl_arg_parse(json_string_value(json_object_get(loud, "type")),
		&type));
	CHECK(type == ARG_SWITCH);
	CHECK(!ctl_arg_parse("nothing", &type));
	json_decref(o);
}

TEST(the_help_leaves_out_what_cannot_be_given)
{
	static const struct command_arg args[] = {
		{ "file", ARG_FILE, .optional = true, .option = true },
		{ "jid", ARG_JID, .help = "" },
		{ .name = NULL },
	};
	static const struct command add = { "add", "", NULL, args,
		.run = NULL };
	static const struct command_door doors[] = {
		{ .name = "far" },
		{ .name = "near", .is_local = true },
	};

	for (size_t i = 0; i < COUNT(doors); i++) {
		struct command_caller caller = { .door = &doors[i],
			.as = BY_OPERATOR };
		json_t *o = ctl_json_help(&add, &caller);

		TEST_CASE(doors[i].name);
		CHECK_INT(json_array_size(json_object_get(o, "args")), 1 + i);
		json_decref(o);
	}
}

TEST_MAIN

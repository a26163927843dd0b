/*
 * test_yaml.c - configuration files as trees.
 */
#include "config.h"

#include "conf/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf_error.h"

#include "test.h"

struct fixture {
	struct arena *arena;
	struct conf_errors m;
	struct yaml_node *root;
};

static void
fixture_parse(struct fixture *f, struct str text)
{
	f->arena = arena_new();
	conf_errors_init(&f->m);
	f->root = yaml_parse(f->arena, "a.yml", text, &f->m);
}

static void
fixture_done(struct fixture *f)
{
	conf_errors_done(&f->m);
	arena_free(f->arena);
}

TEST(yaml_keeps_text_as_it_is_and_its_line)
{
	struct fixture f;
	const struct yaml_node *n;

	fixture_parse(&f,
		STR("a: no\nb:\n  - 1.0\n  - \"x y\"\nc: { d: ~ }\n"));
	CHECK(f.root != NULL);
	n = yaml_get(f.root, "a");
	CHECK_STR(n->text, "no");
	CHECK_INT(n->line, 1);
	n = yaml_get(f.root, "b");
	CHECK_INT(n->kind, YAML_LIST);
	CHECK_INT(n->n, 2);
	CHECK_STR(n->first->text, "1.0");
	CHECK_INT(n->first->line, 3);
	CHECK_STR(n->first->next->text, "x y");
	CHECK(n->first->next->quoted);
	n = yaml_get(yaml_get(f.root, "c"), "d");
	CHECK_INT(n->line, 5);
	CHECK(yaml_is_empty(n));
	CHECK(yaml_get(f.root, "e") == NULL);
	fixture_done(&f);
}

TEST(yaml_reads_on_behind_a_byte_order_mark)
{
	struct fixture f;

	/* libyaml takes it, but counts it as a column of its line */
	fixture_parse(&f, STR("\xef\xbb\xbf" "a: no\nb:\n  c: 1\n"));
	CHECK_INT(f.m.n, 0);
	CHECK(f.root != NULL);
	CHECK_STR(yaml_get(f.root, "a")->text, "no");
	CHECK_INT(yaml_get(f.root, "a")->line, 1);
	CHECK_STR(yaml_get(yaml_get(f.root, "b"), "c")->text, "1");
	fixture_done(&f);
	fixture_parse(&f, STR("\xef\xbb\xbf"));
	CHECK(f.root != NULL && f.root->n == 0);
	fixture_done(&f);
}

TEST(yaml_takes_an_empty_file_for_an_empty_map)
{
	static const char *const empty[] = { "", "\n", "# nothing\n", "---\n",
		"\xef\xbb\xbf" };

	for (size_t i = 0; i < COUNT(empty); i++) {
		struct fixture f;

		TEST_CASE(empty[i]);
		fixture_parse(&f, str_c(empty[i]));
		CHECK(f.root != NULL);
		CHECK_INT(f.root->kind, YAML_MAP);
		CHECK_INT(f.root->n, 0);
		fixture_done(&f);
	}
}

static const struct {
	const char *text, *mistake;
} refused[] = {
	{ "a: 1\nb: 2\na: 3\n",
		"a.yml:3: \"a\" is given twice; the first one is in a.yml:1" },
	{ "x:\n  a: 1\n  a: 2\n",
		"a.yml:3: \"a\" is given twice; the first one is in a.yml:2" },
	{ "a: &x 1\n",
		"a.yml:1: anchors (&name) are not supported here; put text "
		"that begins with & in quotes" },
	{ "a: *x\n",
		"a.yml:1: aliases (*name) are not supported here; put text "
		"that begins with * in quotes" },
	{ "a: !!int 1\n",
		"a.yml:1: tags (!name) are not supported here; put text that "
		"begins with ! in quotes" },
	{ "- a\n", "a.yml:1: the file has to be a map, such as `hosts:`" },
	{ "a: 1\n---\nb: 2\n",
		"a.yml:2: a second document begins; put everything into one" },
	{ "[a]: 1\n",
		"a.yml:1: a key has to be plain text; put text that begins "
		"with [ or { in quotes" },
	{ "a: \"x\\0y\"\n",
		"a.yml:1: text with a NUL or broken UTF-8 inside" },
	{ "a: \xff\n", "a.yml: the file is not UTF-8 text" },
	{ "a:\n\tb: 1\n",
		"a.yml:2: this is not YAML: found character that cannot start "
		"any token while scanning for the next token; indent with "
		"blanks, not with tabs, and put text that begins with a "
		"special character in quotes" },
	{ "a: [[[[[[[[[[[[[[[[[[[[\n",
		"a.yml:1: lists and maps are nested too deeply" },
};

TEST(yaml_says_what_it_refuses_and_where)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct fixture f;

		TEST_CASE(refused[i].text);
		fixture_parse(&f, str_c(refused[i].text));
		CHECK(f.root == NULL);
		CHECK_INT(f.m.n, 1);
		CHECK_CSTR(f.m.texts[0], refused[i].mistake);
		fixture_done(&f);
	}
}

TEST(yaml_refuses_more_entries_than_its_bound)
{
	struct buf text = BUF_INIT;
	struct fixture f;

	buf_add_c(&text, "a: [");
	for (size_t i = 0; i < YAML_NODES_MAX + 1; i++)
		buf_add_c(&text, "1,");
	buf_add_c(&text, "]\n");
	fixture_parse(&f, buf_str(&text));
	CHECK(f.root == NULL);
	CHECK_CSTR(f.m.texts[0],
		"a.yml:1: the configuration has too many entries");
	fixture_done(&f);
	buf_done(&text);
}

/* --- files --------------------------------------------------------------- */

struct folder {
	char path[64];
	struct fixture f;
};

static void
folder_make(struct folder *d)
{
	char sub[80];

	snprintf(d->path, sizeof(d->path), "/tmp/test_yaml.XXXXXX");
	CHECK(mkdtemp(d->path) != NULL);
	snprintf(sub, sizeof(sub), "%s/conf.d", d->path);
	CHECK_INT(mkdir(sub, 0700), 0);
	d->f.arena = arena_new();
	conf_errors_init(&d->f.m);
}

static void
folder_write(struct folder *d, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	file = fopen(path, "w");
	CHECK(file != NULL);
	CHECK(fputs(text, file) >= 0);
	CHECK_INT(fclose(file), 0);
}

static void
folder_load(struct folder *d, const char *name)
{
	d->f.root = yaml_load(d->f.arena,
		arena_printf(d->f.arena, "%s/%s", d->path, name).p, &d->f.m);
}

/* The only mistake, without the folder. */
static void
folder_check_mistake(struct folder *d, const char *want)
{
	CHECK(d->f.root == NULL);
	CHECK_INT(d->f.m.n, 1);
	CHECK(strncmp(d->f.m.texts[0], d->path, strlen(d->path)) == 0);
	CHECK_CSTR(d->f.m.texts[0] + strlen(d->path) + 1, want);
}

static void
folder_remove(struct folder *d)
{
	static const char *const names[] = { "main.yml", "b.yml",
		"conf.d/1.yml", "conf.d/2.yml", "conf.d" };
	char path[128];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->path, names[i]);
		remove(path);
	}
	CHECK_INT(rmdir(d->path), 0);
	fixture_done(&d->f);
}

TEST(included_maps_are_merged)
{
	struct folder d;
	const struct yaml_node *hosts;

	folder_make(&d);
	folder_write(&d, "main.yml",
		"include: [ b.yml, conf.d/*.yml, none.d/*.yml ]\n"
		"hosts:\n  a.example: { x: 1 }\n");
	folder_write(&d, "b.yml", "log: { level: info }\n");
	folder_write(&d, "conf.d/1.yml", "hosts: { b.example: { x: 2 } }\n");
	folder_write(&d, "conf.d/2.yml",
		"hosts: { c.example: { x: 3 }, a.example: { y: 4 } }\n");
	folder_load(&d, "main.yml");
	CHECK(d.f.root != NULL);
	CHECK_INT(d.f.root->n, 2);
	hosts = yaml_get(d.f.root, "hosts");
	CHECK_INT(hosts->n, 3);
	CHECK_STR(hosts->first->key, "a.example");
	CHECK_STR(hosts->first->next->key, "b.example");
	CHECK_STR(yaml_get(hosts->first, "y")->text, "4");
	CHECK_STR(yaml_get(hosts->first, "x")->text, "1");
	CHECK(yaml_get(yaml_get(d.f.root, "log"), "level") != NULL);
	folder_remove(&d);
}

TEST(a_value_given_in_two_files_is_a_mistake)
{
	struct folder d;
	char want[200];

	folder_make(&d);
	folder_write(&d, "main.yml", "include: b.yml\nlog:\n  level: info\n");
	folder_write(&d, "b.yml", "log: { level: warn }\n");
	folder_load(&d, "main.yml");
	snprintf(want, sizeof(want),
		"b.yml:1: \"level\" is given twice; the first one is in "
		"%s/main.yml:3", d.path);
	folder_check_mistake(&d, want);
	folder_remove(&d);
}

TEST(files_that_include_each_other_are_refused)
{
	struct folder d;
	char want[200];

	folder_make(&d);
	folder_write(&d, "main.yml", "a: 1\ninclude: b.yml\n");
	folder_write(&d, "b.yml", "include: main.yml\n");
	folder_load(&d, "main.yml");
	snprintf(want, sizeof(want),
		"b.yml:1: include: %s/main.yml: this file includes itself in "
		"the end", d.path);
	folder_check_mistake(&d, want);
	folder_remove(&d);
}

TEST(a_missing_file_is_named)
{
	struct folder d;
	char want[200];

	folder_make(&d);
	folder_write(&d, "main.yml", "include: b.yml\n");
	folder_load(&d, "main.yml");
	snprintf(want, sizeof(want),
		"main.yml:1: include: %s/b.yml: No such file or directory",
		d.path);
	folder_check_mistake(&d, want);
	folder_remove(&d);
}

TEST(a_folder_is_no_file)
{
	struct folder d;

	folder_make(&d);
	folder_load(&d, "conf.d");
	folder_check_mistake(&d, "conf.d: this is not a regular file");
	folder_remove(&d);
}

TEST_MAIN

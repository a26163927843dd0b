/*
 * fuzz_config.c - any bytes as a configuration: mistakes or a configuration,
 * and what is shown of that reads back as the same.
 */
#include "config.h"

#include "fuzz.h"

#include <string.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/conf_error.h"

struct sample {
	struct option_list texts;
	int64_t wait_us;
};

static const struct option sample_options[] = {
	{ .name = "texts", .type = OPT_LIST, .item = OPT_TEXT,
		.off = offsetof(struct sample, texts), .help = "texts" },
	{ .name = "wait", .type = OPT_DURATION, .dflt = "1s", .max = "never",
		.off = offsetof(struct sample, wait_us), .help = "time" },
	{ .name = NULL },
};

static bool
sample_find(void *arg, const char *name, const struct option **options_out,
	size_t *conf_size_out)
{
	(void)arg;
	*options_out = sample_options;
	*conf_size_out = sizeof(struct sample);
	return strlen(name) == 1;
}

static const char *const names[] = { "a", "b" };
static const struct config_modules modules = {
	.find = sample_find,
	.defaults = names,
	.n_defaults = 1,
	.names = names,
	.n_names = 2,
};

static void
shown_and_read_again(const struct config *c)
{
	struct buf first = BUF_INIT, again = BUF_INIT;
	struct config *copy;
	struct conf_errors m;

	conf_errors_init(&m);
	config_show(c, &first);
	copy = config_parse("shown.yml", buf_str(&first), &modules, &m);
	FUZZ_CHECK(copy != NULL);
	config_show(copy, &again);
	FUZZ_CHECK(str_eq(buf_str(&first), buf_str(&again)));
	config_unref(copy);
	conf_errors_done(&m);
	buf_done(&first);
	buf_done(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct conf_errors m;
	struct config *c;

	conf_errors_init(&m);
	c = config_parse("fuzz.yml", (struct str){ (const char *)data, n },
		&modules, &m);
	FUZZ_CHECK((c == NULL) == (m.n > 0));
	if (c != NULL)
		shown_and_read_again(c);
	config_unref(c);
	conf_errors_done(&m);
	return 0;
}

/*
 * conf_keep.c - what a reload cannot change stays as it is, and is told.
 *
 * Shard 0, between the reading of a configuration and its publication.
 * Invariant: what a struct config says is what is in force.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_int.h"
#include "conf/storage.h"

/* One thing that is named by path and name, in c and in was. */
static void
kept_tell(struct buf *out, const char *path, const char *name,
	const struct buf *wanted, const struct buf *is)
{
	buf_printf(out,
		"%s%s%s: %.*s takes effect with the next start, %.*s stays in force\n",
		path, *path != '\0' ? ": " : "", name, STR_ARG(buf_str(wanted)),
		STR_ARG(buf_str(is)));
}

static void
value_copy(const struct option *o, void *base, const void *was,
	struct arena *a)
{
	char *to = (char *)base + o->off;
	const char *from = (const char *)was + o->off;
	const char *text;

	switch (o->type) {
	case OPT_SWITCH:
		*(bool *)(void *)to = *(const bool *)from;
		break;
	case OPT_INT:
	case OPT_DURATION:
	case OPT_SIZE:
		memcpy(to, from, sizeof(int64_t));
		break;
	case OPT_CHOICE:
		memcpy(to, from, sizeof(int));
		break;
	case OPT_TEXT:
	case OPT_PATH:
	case OPT_JID:
	case OPT_DOMAIN:
	case OPT_MACHINE:
	case OPT_NETWORK:
		memcpy(&text, from, sizeof(text));
		text = text != NULL ? arena_str(a, str_c(text)).p : NULL;
		memcpy(to, &text, sizeof(text));
		break;
	case OPT_LIST:
		assert(!"no list is kept");
	}
}

static void
value_show(const struct option *o, const void *base, struct buf *out)
{
	const char *text = NULL;

	if (o->type == OPT_TEXT || o->type == OPT_PATH)
		memcpy(&text, (const char *)base + o->off, sizeof(text));
	if (text == NULL && (o->type == OPT_TEXT || o->type == OPT_PATH))
		buf_add_c(out, "none");
	else
		option_value(o, base, out);
}

static void
values_hide(struct buf *wanted, struct buf *is)
{
	wanted->n = is->n = 0;
	buf_add_c(wanted, "another secret");
	buf_add_c(is, "the one before");
}

static void
options_keep(const char *path, const struct option *o, void *base,
	const void *was, struct arena *a, struct buf *out)
{
	for (; o->name != NULL; o++) {
		struct buf wanted = BUF_INIT, is = BUF_INIT;

		value_show(o, base, &wanted);
		value_show(o, was, &is);
		if (!str_eq(buf_str(&wanted), buf_str(&is))) {
			if (o->secret)
				values_hide(&wanted, &is);
			kept_tell(out, path, o->name, &wanted, &is);
			value_copy(o, base, was, a);
		}
		buf_done(&wanted);
		buf_done(&is);
	}
}

/* The level of the log changes at a reload, its place does not. */
static void
log_keep(struct config_log *log, const struct config_log *was,
	struct arena *a, struct buf *out)
{
	for (const struct option *o = config_log_options; o->name != NULL; o++) {
		struct option one[] = { *o, { .name = NULL } };

		if (strcmp(o->name, "level") != 0)
			options_keep("log", one, log, was, a, out);
	}
}

/* With another driver, its own options are those of the driver before. */
static void
storage_keep(struct config_storage *s, const struct config_storage *was,
	struct arena *a, struct buf *out)
{
	const struct config_driver *driver = config_drivers[was->driver];
	bool same = s->driver == was->driver;

	options_keep("storage", config_storage_options, s, was, a, out);
	if (!same) {
		s->own = arena_zalloc(a, driver->conf_size + 1);
		for (const struct option *o = driver->options;
			o != NULL && o->name != NULL; o++)
			value_copy(o, s->own, was->own, a);
	} else if (driver->options != NULL) {
		options_keep("storage", driver->options, s->own, was->own, a,
			out);
	}
}

void
config_keep(struct config *c, const struct config *was, struct buf *out)
{
	struct arena *a = CONTAINER_OF(c, struct config_whole, c)->arena;

	options_keep("", config_server_options, &c->server, &was->server, a,
		out);
	log_keep(&c->log, &was->log, a, out);
	options_keep("control", config_control_options, &c->server,
		&was->server, a, out);
	storage_keep(&c->storage, &was->storage, a, out);
}

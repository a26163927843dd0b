/*
 * option_value.c - one value of an option: from text, checked, and back to
 * text.
 *
 * Any thread; pure functions.  Invariant: what is written here reads back as
 * the same value.
 */
#include "config.h"

#include "conf/option.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "xmpp/ip_literal.h"
#include "xmpp/jid.h"
#include "net/ip_network.h"
#include "conf/option_int.h"

#define TEXT_BYTES_MAX 4096

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first. */
static const struct unit duration_units[] = {
	{ "d", UINT64_C(86400) * 1000 * 1000 },
	{ "h", UINT64_C(3600) * 1000 * 1000 },
	{ "m", UINT64_C(60) * 1000 * 1000 },
	{ "s", UINT64_C(1000) * 1000 },
	{ "ms", UINT64_C(1000) },
};

static const struct unit size_units[] = {
	{ "TiB", UINT64_C(1) << 40 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "", 1 },
};

/* Digits, then one of the units, and the product not above max. */
static bool
number_parse(struct str text, const struct unit *units, size_t n_units,
	uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
		if (n > (max - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (i == 0)
		return false;
	text = (struct str){ text.p + i, text.n - i };
	for (size_t u = 0; u < n_units; u++) {
		if (!str_is(text, units[u].name))
			continue;
		if (n > max / units[u].factor)
			return false;
		*out = n * units[u].factor;
		return true;
	}
	return false;
}

bool
duration_parse(struct str text, int64_t *us_out)
{
	uint64_t us;

	if (str_is(text, "never")) {
		*us_out = OPTION_NEVER;
		return true;
	}
	if (!number_parse(text, duration_units, COUNT(duration_units),
		OPTION_NEVER - 1, &us))
		return false;
	*us_out = (int64_t)us;
	return true;
}

bool
size_parse(struct str text, uint64_t *bytes_out)
{
	return number_parse(text, size_units, COUNT(size_units), INT64_MAX,
		bytes_out);
}

static void
number_show(struct buf *out, uint64_t n, const struct unit *units,
	size_t n_units)
{
	size_t u = 0;

	while (u < n_units - 1 && (n == 0 || n % units[u].factor != 0))
		u++;
	buf_printf(out, "%llu%s", (unsigned long long)(n / units[u].factor),
		units[u].name);
}

void
duration_show(struct buf *out, int64_t us)
{
	if (us >= OPTION_NEVER)
		buf_add_c(out, "never");
	else if (us == 0)
		buf_add_c(out, "0s");
	else
		number_show(out, (uint64_t)us, duration_units,
			COUNT(duration_units));
}

void
size_show(struct buf *out, uint64_t bytes)
{
	number_show(out, bytes, size_units, COUNT(size_units));
}

/* --- what would do ------------------------------------------------------- */

static const char *
choices_join(const struct option *o, char *out, size_t n)
{
	size_t used = (size_t)snprintf(out, n, "one of: ");

	for (size_t i = 0; o->choices[i] != NULL && used < n; i++)
		used += (size_t)snprintf(out + used, n - used, "%s%s",
			i > 0 ? ", " : "", o->choices[i]);
	return out;
}

const char *
option_expected(const struct option *o, enum option_type type, char *out,
	size_t n)
{
	static const struct {
		const char *what, *example;
	} kinds[] = {
		[OPT_SWITCH] = { "yes or no", NULL },
		[OPT_INT] = { "a whole number", "12" },
		[OPT_SIZE] = { "a size", "4096, 256KiB or 1MiB" },
		[OPT_DURATION] = { "a duration", "500ms, 30s, 5m, 2h or 7d" },
		[OPT_TEXT] = { "a text", "\"example\"" },
		[OPT_PATH] = { "the name of a file", "/etc/ssl/example.pem" },
		[OPT_JID] = { "an address", "anna@example.org" },
		[OPT_DOMAIN] = { "a domain", "example.org" },
		[OPT_MACHINE] = { "an IP address or a domain name",
			"192.0.2.1" },
		[OPT_NETWORK] = { "an IP address or a network",
			"192.0.2.0/24" },
		[OPT_CHOICE] = { NULL, NULL },
		[OPT_LIST] = { "a list", "[ one, two ]" },
	};
	const char *example = kinds[type].example;
	bool never = type == OPT_DURATION && o->max != NULL &&
		str_is(str_c(o->max), "never");

	if (type == OPT_CHOICE)
		return choices_join(o, out, n);
	if (type == o->type && o->example != NULL)
		example = o->example;
	if (example == NULL)
		snprintf(out, n, "%s", kinds[type].what);
	else
		snprintf(out, n, "%s, such as %s%s", kinds[type].what, example,
			never ? ", or never" : "");
	return out;
}

/* --- from text ----------------------------------------------------------- */

static bool
found_instead(const struct option *o, enum option_type type, struct str text,
	struct err *err)
{
	char expected[160];

	return err_set(err, ERR_INVALID, "found \"%.40s\"%s, expected %s",
		text.p, text.n > 40 ? "..." : "",
		option_expected(o, type, expected, sizeof(expected)));
}

static bool
switch_parse(struct str text, bool *out)
{
	static const char *const words[] = { "no", "yes", "false", "true",
		"off", "on" };

	for (size_t i = 0; i < COUNT(words); i++) {
		if (str_is(text, words[i])) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool
choice_parse(const struct option *o, struct str text, int *out)
{
	for (int i = 0; o->choices[i] != NULL; i++) {
		if (str_is(text, o->choices[i])) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* Numbers of every type, for comparing with a bound. */
static bool
magnitude_parse(enum option_type type, struct str text, int64_t *out)
{
	uint64_t bytes;
	long long n;

	switch (type) {
	case OPT_SIZE:
		if (!size_parse(text, &bytes))
			return false;
		*out = (int64_t)bytes; /* size_parse stays below INT64_MAX */
		return true;
	case OPT_DURATION:
		return duration_parse(text, out);
	default:
		if (!str_to_int(text, INT64_MIN, INT64_MAX, &n))
			return false;
		*out = n;
		return true;
	}
}

/* A bound of a table: an invalid one is our own mistake. */
static int64_t
bound_parse(enum option_type type, const char *text)
{
	int64_t bound = 0;
	bool ok = magnitude_parse(type, str_c(text), &bound);

	assert(ok);
	(void)ok;
	return bound;
}

static bool
number_in_range(const struct option *o, enum option_type type, struct str text,
	int64_t *out, struct err *err)
{
	int64_t n;

	if (!magnitude_parse(type, text, &n))
		return found_instead(o, type, text, err);
	if (o->min != NULL && n < bound_parse(type, o->min))
		return err_set(err, ERR_INVALID,
			"%.40s is below the minimum, %s", text.p, o->min);
	if (o->max != NULL && n > bound_parse(type, o->max))
		return err_set(err, ERR_INVALID,
			"%.40s is above the maximum, %s", text.p, o->max);
	*out = n;
	return true;
}

static bool
text_parse(const struct option *o, struct str text, struct arena *a,
	const char **out, struct err *err)
{
	size_t max = TEXT_BYTES_MAX;

	if (o->type == OPT_TEXT && o->max != NULL)
		max = (size_t)bound_parse(OPT_INT, o->max);
	if (text.n > max)
		return err_set(err, ERR_INVALID,
			"the text has %zu bytes, the maximum is %zu", text.n,
			max);
	*out = arena_str(a, text).p;
	return true;
}

/* Relative to the folder of file. */
static bool
path_parse(const struct option *o, struct str text, const char *file,
	struct arena *a, const char **out, struct err *err)
{
	const char *slash = file != NULL ? strrchr(file, '/') : NULL;

	if (text.n == 0)
		return found_instead(o, OPT_PATH, text, err);
	if (text.n > TEXT_BYTES_MAX)
		return err_set(err, ERR_INVALID, "the name is too long");
	if (text.p[0] == '/' || slash == NULL)
		*out = arena_str(a, text).p;
	else
		*out = arena_printf(a, "%.*s%.*s", (int)(slash - file + 1),
			file, STR_ARG(text)).p;
	return true;
}

bool
option_list_has(const struct option_list *list, struct str text)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_is(text, list->items[i]))
			return true;
	return false;
}

static bool
address_parse(const struct option *o, enum option_type type, struct str text,
	struct arena *a, const char **out, struct err *err)
{
	struct err why = ERR_INIT;
	char ip[IP_LITERAL_SIZE], spelt[INET6_ADDRSTRLEN];
	size_t n;
	struct str domain;
	struct jid jid;

	if (text.n > JID_MAX)
		return found_instead(o, type, text, err);
	if (o->service && text.n == 0) {
		*out = "";
		return true;
	}
	if (type == OPT_JID && jid_parse(&jid, a, text, &why)) {
		*out = arena_str(a, jid_str(jid)).p;
		return true;
	}
	if (type == OPT_MACHINE && (n = ip_literal_read(text, ip)) != 0) {
		(void)inet_ntop(n == 4 ? AF_INET : AF_INET6, ip, spelt,
			sizeof(spelt));
		*out = arena_str(a, str_c(spelt)).p;
		return true;
	}
	if (type == OPT_MACHINE && ip_literal_is_like(text))
		return found_instead(o, type, text, err);
	if (type != OPT_JID && jid_prep_domain(&domain, a, text, &why)) {
		*out = arena_str(a, domain).p;
		return true;
	}
	found_instead(o, type, text, err);
	if (why.text[0] != '\0') {
		char found[sizeof(err->text)];

		snprintf(found, sizeof(found), "%s", err->text);
		err_set(err, ERR_INVALID, "%.150s (%.80s)", found, why.text);
	}
	return false;
}

static bool
network_parse(const struct option *o, struct str text, struct arena *a,
	const char **out, struct err *err)
{
	struct ip_network net;

	if (!ip_network_read(text, &net))
		return found_instead(o, OPT_NETWORK, text, err);
	*out = arena_str(a, text).p;
	return true;
}

bool
option_parse(const struct option *o, enum option_type type, struct str text,
	const char *file, struct arena *a, union option_value *out,
	struct err *err)
{
	int64_t n;

	switch (type) {
	case OPT_SWITCH:
		return switch_parse(text, &out->on) ||
			found_instead(o, type, text, err);
	case OPT_INT:
	case OPT_DURATION:
		return number_in_range(o, type, text, &out->n, err);
	case OPT_SIZE:
		if (!number_in_range(o, type, text, &n, err))
			return false;
		out->bytes = (uint64_t)n;
		return true;
	case OPT_TEXT:
		return text_parse(o, text, a, &out->text, err);
	case OPT_PATH:
		return path_parse(o, text, file, a, &out->text, err);
	case OPT_JID:
	case OPT_DOMAIN:
	case OPT_MACHINE:
		return address_parse(o, type, text, a, &out->text, err);
	case OPT_NETWORK:
		return network_parse(o, text, a, &out->text, err);
	case OPT_CHOICE:
		return choice_parse(o, text, &out->choice) ||
			found_instead(o, type, text, err);
	case OPT_LIST:
		break;
	}
	return found_instead(o, OPT_LIST, text, err);
}

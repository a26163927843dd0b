/*
 * room_config.c - how a room is configured.
 *
 * The rows below are all there is to know of a field; to add one is to add a row.
 */
#include "config.h"

#include "room_config.h"

#include <assert.h>

#define NAME_BYTES 256
#define DESC_BYTES 2048
#define LANG_BYTES 64
#define CONTACTS_MAX 10
#define SECRET_BYTES 1023
#define USERS_MAX 100000
#define HISTORY_MAX 1000
#define DAYS_MAX 36500
#define SLOW_MAX 86400

#define HISTORY_DEFAULT 20
#define ALL_ROLES                                                              \
	(ROLE_BIT(ROLE_VISITOR) | ROLE_BIT(ROLE_PARTICIPANT) |                 \
		ROLE_BIT(ROLE_MODERATOR))

enum kind {
	TEXT,   /* char *; max: bytes */
	SECRET, /* the same, not shown as it is typed */
	ADDRESSES, /* of people, in lines of such a text; max: how many */
	FLAG,   /* bool */
	NUMBER, /* uint32_t; max */
	USERS,  /* the same, or "none", which is 0 */
	CHOICE, /* int: which of the options */
	SET,    /* unsigned: which roles */
};

struct row {
	const char *var;
	const char *label;
	enum kind kind;
	size_t off; /* in struct room_config */
	uint32_t max;
	const char *const *options; /* of CHOICE: value, label, ...; NULL */
	const char *info; /* its name in muc#roominfo; NULL: it is not told */
	const char *on, *no; /* features of FLAG (§16.3); NULL */
	bool is_validated;   /* the range of NUMBER is in the form (XEP-0122 §3.2.2) */
};

#define OFF(field) offsetof(struct room_config, field)
#define VAR(name) "muc#roomconfig_" name

static const char *const pm_options[] = { "anyone", "Anyone", "participants",
	"Anyone with voice", "moderators", "Moderators only", "none", "Nobody",
	NULL };
static const char *const whois_options[] = { "moderators", "Moderators only",
	"anyone", "Anyone", NULL };
static const uint32_t users_options[] = { 10, 20, 50, 100, 200, 500, 1000, 2000,
	5000, 10000 };

static const struct row rows[] = {
	{ VAR("roomname"), "Name of the room", TEXT, OFF(name), NAME_BYTES,
		.info = VAR("roomname") },
	{ VAR("roomdesc"), "What it is about", TEXT, OFF(desc), DESC_BYTES,
		.info = "muc#roominfo_description" },
	{ VAR("lang"), "Language that is spoken in it", TEXT, OFF(lang),
		LANG_BYTES, .info = "muc#roominfo_lang" },
	/* no registered field sets what muc#roominfo_contactjid tells */
	{ VAR("contactjid"), "Addresses to turn to", ADDRESSES, OFF(contacts),
		CONTACTS_MAX, .info = "muc#roominfo_contactjid" },
	{ VAR("publicroom"), "Is it in the list of rooms?", FLAG, OFF(is_public),
		.on = "muc_public", .no = "muc_hidden" },
	{ VAR("persistentroom"), "Does it stay when everybody has left?", FLAG,
		OFF(persistent), .on = "muc_persistent", .no = "muc_temporary" },
	{ VAR("membersonly"), "Is it for members only?", FLAG, OFF(members_only),
		.on = "muc_membersonly", .no = "muc_open" },
	{ VAR("moderatedroom"), "Does one need voice to speak?", FLAG,
		OFF(moderated), .on = "muc_moderated", .no = "muc_unmoderated" },
	{ VAR("passwordprotectedroom"), "Does one need a password to enter?",
		FLAG, OFF(has_password), .on = "muc_passwordprotected",
		.no = "muc_unsecured" },
	{ VAR("roomsecret"), "The password", SECRET, OFF(secret),
		.max = SECRET_BYTES },
	{ VAR("whois"), "Who sees the addresses of those who are in it?", CHOICE,
		OFF(whois), .options = whois_options },
	{ VAR("changesubject"), "May participants change the subject?", FLAG,
		OFF(change_subject), .info = VAR("changesubject") },
	{ VAR("allowinvites"), "May members invite others?", FLAG,
		OFF(allow_invites), .info = VAR("allowinvites") },
	{ VAR("allowpm"), "Who may send private messages?", CHOICE, OFF(allow_pm),
		.options = pm_options, .info = VAR("allowpm") },
	{ VAR("presencebroadcast"), "Whose presence do the others get?", .kind = SET,
		.off = OFF(presence_of) },
	{ VAR("getmemberlist"),
		"Who may have the list of members, where addresses are seen?",
		.kind = SET, .off = OFF(member_list) },
	{ VAR("maxusers"), "How many may be in it?", USERS, OFF(max_users),
		.max = USERS_MAX },
	{ "muc#maxhistoryfetch", "How many messages does one get who enters?",
		NUMBER, OFF(max_history), HISTORY_MAX,
		.info = "muc#maxhistoryfetch" },
	/* XEP-0500 §5 */
	{ VAR("slow_mode_duration"),
		"How many seconds have to be between two messages of somebody? (0: any)",
		NUMBER, OFF(slow_mode), SLOW_MAX,
		.info = "muc#roominfo_slow_mode_duration", .is_validated = true },
	{ VAR("enablearchiving"), "Is what is said archived?", .kind = FLAG,
		.off = OFF(archive) },
	{ "x-muc#roomconfig_archive_days", "For how many days, where that is less than usual?",
		.kind = NUMBER, .off = OFF(archive_days), .max = DAYS_MAX },
};

/* Numbers, choices and sets are alike there. */
static_assert(sizeof(int) == sizeof(uint32_t), "rows are compared as such");

static inline void *
at(struct room_config *c, const struct row *row)
{
	return (char *)c + row->off;
}

static inline const void *
at_const(const struct room_config *c, const struct row *row)
{
	return (const char *)c + row->off;
}

static bool
is_text(const struct row *row)
{
	return row->kind == TEXT || row->kind == SECRET ||
		row->kind == ADDRESSES;
}

/* --- the object ---------------------------------------------------------------------- */

void
room_config_init(struct room_config *c)
{
	*c = (struct room_config){
		.max_history = HISTORY_DEFAULT,
		.presence_of = ALL_ROLES,
		.member_list = ALL_ROLES,
		.is_public = true,
		.archive = true,
	};
}

void
room_config_done(struct room_config *c)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (is_text(&rows[i])) {
			free(*(char **)at(c, &rows[i]));
			*(char **)at(c, &rows[i]) = NULL;
		}
	}
}

void
room_config_copy(struct room_config *out, const struct room_config *c)
{
	*out = *c;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char **text = at(out, &rows[i]);

		if (is_text(&rows[i]) && *text != NULL)
			*text = str_dup(str_c(*text));
	}
}

int64_t
room_config_bytes(const struct room_config *c)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (is_text(&rows[i]))
			bytes += memuse_size(*(char *const *)at_const(c, &rows[i]));
	}
	return bytes;
}

bool
room_config_lets_pm(const struct room_config *c, enum room_role role)
{
	static const enum room_role least[] = {
		[PM_ANYONE] = ROLE_VISITOR,
		[PM_PARTICIPANTS] = ROLE_PARTICIPANT,
		[PM_MODERATORS] = ROLE_MODERATOR,
	};

	return c->allow_pm != PM_NONE && role >= least[c->allow_pm];
}

struct room_config_change
room_config_compare(const struct room_config *before,
	const struct room_config *after)
{
	struct room_config_change change = {
		.shows_all = after->whois == WHOIS_ANYONE &&
			before->whois != WHOIS_ANYONE,
		.hides = after->whois != WHOIS_ANYONE &&
			before->whois == WHOIS_ANYONE,
		.closes = after->members_only && !before->members_only,
		.roles = after->moderated != before->moderated,
		.presence = after->presence_of != before->presence_of,
	};

	for (size_t i = 0; i < COUNT(rows) && !change.any; i++) {
		const struct row *row = &rows[i];
		const void *a = at_const(before, row), *b = at_const(after, row);

		if (row->off == OFF(whois))
			continue; /* it has codes of its own */
		if (is_text(row))
			change.any = !str_eq(str_c(*(char *const *)a),
				str_c(*(char *const *)b));
		else if (row->kind == FLAG)
			change.any = *(const bool *)a != *(const bool *)b;
		else
			change.any = *(const uint32_t *)a != *(const uint32_t *)b;
	}
	return change;
}

/* --- what a field has ---------------------------------------------------------------- */

static void
add_roles(struct arena *a, struct elem *field, unsigned set)
{
	for (enum room_role r = ROLE_MODERATOR; r != ROLE_NONE; r--) {
		if ((set & ROLE_BIT(r)) != 0)
			form_add_value(a, field, str_c(role_name(r)));
	}
}

/* NULL: none. */
static void
add_lines(struct arena *a, struct elem *field, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t n = strcspn(text, "\n");

		form_add_value(a, field, (struct str){ text, n });
		text += n + (text[n] == '\n');
	}
}

static struct str
number_text(struct arena *a, const struct row *row, uint32_t n)
{
	if (row->kind == USERS && n == 0)
		return STR("none");
	return arena_printf(a, "%u", (unsigned)n);
}

/* The value or values, as they are read again. */
static void
add_values(const struct room_config *c, const struct row *row, struct arena *a,
	struct elem *field)
{
	const void *p = at_const(c, row);

	switch (row->kind) {
	case TEXT:
	case SECRET:
		if (*(char *const *)p != NULL)
			form_add_value(a, field, str_c(*(char *const *)p));
		break;
	case ADDRESSES:
		add_lines(a, field, *(char *const *)p);
		break;
	case FLAG:
		form_add_value(a, field, *(const bool *)p ? STR("1") : STR("0"));
		break;
	case NUMBER:
	case USERS:
		form_add_value(a, field, number_text(a, row, *(const uint32_t *)p));
		break;
	case CHOICE:
		form_add_value(a, field, str_c(row->options[2 * *(const int *)p]));
		break;
	case SET:
		add_roles(a, field, *(const unsigned *)p);
		break;
	}
}

static const char *
field_type(const struct row *row)
{
	static const char *const types[] = {
		[TEXT] = "text-single",
		[SECRET] = "text-private",
		[ADDRESSES] = "jid-multi",
		[FLAG] = "boolean",
		[NUMBER] = "text-single",
		[USERS] = "list-single",
		[CHOICE] = "list-single",
		[SET] = "list-multi",
	};

	return types[row->kind];
}

/* --- the form ---------------------------------------------------------------------------- */

static void
add_option(struct arena *a, struct elem *field, struct str value,
	struct str label)
{
	struct elem *option = elem_add(a, field, NS_FORM, "option");

	elem_set_attr(a, option, "label", label);
	elem_add_with_text(a, option, NS_FORM, "value", value);
}

/* Those below what the service lets, and what is in force, which is an option too
 * (XEP-0004 §3.3). */
static void
add_users_options(struct arena *a, struct elem *field, uint32_t now,
	uint32_t max_users)
{
	bool said = now == 0;

	for (size_t i = 0; i < COUNT(users_options); i++) {
		uint32_t n = users_options[i];
		struct str text = arena_printf(a, "%u", (unsigned)n);

		if (!said && now < n) {
			struct str own = arena_printf(a, "%u", (unsigned)now);

			add_option(a, field, own, own);
			said = true;
		}
		if (n <= max_users || n == now)
			add_option(a, field, text, text);
		said |= n == now;
	}
	if (!said)
		add_option(a, field, arena_printf(a, "%u", (unsigned)now),
			arena_printf(a, "%u", (unsigned)now));
	add_option(a, field, STR("none"), STR("As many as the service lets"));
}

static void
add_options(const struct room_config *c, const struct row *row, struct arena *a,
	struct elem *field, uint32_t max_users)
{
	if (row->kind == CHOICE) {
		for (const char *const *o = row->options; *o != NULL; o += 2)
			add_option(a, field, str_c(o[0]), str_c(o[1]));
	} else if (row->kind == USERS) {
		add_users_options(a, field, *(const uint32_t *)at_const(c, row),
			max_users);
	} else if (row->kind == SET) {
		add_option(a, field, STR("moderator"), STR("Moderators"));
		add_option(a, field, STR("participant"), STR("Participants"));
		add_option(a, field, STR("visitor"), STR("Visitors"));
	}
}

static void
add_range(struct arena *a, struct elem *field, uint32_t max)
{
	struct elem *validate = elem_add(a, field, NS_VALIDATE, "validate");
	struct elem *range = elem_add(a, validate, NS_VALIDATE, "range");

	elem_set_attr(a, validate, "datatype", STR("xs:integer"));
	elem_set_attr(a, range, "min", STR("0"));
	elem_set_attr(a, range, "max", arena_printf(a, "%u", (unsigned)max));
}

void
room_config_form(const struct room_config *c, struct arena *a,
	struct elem *form, uint32_t max_users)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct elem *field = form_add_field(a, form, rows[i].var,
			field_type(&rows[i]), rows[i].label);

		add_values(c, &rows[i], a, field);
		add_options(c, &rows[i], a, field, max_users);
		if (rows[i].is_validated)
			add_range(a, field, rows[i].max);
	}
}

struct elem *
room_config_stored(const struct room_config *c, struct arena *a)
{
	struct elem *form = elem_new(a, NS_FORM, "x");

	elem_set_attr(a, form, "type", STR("submit"));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct elem *field = elem_add(a, form, NS_FORM, "field");

		elem_set_attr(a, field, "var", str_c(rows[i].var));
		add_values(c, &rows[i], a, field);
	}
	return form;
}

/* --- what others are told --------------------------------------------------------- */

void
room_config_info(const struct room_config *c, struct arena *a,
	struct elem *form)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];

		if (row->info == NULL ||
			(is_text(row) && *(char *const *)at_const(c, row) == NULL))
			continue;
		add_values(c, row, a,
			form_add_field(a, form, row->info, field_type(row),
				row->label));
	}
}

static void
add_feature(struct arena *a, struct elem *query, const char *var)
{
	elem_set_attr(a, elem_add(a, query, NS_DISCO_INFO, "feature"), "var",
		str_c(var));
}

void
room_config_features(const struct room_config *c, struct arena *a,
	struct elem *query)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].on != NULL)
			add_feature(a, query,
				*(const bool *)at_const(c, &rows[i]) ?
					rows[i].on :
					rows[i].no);
	}
	add_feature(a, query,
		c->whois == WHOIS_ANYONE ? "muc_nonanonymous" :
					   "muc_semianonymous");
}

/* --- what is read -------------------------------------------------------------------- */

static bool
read_text(char **text_io, const struct row *row, struct str value)
{
	if (value.n > row->max)
		return false;
	free(*text_io);
	*text_io = value.n != 0 ? str_dup(value) : NULL;
	return true;
}

/* XEP-0004 §3.3 */
static bool
read_flag(bool *flag, struct str value)
{
	*flag = str_is(value, "1") || str_is(value, "true");
	return *flag || str_is(value, "0") || str_is(value, "false");
}

static bool
read_number(uint32_t *number, const struct row *row, struct str value)
{
	long long n = 0;

	if (row->kind == USERS && str_is(value, "none")) {
		*number = 0;
		return true;
	}
	if (!str_to_int(value, row->kind == USERS ? 1 : 0, row->max, &n))
		return false;
	*number = (uint32_t)n;
	return true;
}

static bool
read_choice(int *choice, const struct row *row, struct str value)
{
	for (int i = 0; row->options[2 * i] != NULL; i++) {
		if (str_is(value, row->options[2 * i])) {
			*choice = i;
			return true;
		}
	}
	return false;
}

static bool
read_set(unsigned *set, struct arena *a, const struct elem *field)
{
	enum room_role role;

	*set = 0;
	elem_each_child(field, e) {
		if (!elem_is(e, NS_FORM, "value"))
			continue;
		if (!role_parse(elem_text(a, e), &role) || role == ROLE_NONE)
			return false;
		*set |= ROLE_BIT(role);
	}
	return true;
}

static bool
read_addresses(char **text_io, const struct row *row, struct arena *a,
	const struct elem *field)
{
	struct buf lines = BUF_INIT;
	struct str text;
	struct jid jid;
	uint32_t n = 0;
	bool ok = true;

	elem_each_child(field, e) {
		text = elem_text(a, e);
		if (!elem_is(e, NS_FORM, "value") || text.n == 0)
			continue;
		ok = n++ < row->max && jid_parse(&jid, a, text, NULL);
		if (!ok)
			break;
		if (lines.n != 0)
			buf_add(&lines, "\n", 1);
		buf_add_str(&lines, jid_bare_str(jid));
	}
	if (ok) {
		free(*text_io);
		*text_io = lines.n != 0 ? str_dup(buf_str(&lines)) : NULL;
	}
	buf_done(&lines);
	return ok;
}

/* A field that has no value says nothing of what has to have one. */
static bool
read_field(struct room_config *c, const struct row *row, struct arena *a,
	const struct elem *field)
{
	struct str value = form_value(a, field);
	bool none = elem_child(field, NS_FORM, "value") == NULL;

	if (row->kind == SET)
		return read_set(at(c, row), a, field);
	if (row->kind == ADDRESSES)
		return read_addresses(at(c, row), row, a, field);
	if (is_text(row))
		return read_text(at(c, row), row, value);
	if (none)
		return true;
	if (row->kind == FLAG)
		return read_flag(at(c, row), value);
	if (row->kind == CHOICE)
		return read_choice(at(c, row), row, value);
	return read_number(at(c, row), row, value);
}

static const struct row *
row_find(struct str var)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (str_is(var, rows[i].var))
			return &rows[i];
	}
	return NULL;
}

bool
room_config_read(struct room_config *c, struct arena *a,
	const struct elem *form, const char **why_out)
{
	elem_each_child(form, field) {
		const struct row *row = elem_is(field, NS_FORM, "field") ?
			row_find(elem_attr(field, "var")) :
			NULL;

		if (row != NULL && !read_field(c, row, a, field)) {
			*why_out = row->label;
			return false;
		}
	}
	if (c->has_password && c->secret == NULL) {
		*why_out = "A room with a password needs one"; /* §10.1.3 */
		return false;
	}
	if (!c->has_password) {
		free(c->secret);
		c->secret = NULL;
	}
	return true;
}

/*
 * upload_record.c - what the store knows of a file.
 */
#include "config.h"

#include "upload_record.h"

#include "upload_token.h"

struct store_place
upload_log(struct str host)
{
	return (struct store_place){ host, STR(""), STR(UPLOAD_LOG) };
}

bool
upload_is_local(struct str host, struct str user)
{
	struct str local, domain;

	return str_cut(user, '@', &local, &domain) && local.n != 0 &&
		str_eq(domain, host);
}

struct str
upload_owner(struct arena *a, struct str host, struct str user)
{
	if (upload_is_local(host, user))
		return (struct str){ user.p, user.n - host.n - 1 };
	return arena_printf(a, "/%.*s", STR_ARG(user));
}

void
upload_record_add(struct store_tx *tx, struct str host,
	const struct upload_record *r)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_UPLOADED, "file");
	struct buf value = BUF_INIT;
	char at[DATETIME_SIZE];

	elem_set_attr(a, e, "series", r->series);
	elem_set_attr(a, e, "name", r->name);
	elem_set_attr(a, e, "type", r->type.n != 0 ? r->type : STR_NONE);
	elem_set_attr(a, e, "bytes",
		arena_printf(a, "%llu", (unsigned long long)r->bytes));
	elem_set_attr(a, e, "purpose", str_c(upload_purpose_name(r->purpose)));
	elem_set_attr(a, e, "at", datetime_format(at, r->at_us));
	stored_write(&value, e);
	store_tx_append(tx, upload_log(host), r->id, r->due_us, r->user,
		buf_str(&value));
	buf_done(&value);
	arena_free(a);
}

bool
upload_record_read(struct upload_record *r, struct arena *a,
	const struct store_entry *entry)
{
	const struct elem *e = stored_read(a, entry->value);
	long long bytes;

	if (e == NULL || !elem_is(e, NS_UPLOADED, "file") ||
		!upload_id_ok(entry->key))
		return false;
	*r = (struct upload_record){
		.id = arena_str(a, entry->key),
		.user = arena_str(a, entry->with),
		.series = elem_attr(e, "series"),
		.name = elem_attr(e, "name"),
		.type = elem_attr(e, "type"),
		.due_us = entry->wall_us,
	};
	if (!str_to_int(elem_attr(e, "bytes"), 1, INT64_MAX, &bytes) ||
		!upload_purpose_parse(elem_attr(e, "purpose"), &r->purpose) ||
		!datetime_parse(elem_attr(e, "at"), &r->at_us))
		return false;
	r->bytes = (uint64_t)bytes;
	return r->name.n != 0;
}

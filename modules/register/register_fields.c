/*
 * register_fields.c - a name and a password, as elements or in a form.
 *
 * Pure functions.
 */
#include "config.h"

#include "register.h"

static void
field_take(struct fields *f, struct str name, struct str value)
{
	struct str *at = &f->username;

	if (str_is(name, "password"))
		at = &f->password;
	else if (!str_is(name, "username"))
		return;
	f->twice = f->twice || at->p != NULL;
	*at = value;
}

struct fields
fields_read(struct arena *a, const struct elem *query)
{
	const struct elem *form = form_submitted(query);
	struct fields f = { .remove = false };

	elem_each_child(form != NULL ? form : query, e) {
		if (elem_is(e, NS_FORM, "field"))
			field_take(&f, elem_attr(e, "var"), form_value(a, e));
		else if (elem_is(e, NS_REGISTER, "remove"))
			f.remove = true;
		else if (str_is(e->ns, NS_REGISTER))
			field_take(&f, e->name, elem_text(a, e));
	}
	return f;
}

void
fields_wipe(struct fields *f, struct elem *query)
{
	if (f->password.n != 0)
		explicit_bzero((void *)(uintptr_t)f->password.p,
			f->password.n);
	elem_wipe(query);
}

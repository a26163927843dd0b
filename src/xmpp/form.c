/*
 * form.c - data forms (XEP-0004), as much as we show and read.
 */
#include "config.h"

#include "xmpp/form.h"

#include <assert.h>

#include "xml/elem.h"
#include "xmpp/ns.h"

struct elem *
form_add_field(struct arena *a, struct elem *form, const char *var,
	const char *type, const char *label)
{
	struct elem *field = elem_add(a, form, NS_FORM, "field");

	assert(type != NULL);
	elem_set_attr(a, field, "var", str_c(var));
	elem_set_attr(a, field, "type", str_c(type));
	elem_set_attr(a, field, "label", str_c(label));
	return field;
}

void
form_add_value(struct arena *a, struct elem *field, struct str value)
{
	elem_add_with_text(a, field, NS_FORM, "value", value);
}

struct elem *
form_add(struct arena *a, struct elem *parent, const char *type,
	const char *form_type)
{
	struct elem *form = elem_add(a, parent, NS_FORM, "x");

	elem_set_attr(a, form, "type", str_c(type));
	form_add_value(a, form_add_field(a, form, "FORM_TYPE", "hidden", NULL),
		str_c(form_type));
	return form;
}

const struct elem *
form_submitted(const struct elem *e)
{
	elem_each_child(e, form) {
		if (elem_is(form, NS_FORM, "x") &&
			str_is(elem_attr(form, "type"), "submit"))
			return form;
	}
	return NULL;
}

const struct elem *
form_field(const struct elem *form, const char *var)
{
	elem_each_child(form, field) {
		if (elem_is(field, NS_FORM, "field") &&
			str_is(elem_attr(field, "var"), var))
			return field;
	}
	return NULL;
}

bool
form_is(struct arena *a, const struct elem *form, const char *form_type)
{
	const struct elem *field = form_field(form, "FORM_TYPE");

	return field == NULL || str_is(form_value(a, field), form_type);
}

struct str
form_value(struct arena *a, const struct elem *field)
{
	const struct elem *value = elem_child(field, NS_FORM, "value");

	return value != NULL ? elem_text(a, value) : STR("");
}

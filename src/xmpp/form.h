/*
 * form.h - data forms (XEP-0004), as much as we show and read.
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_FORM_H
#define XMPP_FORM_H

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct elem;

/* Adds a form of the given type ("form", "result") to parent, with its
 * FORM_TYPE (XEP-0068); all in the arena of a. */
struct elem *form_add(struct arena *a, struct elem *parent, const char *type,
	const char *form_type);
/* Adds a field to form; label may be NULL.  A field without a type is one line
 * of text (XEP-0004 §3.3), so the type is always said. */
struct elem *form_add_field(struct arena *a, struct elem *form,
	const char *var, const char *type, const char *label);
void form_add_value(struct arena *a, struct elem *field, struct str value);

/* The form inside e that was filled in, or NULL. */
const struct elem *form_submitted(const struct elem *e);
/* Is it of this FORM_TYPE (XEP-0068)?  One that does not say is of the kind that is
 * expected where it stands (§3.3). */
bool form_is(struct arena *a, const struct elem *form, const char *form_type);
/* The field of this name, or NULL. */
const struct elem *form_field(const struct elem *form, const char *var);
/* The first value of a field: empty when it has none.  Borrowed from field, or
 * in the arena of a. */
struct str form_value(struct arena *a, const struct elem *field);

#endif

/*
 * precis.c - preparation of internationalised strings: ASCII only so far,
 * which has nothing that would need it.
 *
 * Any thread.
 */
#include "config.h"

#include "xmpp/precis.h"

#include "base/err.h"

bool
precis_username(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	(void)out;
	(void)a;
	(void)in;
	return err_set(err, ERR_INVALID, "not ASCII");
}

bool
precis_opaque(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	(void)out;
	(void)a;
	(void)in;
	return err_set(err, ERR_INVALID, "not ASCII");
}

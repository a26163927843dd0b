/*
 * fuzz_jid.c - any bytes as an address: what is accepted keeps the bounds of
 * RFC 7622, and preparing it again changes nothing.
 */
#include "config.h"

#include "fuzz.h"

#include "base/arena.h"
#include "base/err.h"
#include "xmpp/jid.h"

static void
check_part(struct str part)
{
	FUZZ_CHECK(part.n <= JID_PART_MAX);
	FUZZ_CHECK(str_is_utf8(part));
}

static void
check_address(struct arena *a, struct jid j)
{
	struct jid again;

	FUZZ_CHECK(jid_domain(j).n != 0);
	FUZZ_CHECK((j.len == j.bare_len) == (jid_resource(j).n == 0));
	check_part(jid_local(j));
	check_part(jid_domain(j));
	check_part(jid_resource(j));
	FUZZ_CHECK(jid_parse(&again, a, jid_str(j), NULL));
	FUZZ_CHECK(jid_eq(j, again));
	FUZZ_CHECK(again.local_len == j.local_len);
	again = jid_trusted(jid_str(j));
	FUZZ_CHECK(jid_eq(j, again) && again.local_len == j.local_len);
}

static void
check_parts(struct arena *a, struct str in)
{
	struct str out, again;

	if (jid_prep_local(&out, a, in, NULL)) {
		check_part(out);
		FUZZ_CHECK(jid_prep_local(&again, a, out, NULL));
		FUZZ_CHECK(str_eq(out, again));
	}
	if (jid_prep_resource(&out, a, in, NULL)) {
		check_part(out);
		FUZZ_CHECK(jid_prep_resource(&again, a, out, NULL));
		FUZZ_CHECK(str_eq(out, again));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = { (const char *)data, n };
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct jid j;

	if (jid_parse(&j, a, in, &err))
		check_address(a, j);
	else
		FUZZ_CHECK(err.code == ERR_INVALID && err.text[0] != '\0');
	check_parts(a, in);
	arena_free(a);
	return 0;
}

/*
 * names.c - the names that the protocol knows, each with one static copy.
 *
 * Any thread.  The table is closed: nothing that a peer sends is ever added to
 * it (hostile 15).
 */
#include "config.h"

#include "xml/names.h"

#include <stdint.h>

#include "xml/elem.h"
#include "xml/names_slots.h"

static const struct str names[] = {
/* clang-format off */
#define NAME(s) { s, sizeof(s) - 1 },
#include "xml/names.def"
#undef NAME
	/* clang-format on */
};

/*
 * Four letters and the length tell the names apart well: 1.2 probes on
 * average, 5 at most.  The same is computed by names.awk.
 */
static inline uint32_t
name_hash(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t h = (uint32_t)s.n * 229 + p[0] * 367U + p[s.n / 2] * 697U;

	h += p[s.n * 3 / 4] * 295U + p[s.n - 1] * 769U;
	return h & (NAME_SLOTS - 1);
}

/* Of s, which is not empty; 0: it is not known. */
static inline unsigned
name_find(struct str s)
{
	for (uint32_t h = name_hash(s); name_slots[h] != 0;
		h = (h + 1) & (NAME_SLOTS - 1)) {
		struct str known = names[name_slots[h] - 1];

		if (known.n == s.n && memcmp(known.p, s.p, s.n) == 0)
			return name_slots[h];
	}
	return 0;
}

unsigned
names_number(struct str s)
{
	return s.n != 0 ? name_find(s) : 0;
}

struct str
names_at(unsigned number)
{
	return names[number - 1];
}

bool
names_find(struct str s, struct str *known_out)
{
	unsigned number;

	if (s.n == 0) {
		*known_out = STR("");
		return s.p != NULL;
	}
	number = name_find(s);
	if (number == 0)
		return false;
	*known_out = names[number - 1];
	return true;
}

struct str
xml_intern(struct str s)
{
	struct str known;

	return names_find(s, &known) ? known : s;
}

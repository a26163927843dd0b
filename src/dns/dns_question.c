/*
 * dns_question.c - what is asked of the DNS, which names can be, and what the library
 * says of one.
 *
 * Any thread.  Invariant: a name that libunbound is given needs no quoting.
 */
#include "config.h"

#include "dns/dns.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>
#include <unbound.h>

#include "base/mem.h"
#include "base/str.h"
#include "xmpp/ip_literal.h"
#include "dns/dns_int.h"

#define LABEL_MAX 63
#define NAME_MAX_TEXT 253

struct dns_question *
dns_question_new(size_t n, dns_done_fn done, void *arg)
{
	struct dns_question *q;

	assert(n <= DNS_PARTS_MAX);
	q = xcalloc(1, sizeof(*q) + n * sizeof(q->parts[0]));
	q->done = done;
	q->arg = arg;
	return q;
}

/* Letters, digits, hyphen and underscore: what needs no quoting on the way to the
 * library, nor in a zone. */
static bool
label_is_sound(struct str label)
{
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if (!(c >= '0' && c <= '9') && c != '-' && c != '_' &&
			!((c | 32) >= 'a' && (c | 32) <= 'z'))
			return false;
	}
	return label.n >= 1 && label.n <= LABEL_MAX;
}

static bool
name_is_sound(const char *name)
{
	struct str label, rest = str_c(name);
	bool more = true;

	if (strcmp(name, ".") == 0)
		return true;
	while (more) {
		more = str_cut(rest, '.', &label, &rest);
		if (!label_is_sound(label))
			return false;
	}
	return strlen(name) <= NAME_MAX_TEXT;
}

void
dns_question_add(struct dns_question *q, const char *name, enum dns_type type)
{
	struct dns_part *part = &q->parts[q->n++];

	part->type = type;
	if (name_is_sound(name)) {
		memcpy(part->name, name, strlen(name) + 1);
		return;
	}
	part->state = DNS_FAILED;
	snprintf(part->why, sizeof(part->why),
		"%.80s is no name that the DNS could have", name);
}

static const char *
rcode_text(int rcode)
{
	switch (rcode) {
	case 1:
		return "the name servers do not understand the question (FORMERR)";
	case 2:
		return "no name server could be asked, or none knows (SERVFAIL)";
	case 5:
		return "the name servers do not answer us (REFUSED)";
	default:
		return "the name servers answer with an error";
	}
}

/* In place: small letters, and no dot at the end. */
static const char *
canon_read(char *name)
{
	size_t n = name != NULL ? strlen(name) : 0;

	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
	for (size_t i = 0; i < n; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] = (char)(name[i] | 32);
	return n > 1 && name_is_sound(name) ? name : NULL;
}

void
dns_part_answer(struct dns_part *part, struct ub_result *result)
{
	part->result = result;
	part->canon = canon_read(result->canonname);
	part->secure = result->secure != 0;
	part->nxdomain = result->nxdomain != 0;
	part->ttl_s = (uint32_t)MAX(result->ttl, 0);
	if (result->bogus) {
		part->state = DNS_BOGUS;
		snprintf(part->why, sizeof(part->why), "%s",
			result->why_bogus != NULL ? result->why_bogus :
						    "the signatures are wrong");
	} else if (result->havedata) {
		part->state = DNS_FOUND;
		part->data = result->data;
		part->size = result->len;
	} else if (result->rcode == 0 || result->nxdomain) {
		part->state = DNS_NONE;
	} else {
		part->state = DNS_FAILED;
		snprintf(part->why, sizeof(part->why), "%s",
			rcode_text(result->rcode));
	}
}

void
dns_part_fail(struct dns_part *part, int rc)
{
	part->state = DNS_FAILED;
	snprintf(part->why, sizeof(part->why), "the resolver has failed: %s",
		ub_strerror(rc));
}

void
dns_question_free(struct dns_question *q)
{
	for (size_t i = 0; i < q->n; i++)
		ub_resolve_free(q->parts[i].result);
	free(q);
}

bool
dns_name(const char *domain, char out[DNS_NAME_SIZE])
{
	char *ascii = NULL;
	bool ok;

	if (idn2_to_ascii_8z(domain, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	ok = name_is_sound(ascii) && !ip_literal_is_like(str_c(ascii));
	if (ok)
		memcpy(out, ascii, strlen(ascii) + 1);
	idn2_free(ascii);
	return ok;
}

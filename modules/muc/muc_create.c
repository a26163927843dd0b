/*
 * muc_create.c - who may make a room.
 */
#include "config.h"

#include "muc_create.h"

#include "room.h"

static char
small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Of two stars only the last has to be tried at another place, so that it costs as much
 * as both texts multiplied, at most. */
static bool
fits(struct str pattern, struct str name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, from = 0;

	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = ++p;
			from = n;
		} else if (p < pattern.n &&
			small(pattern.p[p]) == name.p[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star;
			n = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static bool
name_fits(const struct option_list *patterns, struct str name)
{
	for (size_t i = 0; i < patterns->n; i++) {
		if (fits(str_c(patterns->items[i]), name))
			return true;
	}
	return false;
}

/* XEP-0045 §7.2.11, §10.1.1. */
const char *
muc_refuses_new(const struct room *r, struct jid user)
{
	const struct muc_conf *conf = room_conf(r);
	const struct host *host = shard_host(r->e.shard, jid_domain(r->e.jid));
	const struct host *parent = host->parent;

	if (conf->create == MUC_CREATE_NOBODY)
		return "Nobody may make rooms here";
	if (host_is_admin(parent, jid_bare_str(user)))
		return NULL;
	if (conf->create == MUC_CREATE_ADMINS)
		return "Only admins may make rooms here";
	if (!str_eq(jid_domain(user), parent->domain))
		return "Only users of this server may make rooms here";
	return name_fits(&conf->names, jid_local(r->e.jid)) ?
		NULL :
		"A room cannot be called that here";
}

void
muc_defaults_apply(const struct muc_conf *conf, struct room_config *c)
{
	const struct muc_defaults *d = &conf->defaults;

	c->is_public = d->is_public;
	c->persistent = d->persistent;
	c->members_only = d->members_only;
	c->moderated = d->moderated;
	c->change_subject = d->change_subject;
	c->allow_invites = d->allow_invites;
	c->archive = conf->archive == MUC_ARCHIVE_DEFAULT;
	c->whois = d->whois;
	c->allow_pm = d->allow_pm;
	c->max_history = (uint32_t)d->history;
}

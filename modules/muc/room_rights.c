/*
 * room_rights.c - roles and affiliations, and who may do what to whom.
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include "room_rights.h"

static const char *const role_names[ROLES] = {
	[ROLE_NONE] = "none",
	[ROLE_VISITOR] = "visitor",
	[ROLE_PARTICIPANT] = "participant",
	[ROLE_MODERATOR] = "moderator",
};

/* From AFF_OUTCAST on. */
static const char *const affiliation_names[] = { "outcast", "none", "member",
	"admin", "owner" };

/* --- names ------------------------------------------------------------------------ */

const char *
role_name(enum room_role role)
{
	return role_names[role];
}

const char *
affiliation_name(enum room_affiliation aff)
{
	return affiliation_names[aff - AFF_OUTCAST];
}

static bool
name_find(const char *const *names, size_t n, struct str name, size_t *at_out)
{
	for (size_t i = 0; i < n; i++) {
		if (str_is(name, names[i])) {
			*at_out = i;
			return true;
		}
	}
	return false;
}

bool
role_parse(struct str name, enum room_role *out)
{
	size_t at;

	if (!name_find(role_names, COUNT(role_names), name, &at))
		return false;
	*out = (enum room_role)at;
	return true;
}

bool
affiliation_parse(struct str name, enum room_affiliation *out)
{
	size_t at;

	if (!name_find(affiliation_names, COUNT(affiliation_names), name, &at))
		return false;
	*out = (enum room_affiliation)((int)at + AFF_OUTCAST);
	return true;
}

/* --- roles ------------------------------------------------------------------------- */

enum room_role
role_initial(enum room_affiliation aff, bool moderated)
{
	if (aff >= AFF_ADMIN)
		return ROLE_MODERATOR;
	return moderated && aff < AFF_MEMBER ? ROLE_VISITOR : ROLE_PARTICIPANT;
}

/* Admins and owners are moderators wherever they are (§5.1.3). */
static bool
is_moderator(struct room_standing who)
{
	return who.role == ROLE_MODERATOR || who.aff >= AFF_ADMIN;
}

enum stanza_cond
rights_set_role(struct room_standing by, struct room_standing whom,
	enum room_role role)
{
	if (!is_moderator(by))
		return COND_FORBIDDEN;
	/* §8.2, §8.5: at the same level he may.  §8.4 has "at or above", which would
	 * leave a moderator without affiliation nobody whose voice he could take. */
	if (whom.aff > by.aff)
		return COND_NOT_ALLOWED;
	/* table 5: who is a moderator, and who is not any more, admins say */
	if ((whom.role == ROLE_MODERATOR || role == ROLE_MODERATOR) &&
		by.aff < AFF_ADMIN)
		return COND_FORBIDDEN;
	/* §8.4, §9.7: of an admin or owner nobody takes it */
	if (whom.aff >= AFF_ADMIN && role != ROLE_NONE && role != ROLE_MODERATOR)
		return COND_NOT_ALLOWED;
	return COND_NONE;
}

enum stanza_cond
rights_list_role(struct room_standing by, enum room_role role)
{
	if (role == ROLE_NONE)
		return COND_BAD_REQUEST;
	if (role == ROLE_MODERATOR)
		return by.aff >= AFF_ADMIN ? COND_NONE : COND_FORBIDDEN;
	return is_moderator(by) ? COND_NONE : COND_FORBIDDEN;
}

/* --- affiliations ----------------------------------------------------------------- */

enum stanza_cond
rights_set_affiliation(const struct room_affiliating *a)
{
	if (a->by < AFF_ADMIN)
		return COND_FORBIDDEN;
	if (a->himself && a->to == AFF_OUTCAST)
		return COND_CONFLICT; /* §9.1 */
	if (a->from > a->by)
		return COND_NOT_ALLOWED; /* §9.1 */
	/* §10.3 to §10.8: the lists of admins and owners are the owners' */
	if ((a->from >= AFF_ADMIN || a->to >= AFF_ADMIN) && a->by < AFF_OWNER)
		return COND_FORBIDDEN;
	if (a->last_owner && a->to != AFF_OWNER)
		return COND_CONFLICT; /* §10.2 */
	return COND_NONE;
}

enum stanza_cond
rights_list_affiliation(struct room_standing by, enum room_affiliation aff,
	bool anonymous, unsigned readers)
{
	enum room_role as = by.role;

	if (aff == AFF_NONE)
		return COND_BAD_REQUEST; /* nobody keeps such a list (§5.2) */
	if (by.aff == AFF_OWNER || (by.aff == AFF_ADMIN && aff < AFF_ADMIN))
		return COND_NONE;
	if (anonymous || aff == AFF_OUTCAST)
		return COND_FORBIDDEN;
	if (as == ROLE_NONE && by.aff >= AFF_MEMBER)
		as = role_initial(by.aff, false);
	return as != ROLE_NONE && (readers & ROLE_BIT(as)) != 0 ? COND_NONE :
								   COND_FORBIDDEN;
}

/*
 * room_rights.h - roles and affiliations (XEP-0045 §5), and the matrix of who may do
 * what to whom, with the error where he may not.
 *
 * Any thread; pure functions.  forbidden is for whoever has not the level that it
 * takes; not-allowed for whoever has it, and means somebody above him.
 */
#ifndef MUC_ROOM_RIGHTS_H
#define MUC_ROOM_RIGHTS_H

#include "module/module.h"

/* Of somebody who is in the room; the higher may do what the lower may. */
enum room_role {
	ROLE_NONE, /* he is not in it */
	ROLE_VISITOR,
	ROLE_PARTICIPANT,
	ROLE_MODERATOR,
};
#define ROLES 4
/* A set of roles. */
#define ROLE_BIT(role) (1u << (role))

/* Of an address, whether it is in the room or not; the same. */
enum room_affiliation {
	AFF_OUTCAST = -1,
	AFF_NONE,
	AFF_MEMBER,
	AFF_ADMIN,
	AFF_OWNER,
};

/* Who does something, or to whom it is done. */
struct room_standing {
	enum room_role role;
	enum room_affiliation aff;
};

const char *role_name(enum room_role role);
const char *affiliation_name(enum room_affiliation aff);
/* False: it is none. */
bool role_parse(struct str name, enum room_role *out);
bool affiliation_parse(struct str name, enum room_affiliation *out);

/* The one that he begins with, and has again when his affiliation or the type of the
 * room changes (§5.1.2, table 4).  Not for an outcast. */
enum room_role role_initial(enum room_affiliation aff, bool moderated);

/* May `by' give whom this role; ROLE_NONE is a kick (§8.2 to §8.5, §9.6 to §9.8)? */
enum stanza_cond rights_set_role(struct room_standing by, struct room_standing whom,
	enum room_role role);

/* What an affiliation is changed from, and to. */
struct room_affiliating {
	enum room_affiliation by, from, to;
	bool himself;    /* who asks is the one whom it is about */
	bool last_owner; /* he is the only owner that there is */
};
/* May it be (§9.1 to §9.5, §10.2 to §10.8)? */
enum stanza_cond rights_set_affiliation(const struct room_affiliating *a);

/* May `by' have the list of those who are in the room with this role (§8.5, §9.8)? */
enum stanza_cond rights_list_role(struct room_standing by, enum room_role role);
/* May he have that of an affiliation (§9.2, §9.5, §10.5, §10.8)?  anonymous: not
 * everybody sees real addresses.  readers: the set of roles that may have it where they
 * do; who is not in the room counts as a participant if he is a member. */
enum stanza_cond rights_list_affiliation(struct room_standing by,
	enum room_affiliation aff, bool anonymous, unsigned readers);

#endif

/*
 * room_config.h - how a room is configured: what there is of it, as one table of rows
 * that drives the form (XEP-0045 §10.1.3, §16.5.3), what is read from it, what is stored,
 * and what is told of it (§16.5.4).
 *
 * Pure functions of one config, which belongs to its room.  The lists of admins and
 * owners, which the same form has, are affiliations: room_owner.c adds them.
 */
#ifndef MUC_ROOM_CONFIG_H
#define MUC_ROOM_CONFIG_H

#include "module/module.h"
#include "room_rights.h"

/* muc#roomconfig_allowpm */
enum room_allow_pm { PM_ANYONE, PM_PARTICIPANTS, PM_MODERATORS, PM_NONE };
/* muc#roomconfig_whois */
enum room_whois { WHOIS_MODERATORS, WHOIS_ANYONE };

/* Texts are owned and NUL-terminated; NULL: none. */
struct room_config {
	char *name, *desc, *lang;
	char *contacts; /* bare addresses, one a line */
	char *secret; /* the password; NULL where none is asked for */
	int allow_pm, whois;
	uint32_t max_users;   /* 0: as many as the service lets */
	uint32_t max_history; /* messages */
	uint32_t archive_days; /* 0: as long as the service does */
	uint32_t slow_mode;   /* seconds between two of one who speaks; 0: any (XEP-0500) */
	unsigned presence_of; /* sets of roles: whose presence others get, */
	unsigned member_list; /* and who may have the list of members */
	bool has_password, members_only, moderated, is_public, persistent;
	bool change_subject, allow_invites, archive;
};

/* What a submitted form has changed, for those who are in the room (§10.2.1). */
struct room_config_change {
	bool any;           /* 104: something else than the two below */
	bool shows_all;     /* 172: everybody sees real addresses, from now on */
	bool hides;         /* 173: moderators alone do */
	bool closes;        /* 322: it is for members from now on */
	bool roles;         /* moderated is not what it was */
	bool presence;      /* whose presence is broadcast is not */
};

/* What a room has that nobody has configured; zeroed before. */
void room_config_init(struct room_config *c);
void room_config_done(struct room_config *c);
void room_config_copy(struct room_config *out, const struct room_config *c);

/* What its texts hold, as memuse.h counts it. */
int64_t room_config_bytes(const struct room_config *c);

/* The fields, with what c has in them, for an owner; max_users: of the service. */
void room_config_form(const struct room_config *c, struct arena *a,
	struct elem *form, uint32_t max_users);
/*
 * Takes what form (submitted, or stored) has of it; what it has not stays, and what is
 * none of ours is passed over (XEP-0004 §3.1).  False, with why_out (kept) for people,
 * where a value is none that the field could have: c is then to be thrown away.
 */
bool room_config_read(struct room_config *c, struct arena *a,
	const struct elem *form, const char **why_out);
/* The same as an element to be stored, which room_config_read() reads. */
struct elem *room_config_stored(const struct room_config *c, struct arena *a);
/* What others are told of it: fields of muc#roominfo. */
void room_config_info(const struct room_config *c, struct arena *a,
	struct elem *form);
/* Features of disco#info (§16.3). */
void room_config_features(const struct room_config *c, struct arena *a,
	struct elem *query);

struct room_config_change room_config_compare(const struct room_config *before,
	const struct room_config *after);

/* Is what somebody with this role says in private let through? */
bool room_config_lets_pm(const struct room_config *c, enum room_role role);

#endif

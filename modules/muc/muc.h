/*
 * muc.h - rooms (XEP-0045): what the module is told by its options, and what its files
 * share.
 *
 * A room is an entity of a class of its own, at a service domain of its host, on the
 * shard that its address hashes to:
 *
 *	        join                     owner says how it is to be
 *	absent -------> locked: its owner is alone in it -------> open <--- the store
 *	  ^               | he leaves, cancels                     |
 *	  |               v                                        | destroyed; or everybody
 *	  '------------- gone <------------------------------------' has left, and it is not
 *	                                                             persistent
 *
 * An open room is in the store: its configuration, affiliations and subject; who is in it
 * is in memory.  What is stored is durable before anybody sees it.
 *
 * room.h says which file does what for one room.  Of the service there are
 *
 *	muc.c             the table of the module: options, requests, hooks
 *	muc_create.c      who may make a room, and how it is then
 *	muc_maker.c       who has made it, and how many he has
 *	muc_accounts.c    what accounts are in which rooms, and the end of an account
 *	muc_list.c        the list of public rooms, in pages; muc_row.c: a row of it
 *	muc_items.c       that list as items of the service (§6.3)
 *	muc_search.c      and for who looks for words (XEP-0433)
 *	muc_archive.c     how long archives are kept, and how much of them
 *	muc_command.c     antiphonctl rooms; muc_command_list.c, muc_command_set.c: what it
 *	                  shows of many, and what it changes
 */
#ifndef MUC_MUC_H
#define MUC_MUC_H

#include "module/module.h"

/* Who may make a room by entering it. */
enum muc_create { MUC_CREATE_LOCAL, MUC_CREATE_ADMINS, MUC_CREATE_NOBODY };

/* Which rooms have an archive: whose owners do not say otherwise, who ask for it, none. */
enum muc_archive { MUC_ARCHIVE_DEFAULT, MUC_ARCHIVE_OPTIONAL, MUC_ARCHIVE_NONE };

/* How a new room is, until its owner says otherwise. */
struct muc_defaults {
	bool is_public, persistent, members_only, moderated;
	bool change_subject, allow_invites;
	int whois, allow_pm; /* enum room_whois, enum room_allow_pm */
	int64_t history;
};

struct muc_conf {
	const char *domain;
	int create;             /* enum muc_create */
	struct option_list names; /* that users may give rooms: see muc_create.h */
	int64_t max_rooms;      /* that a user may make */
	struct muc_defaults defaults;
	int archive;            /* enum muc_archive */
	int64_t max_users;      /* in a room that has no bound of its own */
	int64_t max_affiliations;
	uint64_t max_presence;  /* bytes, of a client in a room */
	uint64_t max_vcard;     /* of a room */
	int64_t message_rate, join_rate, presence_rate, nick_rate;
	int64_t request_rate;   /* within a minute, all of them; 0: any number */
	int64_t archive_keep_us;
	uint64_t archive_max_bytes;  /* of a room */
	uint64_t archive_host_bytes; /* of all of them; 0: no bound */
	int64_t archive_page_max;
	bool archive_search;    /* for words */
	bool admins_own;        /* admins of the host are owners of each room */
};

/* How many rooms a service had when they were counted last. */
struct muc_count {
	char *domain; /* owned */
	uint64_t n;
	int64_t counted_us; /* wall */
};

/* What a shard remembers. */
struct muc_shard {
	struct throttle *doings; /* of users; made with the first who does something */
	struct VEC(struct muc_count) counts;
	unsigned searches; /* that are under way */
	struct log_limit missed; /* lines about who leaves, since he has missed something */
	struct archive_sweeps sweeps; /* of services whose place this is */
};

/* room.c */
extern const struct entity_class muc_room_class;

/* muc_archive.c: how long archives are kept */
void muc_follow(struct module_ctx *m, struct shard *sh);
enum hook_result muc_on_host_keeps(struct module_ctx *m, void *arg);

/* room_admin.c, room_owner.c: requests */
enum hook_result muc_on_admin_get(struct module_ctx *m, struct iq *iq);
enum hook_result muc_on_admin_set(struct module_ctx *m, struct iq *iq);
enum hook_result muc_on_owner_get(struct module_ctx *m, struct iq *iq);
enum hook_result muc_on_owner_set(struct module_ctx *m, struct iq *iq);

/* room_register.c: requests */
enum hook_result muc_on_register_get(struct module_ctx *m, struct iq *iq);
enum hook_result muc_on_register_set(struct module_ctx *m, struct iq *iq);

/* room_sleep.c: hooks */
enum hook_result muc_on_back(struct module_ctx *m, void *arg);
/* room_vcard.c: requests */
enum hook_result muc_on_vcard_get(struct module_ctx *m, struct iq *iq);
enum hook_result muc_on_vcard_set(struct module_ctx *m, struct iq *iq);

/* room_disco.c, room_items.c: hooks */
/* muc_items.c: hooks */
enum hook_result muc_on_disco_items(struct module_ctx *m, void *arg);

/* muc_search.c: requests */
enum hook_result muc_on_search(struct module_ctx *m, struct iq *iq);

/* room_retract.c: requests */
enum hook_result muc_on_moderate(struct module_ctx *m, struct iq *iq);

/* room_disco.c: hooks */
enum hook_result muc_on_disco_info(struct module_ctx *m, void *arg);
enum hook_result muc_on_room_items(struct module_ctx *m, void *arg);

#endif

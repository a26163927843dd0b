/*
 * room.h - a room, and what its files do for each other.  Owner shard of the room, all of
 * it.
 *
 * What it has, and may be asked without it:
 *
 *	room_config.c     how it is configured: a table of all that is (§16.5)
 *	room_rights.c     roles and affiliations, and who may do what to whom (§5)
 *	room_people.c     who is in it
 *	room_members.c    who is an owner, admin, member or outcast
 *	room_save.c       a client in it as an element, and back
 *	room_photo.c      the pictures in a vCard
 *
 * What it does with them:
 *
 *	room.c            its class: loading, what comes for it, leaving
 *	room_enter.c      who comes in (§7.2)
 *	room_join.c       and what he is told, as his connection takes it
 *	room_presence.c   what those who are in it say of themselves; who goes (§7.6 to §7.14)
 *	room_message.c    what is said to all (§7.4)
 *	room_again.c      what he sends again whose session was lost (XEP-0198)
 *	room_retract.c    what is taken back (XEP-0424, 0425)
 *	room_bury.c       and what is left of it in the archive
 *	room_subject.c    the subject (§8.1)
 *	room_history.c    the last of that, for those who come in (§7.2.13)
 *	room_log.c        what is kept of it for good (XEP-0313)
 *	room_archive.c    who may read that
 *	room_archive_show.c  and what of it he is shown
 *	room_private.c    what is for one occupant (§7.5, §17.4)
 *	room_invite.c     invitations, and requests for voice (§7.8.2, §7.13, §8.6)
 *	room_admin.c      roles and affiliations, and lists of them (§8, §9, §10.3 to §10.8)
 *	room_voice.c      voice that was given or taken, for who comes again (§5.1)
 *	room_register.c   users register, and have a nickname of their own (§7.10)
 *	room_used.c       when somebody was in it last
 *	room_accounts.c   when an account goes that is somebody in it
 *	room_owner.c      how it is made, configured and destroyed (§10.1, §10.2, §10.9)
 *	room_disco.c      what it tells of itself (§6.4, §7.12)
 *	room_items.c      and who is in it (§6.5)
 *	room_claims.c     who they are (XEP-0421), and what they may not claim
 *	room_limits.c     how often one may do something, and slow mode
 *	room_sleep.c      a stop of the server, and the start after it (§11.2)
 *	room_vcard.c      its vCard and picture (XEP-0486)
 *	room_say.c        the words of the room itself: who sees what, and to whom it goes
 */
#ifndef MUC_ROOM_H
#define MUC_ROOM_H

#include "muc.h"
#include "room_archive.h"
#include "muc_maker.h"
#include "room_config.h"
#include "room_history.h"
#include "room_join.h"
#include "room_limits.h"
#include "room_log.h"
#include "room_members.h"
#include "room_people.h"
#include "room_voice.h"

#define MAP_ROOM "room" /* of a room: "config", "subject", "avatar", "maker", "used" */
#define KEY_AVATAR "avatar"

enum room_state {
	ROOM_ABSENT, /* there is nothing behind the address */
	ROOM_LOCKED, /* its first occupant, who owns it, has yet to configure it */
	ROOM_OPEN,   /* it is in the store */
	ROOM_GOING,  /* it is being deleted there: what comes for it waits */
};

/* Texts are owned. */
struct room_subject {
	char *text; /* NULL: none, or it was taken away */
	char *nick; /* who has set it; NULL: nobody */
	char *user; /* bare address of the same; NULL: it is not known */
	int64_t us; /* when; 0: never */
};

struct room {
	struct entity e; /* first */
	struct room_config config;
	struct room_members members;
	struct room_maker maker;
	int64_t used_us; /* what is stored of when somebody was in it; 0: it is not known */
	struct room_people people;
	struct room_voices voices;
	struct audience *audience; /* all clients, by what they see */
	struct room_joins joins; /* who comes in */
	struct room_history history;
	struct room_log log;
	struct room_asks asks; /* of what lies there */
	struct entity_line *line; /* what is said, until all before it is durable */
	struct room_limits limits;
	struct room_subject subject;
	unsigned char mark_key[16]; /* of requests to occupants: as long as it is loaded, and
				     * over a stop */
	char *avatar;       /* hashes of its picture, owned; NULL: none */
	int64_t text_bytes; /* of texts, as they were counted last (memuse.h) */
	struct stanza_queue waiting; /* while it is going, looking, or to open */
	size_t waiting_bytes;
	struct timer missing; /* those who have missed something leave */
	uint8_t state;      /* enum room_state */
	bool looking;       /* the store is asked what a message means: all else waits */
	bool submitting;    /* its configuration is on its way to the store */
};

static inline struct room *
room_of(struct entity *e)
{
	return (struct room *)(void *)e;
}

/* --- room.c ------------------------------------------------------------------------ */

/* Its texts are others: what they hold is counted anew. */
void room_count_texts(struct room *r);
/* NULL: the service is not there any more. */
const struct muc_conf *room_conf(const struct room *r);
/* Is user an admin of the host, or that itself, and so an owner of each room? */
bool room_is_ruled_by(const struct room *r, struct jid user);
/* That of whoever is jid. */
enum room_affiliation room_affiliation(const struct room *r, struct jid jid);
/* What he may do: in the room with this client, or with another one (§8 asks for the bare
 * address alone), or by his affiliation. */
struct room_standing room_standing(const struct room *r, struct jid full);
/* Does jid (full or bare) see real addresses now: where everybody does, moderators, and
 * those who would be such if they came in? */
bool room_shows_real(const struct room *r, struct jid jid);
/* Could jid (full or bare) come in now, without a password?  Where there is one, or it is
 * for members, those can who are affiliated; and whoever is in it, with whichever client.
 * Who can knows what is said there. */
bool room_is_open_to(const struct room *r, struct jid jid);
/* Is there no room here, for user?  One that is locked is there for its owner alone
 * (§7.2.10, §17.2, 3). */
bool room_is_absent_for(const struct room *r, struct jid user);
/* Is what is said in it archived? */
bool room_has_archive(const struct room *r);
/* The address of one who has this nickname, in the arena of a. */
struct jid room_occupant_jid(const struct room *r, struct arena *a, struct str nick);
/* Answers st (taken) with an error by the room, of the type that the RFC recommends or
 * another (NULL: that).  By it who has spoken to an occupant knows who it is that refuses
 * (RFC 6120 §8.3.1). */
void room_refuse(struct room *r, struct stanza *st, enum stanza_cond cond,
	const char *type);
/* The same, and says why to people. */
void room_refuse_why(struct room *r, struct stanza *st, enum stanza_cond cond,
	const char *type, struct str why);
/* It is not being deleted any more, or is open: what has waited is received. */
void room_go_on(struct room *r);
/* All of it goes from memory, and nobody is told; it can be made anew. */
void room_forget(struct room *r);

/* --- room_say.c ---------------------------------------------------------------------- */

/* Flags in the audience: what a client sees of others. */
#define VIEW_PLAIN 1u /* nicknames */
#define VIEW_REAL 2u  /* and real addresses (§7.2.3, §7.2.4) */
#define VIEW_SELF 4u  /* while others are told of somebody: he gets his own, or will */
#define VIEW_TALK 8u  /* beside one of the first two: what is said to all */

#define NOTE_CODES 4

/* What a presence says beside who somebody is. */
struct room_note {
	unsigned codes[NOTE_CODES]; /* for all; 0 ends */
	unsigned own[NOTE_CODES];   /* for himself, beside 110 */
	struct str reason;          /* STR_NONE: none */
	struct str actor;           /* nickname of who has done it; STR_NONE */
	struct str nick;            /* the new one, with 303; STR_NONE */
};

/* c is told from now on what his occupant may see; */
void room_hear(struct room *r, const struct room_client *c);
/* and the clients of o, which are, what he may see now. */
void room_set_view(struct room *r, const struct occupant *o);
/* Presence of o, as it is now, for all: his own clients have theirs, with 110. */
void room_show(struct room *r, struct occupant *o, const struct room_note *note,
	struct jid by);
/* The same where his role or affiliation is another one: who sees addresses from now on
 * is told, behind it, whose they are (§8). */
void room_show_role(struct room *r, struct occupant *o, const struct room_note *note,
	struct jid by);
/* The same for one client, as he comes in: for the caller to send. */
struct stanza *room_shown_to(struct room *r, const struct occupant *o,
	const struct room_client *to);
/* Own presence, for one client (with 110), for the caller to send. */
struct stanza *room_own_new(struct room *r, const struct room_client *c,
	const struct room_note *note, struct str id);
/* A client goes: to himself, as long as he is in the people, */
void room_show_gone_own(struct room *r, const struct room_client *c,
	const struct room_note *note);
/* and to all others, that his occupant has; who he was is told by what he had. */
struct room_gone {
	struct jid user;            /* full; borrowed */
	struct str nick;
	uint64_t number;            /* of the occupant */
	enum room_affiliation aff;
	enum room_role role;        /* ROLE_NONE, unless he takes another nickname */
	const struct elem *said;    /* <status/>, and the like; or NULL */
};
void room_show_gone(struct room *r, const struct room_gone *gone,
	const struct room_note *note, struct jid by);
/* st (taken), which has no to, is said to all by somebody, or by nobody (by not set), and
 * is in the history in memory where the room has no archive. */
void room_talk(struct room *r, struct stanza *st, struct jid by);
/* A message of the room with status codes (§10.2.1), to all. */
void room_say_codes(struct room *r, const unsigned *codes);
/* What a user is who is not in it (§10.3, Example 176), to all who see addresses. */
void room_say_affiliation(struct room *r, struct jid user, struct jid by);

/* --- room_claims.c ----------------------------------------------------------------- */

/* The secret behind the ids of occupants: another one from now on; what the store says,
 * false: entry is something else; as an operation of tx. */
void room_secret_new(struct room *r);
bool room_secret_take(struct room *r, const struct store_entry *entry);
void room_secret_store(const struct room *r, struct store_tx *tx);
/* Adds to e, in a, the id of user (full or bare), in the room or not (XEP-0421). */
void room_add_id(const struct room *r, struct arena *a, struct elem *e,
	struct jid user);
/* Leaves out of what a client has sent, to the room or an occupant, what rooms alone say
 * (§17.3, 6). */
void room_clean(struct stanza *st);

/* --- room_enter.c ------------------------------------------------------------------ */

/* st (taken): presence with <x/> of muc. */
void room_enter(struct room *r, struct stanza *st);

/* --- room_presence.c ------------------------------------------------------------------ */

/* st (taken) of one who is in it. */
void room_presence(struct room *r, struct room_client *c, struct stanza *st);
/* c goes, and all are told; said: NULL, or his presence. */
void room_leaves(struct room *r, struct room_client *c,
	const struct room_note *note, const struct stanza *said);
/* All clients of o go. */
void room_leave_all(struct room *r, struct occupant *o,
	const struct room_note *note);
/* He is not in the room, and seems to think so (§7.2.18); st is taken. */
void room_not_in(struct room *r, struct stanza *st);
/* Kicks client, as from: codes (0 ends); reason may be NULL.  Any shard, sh. */
void room_send_away(struct shard *sh, struct jid from, struct jid client,
	const char *reason, const unsigned *codes);
/* c has missed something, by an error that came back (§11.1, §18.1.2) or otherwise: it hears
 * no more, and leaves soon, or after in_us. */
void room_missed(struct room *r, struct room_client *c, int64_t in_us);
/* For its class (entity.h). */
void room_on_missed(struct entity *e, struct jid who);
/* Nobody is in it: what is not to stay goes. */
void room_is_empty(struct room *r);

/* --- room_sleep.c ------------------------------------------------------------------------- */

/* For its class (entity.h). */
void room_save(struct entity *e, struct entity_save *to);
void room_wake(struct entity *e, const struct store_answer *saved);
void room_told(struct entity *e, struct entity_message *m);
/* The server stops, and c cannot come back. */
void room_parts(struct room *r, struct room_client *c);

/* --- room_message.c -------------------------------------------------------------------- */

/* st (taken): groupchat to the room. */
void room_message(struct room *r, struct stanza *st);
/* The same, which was not said before. */
void room_message_new(struct room *r, struct stanza *st);
/* The same, which was let through before, and tx (taken) is committed with it. */
void room_message_with(struct room *r, struct stanza *st, struct store_tx *tx);
/* c says that it goes.  True: st (taken) waits behind what it has said before, and until
 * then c is leaving; false: it may go at once. */
bool room_leaves_in_turn(struct room *r, struct room_client *c, struct stanza *st);

/* --- room_again.c ----------------------------------------------------------------------- */

/* Was st (which may be said), or may it have been said before?  Then it is taken, and said
 * if that is not so; meanwhile what comes waits. */
bool room_sent_again(struct room *r, struct stanza *st);

/* --- room_retract.c -------------------------------------------------------------------- */

/* Does st, which may be said, take back something that the archive may have?  Then it is
 * taken, and said when that is known; meanwhile what comes waits. */
bool room_retracts(struct room *r, struct stanza *st);
/* st is said: what it takes back is not told to those who come in. */
void room_retracted(struct room *r, const struct stanza *st);
void room_retract_features(const struct room *r, struct arena *a, struct elem *query);

/* --- room_bury.c ----------------------------------------------------------------------- */

/* Is message, of an entry, a tombstone? */
bool room_is_buried(const struct elem *message);
/* What is left of message, in the arena a, without who it was; id: of what takes it back. */
struct elem *room_tombstone(const struct room *r, struct arena *a,
	const struct elem *message, struct str id);
/* The entry key, which was message, is tomb, from tx on; a has both. */
void room_bury(const struct room *r, struct store_tx *tx, struct str key,
	struct arena *a, const struct elem *message, struct elem *tomb);
/* And so is what its author has said anew in place of it (XEP-0308), soon; then fn (or
 * NULL) is called, never before this has returned. */
void room_bury_corrections(struct room *r, const struct store_entry *entry,
	const struct elem *message, const struct elem *tomb, void (*fn)(void *arg),
	void *arg);

/* --- room_subject.c -------------------------------------------------------------------- */

/* Takes out of st a body that says nothing, as mcabber has with a subject, which would
 * make something else of it (§8.1). */
void room_subject_clean(struct stanza *st);
/* Does st, groupchat, set the subject? */
bool room_is_subject(const struct stanza *st);
/* It does, by the user `by', and has the from that all see. */
void room_subject_set(struct room *r, const struct stanza *st, struct jid by);
void room_subject_done(struct room *r);
/* The same as an operation of tx: what st, from its author and to the address that all
 * will see, sets; or what there is. */
void room_subject_add(const struct room *r, struct store_tx *tx, const struct stanza *st);
void room_subject_store(const struct room *r, struct store_tx *tx);
void room_subject_take(struct room *r, struct str value);
/* The same as an element, NULL where there is none, and back. */
struct elem *room_subject_elem(const struct room *r, struct arena *a);
void room_subject_read(struct room *r, struct arena *a, const struct elem *e);
/* For one who comes in (§7.2.15). */
struct stanza *room_subject_new(const struct room *r, struct jid to);
/* To one who comes in (§7.2.15). */
void room_tell_subject(struct room *r, struct jid to);

/* --- room_used.c -------------------------------------------------------------------------- */

#define KEY_USED "used"

/* Somebody comes in, or the last one leaves; it costs nothing, but once a day. */
void room_used(struct room *r);
/* What KEY_USED has. */
void room_used_take(struct room *r, struct str value);
/* As an operation of tx: now. */
void room_used_store(struct store_tx *tx, struct jid room, int64_t now_us);

/* --- room_accounts.c --------------------------------------------------------------------- */

/* The account user (bare) was removed, and is nobody here. */
void room_account_gone(struct room *r, struct jid user);

/* --- room_history.c ---------------------------------------------------------------------- */

void history_init(struct room_history *h);
void history_done(struct room_history *h);
/* st (borrowed) was said to all; at most max are kept. */
void history_add(struct room_history *h, const struct stanza *st, int64_t wall_us,
	uint32_t max);
/* The same of e, with from and id, as history_unpack() gives it. */
void history_put(struct room_history *h, const struct elem *e, int64_t wall_us,
	uint32_t max);
struct elem *history_unpack(const struct room_said *said, struct arena *a);
/* The message that room (bare) has given this id is told to nobody any more, if it is of
 * this occupant (XEP-0421); STR_NONE: of anybody. */
void history_forget(struct room_history *h, struct jid room, struct str id,
	struct str occupant);

/* --- room_vcard.c ------------------------------------------------------------------------ */

/* What KEY_AVATAR has. */
void room_avatar_take(struct room *r, struct str hashes);
/* To muc#roominfo. */
void room_vcard_info(const struct room *r, struct arena *a, struct elem *form);

/* --- room_private.c ---------------------------------------------------------------------- */

/* st (taken): a message or a request for an occupant. */
void room_private(struct room *r, struct stanza *st);

/* --- room_invite.c ---------------------------------------------------------------------- */

#define ROOM_INVITES_MAX 20 /* of one message */

/* st (taken): a message to the room that is not for all. */
void room_asked(struct room *r, struct stanza *st);
/* An admin has made a member of user, who was nobody (§9.5).  reason: empty, or STR_NONE:
 * none. */
void room_invite_member(struct room *r, struct jid user, struct str reason,
	struct jid by);

/* --- room_admin.c --------------------------------------------------------------------- */

/* The role of user as he comes in, who is none of the outcasts (§5.1.2); in a moderated
 * room the one that he was given last (§5.1). */
enum room_role room_first_role(const struct room *r, struct jid user,
	enum room_affiliation aff);
/* o has another role from now on, but ROLE_NONE, and all are told. */
void room_set_role(struct room *r, struct occupant *o, enum room_role role,
	const struct room_note *note, struct jid by);
/* An affiliation that is durable, and was another one: all who are in it and have that now,
 * or have to go, and what a user has become who is not in it.  note: reason and actor. */
void room_affiliate(struct room *r, struct jid jid, enum room_affiliation was,
	const struct room_note *note, struct jid by);

/* --- room_owner.c -------------------------------------------------------------------- */

/* It is to be gone: from the store, and then from memory. */
void room_destroy(struct room *r);

#endif

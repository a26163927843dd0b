/*
 * muc.c - rooms for many (XEP-0045): what the service is, what may be configured, and
 * what it answers.
 *
 * muc.h draws a room.
 */
#include "config.h"

#include "muc.h"
#include "muc_accounts.h"
#include "muc_command.h"
#include "muc_list.h"
#include "room_archive.h"
#include "muc_maker.h"
#include "room_limits.h"

static const char *const muc_features[] = { NS_MUC, NS_MUC "#stable_id",
	NS_OCCUPANT_ID, NS_VCARD, NS_RSM, NS_CHANNEL_SEARCH, NULL };

static const struct service muc_services[] = {
	{ .option = "domain", .category = "conference", .type = "text",
		.name = "Rooms", .address_class = &muc_room_class,
		.features = muc_features },
	{ .option = NULL },
};

static const struct iq_handler muc_iqs[] = {
	{ IQ_GET, AT_SERVICE_ADDRESS, NS_MUC_ADMIN, "query",
		muc_on_admin_get },
	{ IQ_SET, AT_SERVICE_ADDRESS | STORES | ONE_BY_ONE, NS_MUC_ADMIN,
		"query", muc_on_admin_set },
	{ IQ_GET, AT_SERVICE_ADDRESS, NS_MUC_OWNER, "query",
		muc_on_owner_get },
	{ IQ_SET, AT_SERVICE_ADDRESS | STORES | ONE_BY_ONE, NS_MUC_OWNER,
		"query", muc_on_owner_set },
	{ IQ_GET, AT_SERVICE_ADDRESS, NS_REGISTER, "query",
		muc_on_register_get },
	{ IQ_SET, AT_SERVICE_ADDRESS | STORES | ONE_BY_ONE, NS_REGISTER, "query",
		muc_on_register_set },
	{ IQ_GET, AT_SERVICE_ADDRESS, NS_VCARD, "vCard", muc_on_vcard_get },
	{ IQ_SET, AT_SERVICE_ADDRESS | STORES | ONE_BY_ONE, NS_VCARD, "vCard",
		muc_on_vcard_set },
	{ IQ_GET, AT_SERVICE, NS_CHANNEL_SEARCH, "search", muc_on_search },
	{ IQ_SET, AT_SERVICE_ADDRESS | STORES | ONE_BY_ONE, NS_MODERATE,
		"moderate", muc_on_moderate },
	{ IQ_SET, AT_SERVICE_ADDRESS | STORES | ONE_BY_ONE, NS_FASTEN, "apply-to",
		muc_on_moderate },
	{ IQ_GET, AT_SERVICE_ADDRESS, NS_MAM, "query", muc_on_archive_form },
	{ IQ_SET, AT_SERVICE_ADDRESS, NS_MAM, "query", muc_on_archive_query },
	{ IQ_GET, AT_SERVICE_ADDRESS, NS_MAM, "metadata",
		muc_on_archive_metadata },
	{ .fn = NULL },
};

static const struct hook_handler muc_hooks[] = {
	{ HOOK_DISCO_INFO, HOOK_CHANGE, muc_on_disco_info },
	{ HOOK_DISCO_ITEMS, HOOK_CHANGE, muc_on_room_items },
	{ HOOK_SESSION_BACK, HOOK_DELIVER, muc_on_back },
	{ HOOK_DISCO_ITEMS, HOOK_CHANGE, muc_on_disco_items },
	{ HOOK_ACCOUNT_REMOVE, HOOK_KEEP, muc_on_account_remove },
	{ HOOK_ACCOUNT_REMOVING, HOOK_DELIVER, muc_on_account_removing },
	{ HOOK_HOST_KEEPS, HOOK_WATCH, muc_on_host_keeps },
	{ .fn = NULL },
};

#define OFF(field) offsetof(struct muc_conf, field)

static const char *const create_choices[] = { "local", "admins", "nobody", NULL };

/* Of one user, in one room. */
#define RATE(field, often, text)                                               \
	{ .name = #field, .type = OPT_INT, .dflt = often, .min = "0",          \
		.max = "1000000", .off = OFF(field), .help = text }

static const char *const archive_choices[] = { "default", "optional", "none", NULL };

/* as enum room_whois and room_allow_pm have them */
static const char *const whois_choices[] = { "moderators", "anyone", NULL };
static const char *const pm_choices[] = { "anyone", "participants", "moderators",
	"none", NULL };

static const struct option muc_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .service = true,
		.dflt = "conference", .off = OFF(domain),
		.help = "the domain of the rooms, below that of the host unless it "
			"has a dot; rooms belong to it: with another one they stay "
			"in the database, unseen" },
	{ .name = "create", .type = OPT_CHOICE, .choices = create_choices,
		.dflt = "local", .off = OFF(create),
		.help = "who may make rooms by entering them: users of this host, "
			"its admins alone, or nobody; antiphonctl rooms create "
			"makes them in any case" },
	{ .name = "archive", .type = OPT_CHOICE, .choices = archive_choices,
		.dflt = "default", .off = OFF(archive),
		.help = "which rooms archive what is said in them: all whose owners "
			"do not configure otherwise, those whose owners ask for it, "
			"or none" },
	{ .name = "names", .type = OPT_LIST, .item = OPT_TEXT, .alone = true,
		.dflt = "*", .min = "1", .max = "100", .off = OFF(names),
		.help = "what users may call their rooms, the part in front of the "
			"@; a * stands for anything; admins call theirs as they "
			"like",
		.example = "[ team-*, club-* ]" },
	{ .name = "max_rooms", .type = OPT_INT, .dflt = "100", .min = "1",
		.max = "10000", .off = OFF(max_rooms),
		.help = "how many rooms a user may make, while they are there, "
			"whoever owns them by then; admins make any number" },
	{ .name = "default_public", .type = OPT_SWITCH, .dflt = "yes",
		.off = OFF(defaults.is_public),
		.help = "a new room is in the list of rooms, unless its owner says "
			"otherwise, as with all that begins with default" },
	{ .name = "default_persistent", .type = OPT_SWITCH, .dflt = "no",
		.off = OFF(defaults.persistent),
		.help = "it stays when everybody has left" },
	{ .name = "default_members_only", .type = OPT_SWITCH, .dflt = "no",
		.off = OFF(defaults.members_only),
		.help = "members alone may enter it" },
	{ .name = "default_moderated", .type = OPT_SWITCH, .dflt = "no",
		.off = OFF(defaults.moderated),
		.help = "who enters has to be given voice" },
	{ .name = "default_whois", .type = OPT_CHOICE, .choices = whois_choices,
		.dflt = "moderators", .off = OFF(defaults.whois),
		.help = "who sees the addresses of those who are in it" },
	{ .name = "default_allow_pm", .type = OPT_CHOICE, .choices = pm_choices,
		.dflt = "anyone", .off = OFF(defaults.allow_pm),
		.help = "who may send private messages in it" },
	{ .name = "default_change_subject", .type = OPT_SWITCH, .dflt = "no",
		.off = OFF(defaults.change_subject),
		.help = "participants may change the subject" },
	{ .name = "default_allow_invites", .type = OPT_SWITCH, .dflt = "no",
		.off = OFF(defaults.allow_invites),
		.help = "members may invite others" },
	{ .name = "default_history", .type = OPT_INT, .dflt = "20", .min = "0",
		.max = "1000", .off = OFF(defaults.history),
		.help = "how many messages one gets who enters" },
	{ .name = "max_users", .type = OPT_INT, .dflt = "5000", .min = "1",
		.max = "100000", .off = OFF(max_users),
		.help = "how many may be in a room whose owners set no other bound; "
			"its owners and admins come in above it" },
	{ .name = "max_affiliations", .type = OPT_INT, .dflt = "10000",
		.min = "1", .max = "100000", .off = OFF(max_affiliations),
		.help = "how many members, admins, owners and banned a room may "
			"have, with 256 bytes each on the average" },
	{ .name = "max_presence", .type = OPT_SIZE, .dflt = "8KiB",
		.min = "512", .max = "64KiB", .off = OFF(max_presence),
		.help = "the largest presence of one who is in a room, as it is "
			"kept; what is more is refused" },
	{ .name = "max_vcard", .type = OPT_SIZE, .dflt = "128KiB",
		.min = "1KiB", .max = "256KiB", .off = OFF(max_vcard),
		.help = "the largest vCard of a room, with its picture" },
	RATE(message_rate, "600",
		"how many messages a user may send in a minute to all in a room, "
		"and to single ones through it; admins and owners of the room "
		"may send any number; 0: so may all"),
	RATE(join_rate, "30",
		"how often a user may enter a room in a minute, with all of his "
		"clients; 0: any number"),
	RATE(presence_rate, "60",
		"how often a user may change his presence in a room in a minute; "
		"0: any number"),
	RATE(nick_rate, "10",
		"how often a user may take another nickname in a room in a "
		"minute; 0: any number"),
	RATE(request_rate, "10",
		"how many messages a user may send in a minute that invite into "
		"a room, decline, or ask for voice; up to 20 members whom he "
		"makes at once, and who are invited so, count as one; 0: any "
		"number"),
	{ .name = "admins_own", .type = OPT_SWITCH, .dflt = "yes",
		.off = OFF(admins_own),
		.help = "admins of the host are owners of each room, and seen as "
			"such" },
	{ .name = "archive_keep", .type = OPT_DURATION, .dflt = "365d",
		.min = "1h", .max = "never", .off = OFF(archive_keep_us),
		.help = "how long the archive of a room keeps what was said; what "
			"is older goes within an hour or two, and some hours later "
			"where there are very many rooms" },
	{ .name = "archive_max_bytes", .type = OPT_SIZE, .dflt = "1GiB",
		.min = "64KiB", .max = "1TiB", .off = OFF(archive_max_bytes),
		.help = "how large the archive of a room may become, with 256 "
			"bytes for each message beside its text; then the oldest "
			"messages go" },
	{ .name = "archive_host_bytes", .type = OPT_SIZE, .dflt = "0",
		.min = "0", .max = "1024TiB", .off = OFF(archive_host_bytes),
		.help = "how large all archives of the rooms of a host may become "
			"together, counted like that; it is looked at each hour, "
			"and then the oldest messages of all of them go; 0: any "
			"size" },
	{ .name = "archive_page_max", .type = OPT_INT, .dflt = "250",
		.min = "1", .max = "1000", .off = OFF(archive_page_max),
		.help = "how many messages of a room's archive one query gets at "
			"most; one that does not say how many gets 50, and none "
			"more than 1 MiB of them" },
	{ .name = "archive_search", .type = OPT_SWITCH, .dflt = "yes",
		.off = OFF(archive_search),
		.help = "whether the archives of rooms may be searched for words, "
			"as search of the module archive does for those of "
			"users" },
	{ .name = NULL },
};

static void
shard_done(struct shard *sh, void *state)
{
	struct muc_shard *s = state;

	(void)sh;
	throttle_free(s->doings);
	for (size_t i = 0; i < s->counts.n; i++)
		free(s->counts.p[i].domain);
	vec_done(&s->counts);
	archive_sweeps_done(&s->sweeps);
}

MODULE(muc) = {
	.api = MODULE_API,
	.name = "muc",
	.summary = "rooms in which many talk",
	.specs = "XEP-0045 1.35.5, XEP-0059 1.0, XEP-0313 1.1.3, "
		"XEP-0359 0.7.0, XEP-0410 1.1.0, XEP-0413 0.2.1, "
		"XEP-0421 1.0.1, XEP-0424 0.4.2, XEP-0425 0.3.0, "
		"XEP-0433 0.1.0, XEP-0486 0.1.0, XEP-0500 0.1.1",
	.needs = (const char *const[]){ "presence", NULL },
	.options = muc_options,
	.conf_size = sizeof(struct muc_conf),
	.hooks = muc_hooks,
	.iqs = muc_iqs,
	.services = muc_services,
	.commands = muc_commands,
	.shard_state = sizeof(struct muc_shard),
	.shard_done = shard_done,
	.entity_state = sizeof(struct muc_leaving),
	.entity_done = muc_leaving_done,
	.follow = muc_follow,
	.account_removal_maps = (const char *const[]){ MAP_ROOMS_OF,
		MAP_ROOMS_MADE, NULL },
};

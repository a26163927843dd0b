/*
 * conf_limits.c - bounds on what others can make grow: what they are called, what
 * they may be, and what they are when nobody says.
 *
 * A table only.  Defaults are the safe ones.
 */
#include "config.h"

#include "conf/conf.h"

#include <stddef.h>

#include "conf/conf_int.h"

/* clang-format off */

static const char *const conflict_policies[] = { /* enum resource_conflict */
	"replace", "refuse", "rename", NULL };

#define LIMIT(field, ...)                                                      \
	{ .off = offsetof(struct config_limits, field), __VA_ARGS__ }

const struct option config_limits_options[] = {
	LIMIT(stanza_bytes_unauthenticated,
		.name = "stanza_bytes_unauthenticated", .type = OPT_SIZE,
		.dflt = "10KiB", .min = "10000", .max = "1MiB",
		.help = "the largest element before login; larger ones end the "
			"stream with <policy-violation/>"),
	LIMIT(stanza_bytes, .name = "stanza_bytes", .type = OPT_SIZE,
		/* as written, the store has to hold it: STORE_VALUE_MAX */
		.dflt = "256KiB", .min = "10000", .max = "4MiB",
		.help = "the largest stanza, and what its namespaces take "
			"when each stands where it changes; larger ones end "
			"the stream with <policy-violation/> (RFC 6120 section "
			"13.12)"),
	LIMIT(depth, .name = "depth", .type = OPT_INT, .dflt = "64",
		.min = "16", .max = "1000",
		.help = "how deep elements may be nested in a stanza"),
	LIMIT(elements, .name = "elements", .type = OPT_INT, .dflt = "4096",
		.min = "64", .max = "1000000",
		.help = "elements in one stanza"),
	LIMIT(attributes, .name = "attributes", .type = OPT_INT,
		.dflt = "64", .min = "16", .max = "1000",
		.help = "attributes of one element, namespaces included"),
	LIMIT(name_bytes, .name = "name_bytes", .type = OPT_SIZE,
		.dflt = "1KiB", .min = "256", .max = "16KiB",
		.help = "the longest name of an element, attribute or "
			"namespace"),
	LIMIT(bytes_per_second, .name = "bytes_per_second", .type = OPT_SIZE,
		.dflt = "64KiB", .min = "1KiB", .max = "1GiB",
		.help = "what one connection may send for long; who sends more "
			"is slowed down"),
	LIMIT(bytes_burst, .name = "bytes_burst", .type = OPT_SIZE,
		.dflt = "512KiB", .min = "10000", .max = "1GiB",
		.help = "what one connection may send at once"),
	LIMIT(stanzas_per_second, .name = "stanzas_per_second",
		.type = OPT_INT, .dflt = "100", .min = "1", .max = "1000000",
		.help = "stanzas that one connection may send for long; who "
			"sends more is slowed down"),
	LIMIT(stanzas_burst, .name = "stanzas_burst", .type = OPT_INT,
		.dflt = "500", .min = "10", .max = "1000000",
		.help = "stanzas that one connection may send at once"),
	LIMIT(connections, .name = "connections", .type = OPT_INT,
		.dflt = "1000000", .min = "10", .max = "10000000",
		.help = "connections in all; further ones are closed"),
	LIMIT(unauthenticated_connections,
		.name = "unauthenticated_connections", .type = OPT_INT,
		.dflt = "10000", .min = "10", .max = "1000000",
		.help = "connections that have not logged in; for each further "
			"one the oldest is closed of the address that has "
			"most of them"),
	LIMIT(connections_per_address, .name = "connections_per_address",
		.type = OPT_INT, .dflt = "100", .min = "1", .max = "1000000",
		.help = "connections from one IPv4 address, or one IPv6 "
			"network of 64 bits; further ones are closed"),
	LIMIT(login_timeout_us, .name = "login_timeout",
		.type = OPT_DURATION, .dflt = "30s", .min = "1s", .max = "10m",
		.help = "time from the connection until a resource is bound"),
	LIMIT(close_timeout_us, .name = "close_timeout",
		.type = OPT_DURATION, .dflt = "5s", .min = "100ms",
		.max = "1m",
		.help = "how long we wait for the other side to close a stream "
			"that we have closed; and at most for what a client "
			"has sent to be stored, before we answer its goodbye"),
	LIMIT(idle_before_ping_us, .name = "idle_before_ping",
		.type = OPT_DURATION, .dflt = "5m", .min = "10s",
		.max = "never",
		.help = "silence after which a client is asked for a sign of "
			"life, and a component by TCP"),
	LIMIT(ping_timeout_us, .name = "ping_timeout", .type = OPT_DURATION,
		.dflt = "1m", .min = "1s", .max = "1h",
		.help = "how long we wait for that sign before the connection "
			"counts as dead"),
	LIMIT(auth_attempts, .name = "auth_attempts", .type = OPT_INT,
		/* COMPAT: RFC 6120 §6.4.5 would have 2 to 5; libpurple 2.14 sends
		 * one wrong password up to eight times, twice by each
		 * mechanism, and calls it wrong only after the last */
		.dflt = "10", .min = "1", .max = "100",
		.help = "failed logins on one connection, before it is closed "
			"(RFC 6120 section 6.4.5)"),
	LIMIT(auth_failures_per_address,
		.name = "auth_failures_per_address", .type = OPT_INT,
		.dflt = "60", .min = "1", .max = "1000000",
		.help = "failed logins in a minute from one address; further "
			"ones are refused unseen, but to accounts that have "
			"logged in from there before"),
	LIMIT(auth_failures_per_account,
		.name = "auth_failures_per_account", .type = OPT_INT,
		.dflt = "30", .min = "1", .max = "1000000",
		.help = "failed logins in a minute from one address to one "
			"account; further ones are refused unseen, or judged "
			"one every two seconds if the account has logged in "
			"from there before"),
	LIMIT(auth_failures_spread,
		.name = "auth_failures_spread", .type = OPT_INT,
		.dflt = "30", .min = "1", .max = "1000000",
		.help = "failed logins in a minute to one account from all "
			"addresses; from those that the account has not used "
			"before, each further one waits before it is judged, "
			"longer the more there are, up to ten seconds"),
	LIMIT(known_address_age_us, .name = "known_address_age",
		.type = OPT_DURATION, .dflt = "30d", .min = "1m",
		.max = "never",
		.help = "how long after a login its address counts as used by "
			"the account; a restart forgets all of them"),
	LIMIT(write_queue_bytes, .name = "write_queue_bytes",
		.type = OPT_SIZE, .dflt = "1MiB", .min = "64KiB",
		.max = "1GiB",
		.help = "while more than this waits for a client, it has to "
			"take write_bytes_per_second, and those from whom more "
			"than a sixteenth of this waits are slowed down"),
	LIMIT(write_bytes_per_second, .name = "write_bytes_per_second",
		.type = OPT_SIZE, .dflt = "1KiB", .min = "1", .max = "1GiB",
		.help = "what such a client takes at least, in the mean of a "
			"minute; else its connection is closed, and messages "
			"that it has not taken are delivered elsewhere"),
	LIMIT(write_queue_max_bytes, .name = "write_queue_max_bytes",
		.type = OPT_SIZE, .dflt = "16MiB", .min = "64KiB",
		.max = "16GiB",
		.help = "what waits for one client at most, beside the largest "
			"stanza; beyond it the same is done at once"),
	LIMIT(bytestream_bytes, .name = "bytestream_bytes",
		.type = OPT_SIZE, .dflt = "64KiB", .min = "4KiB",
		.max = "16MiB",
		.help = "of in-band bytestreams (XEP-0047), so much may be on "
			"its way to a client, or the largest stanza; what "
			"others send passes the rest, whose senders are slowed "
			"down; while write_queue_bytes of that waits, more is "
			"refused with <resource-constraint/>"),
	LIMIT(mailbox_bytes, .name = "mailbox_bytes", .type = OPT_SIZE,
		.dflt = "64MiB", .min = "1MiB", .max = "16GiB",
		.help = "what waits for one shard; beyond it those who send "
			"are slowed down"),
	LIMIT(inbox_bytes, .name = "inbox_bytes", .type = OPT_SIZE,
		.dflt = "1MiB", .min = "64KiB", .max = "1GiB",
		.help = "what waits for one account or room while it is "
			"loaded, or for the disk; beyond it stanzas come back "
			"with <resource-constraint/>; but who has a sixteenth "
			"of it on its way to rooms, or a quarter if it is a "
			"component or another server, is slowed down instead"),
	LIMIT(memory, .name = "memory", .type = OPT_SIZE,
		.dflt = "0", .min = "0", .max = "16TiB",
		.help = "what waits in the whole server, such as stanzas, "
			"answers of the database, requests by HTTP, and what "
			"clients do not read; above three quarters of it those "
			"who hold more than others are slowed down, or are to "
			"ask by HTTP later (503), above it their requests come "
			"back with <resource-constraint/>, and if that does not "
			"help, who holds most is disconnected; at "
			"least 16 times stanza_bytes, and 4 times roster_bytes; "
			"0: half of the memory of the machine, or of the "
			"control group"),
	LIMIT(open_files, .name = "open_files", .type = OPT_INT,
		.dflt = "1024", .min = "1", .max = "1000000",
		.help = "files of users that are open, a quarter of them for "
			"those that are fetched, and one for those that come "
			"in, whatever the others do; who wants a further one "
			"is asked to come back later"),
	LIMIT(file_buffers, .name = "file_buffers", .type = OPT_SIZE,
		.dflt = "64MiB", .min = "64KiB", .max = "64GiB",
		.help = "what of files that come in is in memory, 64KiB to 1MiB "
			"of each, and a quarter of memory at most; beyond it "
			"further ones have to wait"),
	LIMIT(entities, .name = "entities", .type = OPT_INT,
		.dflt = "2000000", .min = "10", .max = "20000000",
		.help = "accounts, and addresses of services, in memory, with "
			"or without a session; beyond it those that nobody "
			"uses leave early, and if that is not enough, what is "
			"for another one comes back with "
			"<resource-constraint/>; each shard has its share, and "
			"10 at least"),
	LIMIT(sessions_per_account, .name = "sessions_per_account",
		.type = OPT_INT, .dflt = "20", .min = "1", .max = "1000",
		.help = "resources that one account may bind; for a further "
			"one the session ends that sleeps longest, and if "
			"none sleeps, it is refused with "
			"<resource-constraint/>"),
	LIMIT(receipts_per_session, .name = "receipts_per_session",
		.type = OPT_INT, .dflt = "1000", .min = "1", .max = "100000",
		.help = "stanzas of a session with stream management, or of a "
			"stream of another server, that are on their way, or "
			"wait for the disk; above it no more is read of it until "
			"half of them are dealt with"),
	LIMIT(resource_conflict, .name = "resource_conflict",
		.type = OPT_CHOICE, .dflt = "replace",
		.choices = conflict_policies,
		.help = "what happens when a client asks for a resource that "
			"is in use: the old session ends, the new one is "
			"refused, or the new one gets another name"),
	LIMIT(account_idle_us, .name = "account_idle", .type = OPT_DURATION,
		.dflt = "1m", .min = "1s", .max = "never",
		.help = "how long an account without sessions, or an address of "
			"a service that nobody uses, stays in memory"),
	LIMIT(roster_items, .name = "roster_items", .type = OPT_INT,
		.dflt = "1000", .min = "10", .max = "100000",
		.help = "contacts in one roster; further ones are refused with "
			"<resource-constraint/>"),
	LIMIT(roster_bytes, .name = "roster_bytes", .type = OPT_SIZE,
		.dflt = "512KiB", .min = "64KiB", .max = "16MiB",
		.help = "how large one roster may be when it is sent to a "
			"client; what makes it larger is refused with "
			"<resource-constraint/>"),
	LIMIT(roster_groups, .name = "roster_groups", .type = OPT_INT,
		.dflt = "32", .min = "1", .max = "1000",
		.help = "groups of one contact"),
	LIMIT(roster_name_bytes, .name = "roster_name_bytes",
		.type = OPT_SIZE, .dflt = "1023", .min = "64", .max = "4KiB",
		.help = "the longest name of a contact, or of a group"),
	LIMIT(pending_subscriptions, .name = "pending_subscriptions",
		.type = OPT_INT, .dflt = "200", .min = "1", .max = "100000",
		.help = "requests for subscription that wait for the user's "
			"answer; further ones are dropped"),
	LIMIT(directed_presences, .name = "directed_presences",
		.type = OPT_INT, .dflt = "500", .min = "10", .max = "100000",
		.help = "addresses outside of the roster to which one session "
			"has sent presence"),
	LIMIT(http_head_bytes, .name = "http_head_bytes", .type = OPT_SIZE,
		.dflt = "16KiB", .min = "1KiB", .max = "1MiB",
		.help = "the largest head of a request by HTTP: its first line "
			"and its headers"),
	LIMIT(http_target_bytes, .name = "http_target_bytes",
		.type = OPT_SIZE, .dflt = "8KiB", .min = "256", .max = "64KiB",
		.help = "the longest target of a request: its path and query"),
	LIMIT(http_headers, .name = "http_headers", .type = OPT_INT,
		.dflt = "100", .min = "10", .max = "1000",
		.help = "headers of one request"),
	LIMIT(http_head_timeout_us, .name = "http_head_timeout",
		.type = OPT_DURATION, .dflt = "30s", .min = "1s",
		.max = "10m",
		.help = "time from the first byte of a request until its head "
			"is whole"),
	LIMIT(http_idle_timeout_us, .name = "http_idle_timeout",
		.type = OPT_DURATION, .dflt = "60s", .min = "1s", .max = "1h",
		.help = "how long a connection is kept open for another request "
			"behind one that was answered"),
	LIMIT(http_bytes_per_second, .name = "http_bytes_per_second",
		.type = OPT_SIZE, .dflt = "1KiB", .min = "0", .max = "1MiB",
		.help = "how much of a body a client has to send, and of an "
			"answer to take, in a second on the average of half a "
			"minute; 0: any amount"),
	LIMIT(http_requests, .name = "http_requests", .type = OPT_INT,
		.dflt = "1000", .min = "1", .max = "1000000",
		.help = "requests by one connection, which then ends"),
	LIMIT(http_bodies_per_address, .name = "http_bodies_per_address",
		.type = OPT_INT, .dflt = "20", .min = "1", .max = "100000",
		.help = "bodies of requests that one address may send at once"),
	LIMIT(http_files_per_address, .name = "http_files_per_address",
		.type = OPT_INT, .dflt = "50", .min = "1", .max = "100000",
		.help = "files that one IPv4 address, or one IPv6 network of 64 "
			"bits, may fetch by HTTP at once; who wants a further "
			"one is asked to come back later (429)"),
	{ .name = NULL },
};

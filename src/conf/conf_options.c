/*
 * conf_options.c - the options of the house itself: what they are called, what
 * they may be, and what they are when nobody says.
 *
 * Tables only.  Defaults are the safe ones.
 */
#include "config.h"

#include "conf/conf.h"

#include <stddef.h>

#include "conf/conf_int.h"

/* clang-format off */

/* --- the process --------------------------------------------------------- */

const struct option config_server_options[] = {
	{ .name = "shards", .type = OPT_INT, .dflt = "0", .min = "0",
		.max = "256", .off = offsetof(struct config_server, shards),
		.help = "threads that carry streams and accounts; 0 is one for "
			"each processor core" },
	{ .name = "disk_threads", .type = OPT_INT, .dflt = "4", .min = "1",
		.max = "64", .off = offsetof(struct config_server, disk_threads),
		.help = "threads that read and write the files of users" },
	{ .name = "user", .type = OPT_TEXT,
		.off = offsetof(struct config_server, user),
		.help = "the user to become, once ports are bound and keys are "
			"read, when started as root", .example = "antiphon" },
	{ .name = "group", .type = OPT_TEXT,
		.off = offsetof(struct config_server, group),
		.help = "the group to become; without it, the user's own",
		.example = "antiphon" },
	{ .name = "pid_file", .type = OPT_PATH,
		.off = offsetof(struct config_server, pid_file),
		.help = "where the number of the process is written",
		.example = RUN_DIR "/antiphon/antiphond.pid" },
	{ .name = NULL },
};

const struct option config_control_options[] = {
	{ .name = "socket", .type = OPT_PATH,
		.dflt = RUN_DIR "/antiphon/control",
		.off = offsetof(struct config_server, control_socket),
		.help = "the socket on which antiphonctl(8) is answered; its "
			"folder must belong to the server alone" },
	{ .name = "group", .type = OPT_TEXT,
		.off = offsetof(struct config_server, control_group),
		.help = "a group whose members may use the socket too; the "
			"server's user must be one of them, unless root "
			"starts it",
		.example = "adm" },
	{ .name = NULL },
};

static const char *const log_targets[] = { /* enum log_target */
	"stderr", "file", "syslog", NULL };
static const char *const log_levels_known[] = { /* enum log_level */
	"error", "warn", "info", "debug", NULL };

const struct option config_log_options[] = {
	{ .name = "to", .type = OPT_CHOICE, .dflt = "stderr",
		.choices = log_targets, .off = offsetof(struct config_log, to),
		.help = "where log lines go" },
	{ .name = "file", .type = OPT_PATH,
		.off = offsetof(struct config_log, file),
		.help = "the file for `to: file'",
		.example = "/var/log/antiphon.log" },
	{ .name = "level", .type = OPT_CHOICE, .dflt = "info",
		.choices = log_levels_known,
		.off = offsetof(struct config_log, level),
		.help = "how much is logged; what is less urgent is left out" },
	{ .name = NULL },
};

const char *const config_listen_tls[] = { /* enum listen_tls */
	"starttls", "direct", "none", NULL };

const struct option config_listen_options[] = {
	{ .name = "kind", .type = OPT_LIST, .item = OPT_TEXT, .alone = true,
		.dflt = "c2s", .min = "1", .max = "4", /* LISTEN_KINDS_MAX */
		.off = offsetof(struct config_listen, kinds),
		.help = "who connects here; several kinds can share a port",
		.example = "[ c2s, server ]" },
	{ .name = "address", .type = OPT_TEXT, .dflt = "*", .max = "255",
		.off = offsetof(struct config_listen, address),
		.help = "the address to listen on; * is every address of the "
			"machine, IPv6 and IPv4", .example = "192.0.2.1" },
	{ .name = "port", .type = OPT_INT, .min = "0", .max = "65535",
		.off = offsetof(struct config_listen, port),
		.help = "the TCP port; 0 lets the system choose one; without "
			"it, the one that the kind has",
		.example = "5222" },
	{ .name = "tls", .type = OPT_CHOICE, .dflt = "starttls",
		.choices = config_listen_tls,
		.off = offsetof(struct config_listen, tls),
		.help = "whether TLS begins when the peer asks for it, with "
			"the first byte, or never; a kind may have another "
			"default" },
	{ .name = "backlog", .type = OPT_INT, .dflt = "1024", .min = "1",
		.max = "65535", .off = offsetof(struct config_listen, backlog),
		.help = "connections that the system keeps waiting" },
	{ .name = "proxy_protocol", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct config_listen, proxy_protocol),
		.help = "only the proxies of `proxies' connect here, and say "
			"ahead of all else, of TLS too, from whom a connection "
			"is: by the PROXY protocol, version 1 or 2" },
	{ .name = NULL },
};

const struct option config_http_options[] = {
	{ .name = "acme_webroot", .type = OPT_PATH,
		.off = offsetof(struct config_http, acme_webroot),
		.help = "the folder below which a program for ACME, such as "
			"certbot with --webroot, puts its challenges; they are "
			"answered at all ports for HTTP, of whatever name",
		.example = "/var/lib/letsencrypt/antiphon" },
	{ .name = NULL },
};

/* Those of all drivers; each has its own beside them. */
const struct option config_storage_options[] = {
	{ .name = "driver", .type = OPT_CHOICE, .dflt = "sqlite",
		.choices = config_storage_drivers,
		.off = offsetof(struct config_storage, driver),
		.help = "how data is kept; each has options of its own, which "
			"stand beside these" },
	{ .name = "readers", .type = OPT_INT, .dflt = "2", .min = "1",
		.max = "64", .off = offsetof(struct config_storage, readers),
		.help = "threads that read from the database" },
	{ .name = NULL },
};

const char *const config_tls_versions[] = { "1.2", "1.3", NULL };

const struct option config_tls_options[] = {
	{ .name = "min_version", .type = OPT_CHOICE, .dflt = "1.2",
		.choices = config_tls_versions,
		.off = offsetof(struct config_tls, min_version),
		.help = "the oldest version of TLS that is accepted" },
	{ .name = "ciphers", .type = OPT_TEXT,
		.off = offsetof(struct config_tls, ciphers),
		.help = "cipher list for TLS 1.2, in the words of OpenSSL; "
			"without it, AEAD ciphers with forward secrecy",
		.example = "ECDHE+AESGCM:ECDHE+CHACHA20" },
	{ .name = "ciphersuites", .type = OPT_TEXT,
		.off = offsetof(struct config_tls, ciphersuites),
		.help = "cipher suites for TLS 1.3, the preferred one first; "
			"without it, all, with AES-128 first",
		.example = "TLS_AES_256_GCM_SHA384" },
	{ .name = "tickets", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct config_tls, tickets),
		.help = "with TLS 1.3, give clients tickets to resume sessions "
			"with; each handshake pays more for its ticket than "
			"one that resumes saves, and there is no round trip "
			"to gain (TLS 1.2 always has them); a session can be "
			"resumed for an hour to two, then its keys are gone" },
	{ .name = "client_ca", .type = OPT_PATH,
		.off = offsetof(struct config_tls, client_ca),
		.help = "file or folder of the authorities whose client "
			"certificates may log in; without it, clients are not "
			"asked for one",
		.example = "/etc/antiphon/clients.pem" },
	{ .name = "expiry_warning", .type = OPT_DURATION, .dflt = "21d",
		.min = "1d", .max = "365d",
		.off = offsetof(struct config_tls, expiry_warning_us),
		.help = "how long before a certificate, or one of its chain, "
			"ends the log says so, at each reload and once a day; "
			"when it has ended, that is an error" },
	{ .name = NULL },
};

/* --- logging in ---------------------------------------------------------- */

static const char *const mechanisms[] = { "EXTERNAL", "SCRAM-SHA-512-PLUS",
	"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-512",
	"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", NULL };

const struct option config_auth_options[] = {
	{ .name = "mechanisms", .type = OPT_LIST, .item = OPT_CHOICE,
		.dflt = "EXTERNAL, SCRAM-SHA-512-PLUS, SCRAM-SHA-256-PLUS, "
			"SCRAM-SHA-1-PLUS, SCRAM-SHA-512, SCRAM-SHA-256, "
			"SCRAM-SHA-1, PLAIN",
		.min = "1", .choices = mechanisms,
		.off = offsetof(struct config_auth, mechanisms),
		.help = "the SASL mechanisms that are offered where they can "
			"work",
		.example = "[ SCRAM-SHA-256-PLUS, SCRAM-SHA-256 ]" },
	{ .name = "scram_iterations", .type = OPT_INT, .dflt = "10000",
		.min = "4096", .max = "1000000", /* RFC 5802 §5.1 */
		.off = offsetof(struct config_auth, scram_iterations),
		.help = "rounds of hashing for a new password; more make a "
			"stolen database, and each login, more expensive" },
	{ .name = "password_min_bytes", .type = OPT_INT, .dflt = "8",
		.min = "1", .max = "255",
		.off = offsetof(struct config_auth, password_min_bytes),
		.help = "the shortest password that a user may choose" },
	{ .name = "tls_required", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct config_auth, tls_required),
		.help = "nobody logs in without TLS" },
	{ .name = "anonymous", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct config_auth, anonymous),
		.help = "let guests in without a password, each with an "
			"account that ends with the session (XEP-0175)" },
	{ .name = NULL },
};

const struct option config_host_options[] = {
	{ .name = "certificate", .type = OPT_PATH,
		.off = offsetof(struct config_host, certificate),
		.help = "certificate of the host in PEM, then those that lead "
			"to its authority; without it, the host has no TLS",
		.example = "/etc/antiphon/example.org.pem" },
	{ .name = "key", .type = OPT_PATH,
		.off = offsetof(struct config_host, key),
		.help = "private key in PEM; without it, it is in the file of "
			"the certificate",
		.example = "/etc/antiphon/example.org.key" },
	{ .name = "admins", .type = OPT_LIST, .item = OPT_JID,
		.off = offsetof(struct config_host, admins),
		.help = "accounts of this host that are shown to be its "
			"administrators in service discovery (XEP-0030)",
		.example = "[ anna@example.org ]" },
	{ .name = "public_url", .type = OPT_TEXT,
		.off = offsetof(struct config_host, public_url),
		.help = "the address of the host by HTTP, as others reach it: "
			"through a reverse proxy, for instance; without it, "
			"that of the first port of kind https or web; where it "
			"does not begin with https:// there are no uploads",
		.example = "https://example.org" },
	{ .name = "cors_origins", .type = OPT_LIST, .item = OPT_TEXT,
		.alone = true, .dflt = "*",
		.off = offsetof(struct config_host, cors_origins),
		.help = "origins whose pages may use what is meant for clients "
			"in browsers, such as uploads; *: all",
		.example = "[ \"https://chat.example.org\" ]" },
	{ .name = "hsts", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct config_host, hsts),
		.help = "tell browsers, over TLS, to come to this name by TLS "
			"alone for a year, at all ports (RFC 6797)" },
	{ .name = NULL },
};

static const char *const component_conflicts[] = { /* enum component_conflict */
	"replace", "refuse", "share", NULL };

static const char *const component_accesses[] = { /* enum component_access */
	"none", "get", "set", "both", NULL };
static const char *const component_messages[] = { /* enum component_message */
	"none", "outgoing", NULL };
static const char *const component_presences[] = { /* enum component_presence */
	"none", "managed_entity", "roster", NULL };

const struct option config_component_options[] = {
	{ .name = "secret", .type = OPT_TEXT, .required = true, .secret = true,
		.max = "1024",
		.off = offsetof(struct config_component, secret),
		.help = "what the component has to know, too; a file of its "
			"own with a few rights is named by `include'",
		.example = "four random words are one" },
	{ .name = "conflict", .type = OPT_CHOICE, .dflt = "replace",
		.choices = component_conflicts,
		.off = offsetof(struct config_component, conflict),
		.help = "what happens when it connects once more: the "
			"connection before ends with <conflict/>, the new one "
			"does, or they share the work, each with some of those "
			"who send" },
	{ .name = "subdomains", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct config_component, subdomains),
		.help = "domains below that of the component are its own, "
			"too, unless they are served otherwise" },
	{ .name = "disco", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct config_component, disco),
		.help = "while it is connected it is among the items (XEP-0030) "
			"of the host that its domain is below, or of all hosts "
			"if it is below none" },
	{ .name = "queue_bytes", .type = OPT_SIZE, .dflt = "0", .min = "0",
		.max = "1GiB",
		.off = offsetof(struct config_component, queue_bytes),
		.help = "what waits for it, in memory, while it is not "
			"connected; 0: nothing, all is answered with "
			"<remote-server-timeout/> at once" },
	{ .name = "queue_stanzas", .type = OPT_INT, .dflt = "1000", .min = "1",
		.max = "1000000",
		.off = offsetof(struct config_component, queue_stanzas),
		.help = "how many stanzas wait so" },
	{ .name = "queue_time", .type = OPT_DURATION, .dflt = "5m",
		.min = "1s", .max = "1d",
		.off = offsetof(struct config_component, queue_time_us),
		.help = "how long a stanza waits so, before it is answered" },
	{ .name = "bytes_per_second", .type = OPT_SIZE, .dflt = "16MiB",
		.min = "1KiB", .max = "1GiB",
		.off = offsetof(struct config_component, bytes_per_second),
		.help = "what one connection of it may send; who sends more is "
			"slowed down" },
	{ .name = "stanzas_per_second", .type = OPT_INT, .dflt = "10000",
		.min = "1", .max = "1000000",
		.off = offsetof(struct config_component, stanzas_per_second),
		.help = "stanzas that one connection of it may send; who sends "
			"more is slowed down" },
	{ .name = "hosts", .type = OPT_LIST, .item = OPT_DOMAIN,
		.off = offsetof(struct config_component, hosts),
		.help = "the hosts that all that follows is about; where none is "
			"named, the one that the domain of the component is "
			"below, or all if it is below none",
		.example = "[ example.org ]" },
	{ .name = "roster", .type = OPT_CHOICE, .dflt = "none",
		.choices = component_accesses,
		.off = offsetof(struct config_component, roster),
		.help = "whether it may read the roster of each user, change "
			"it, or both (module privilege)" },
	{ .name = "roster_push", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct config_component, roster_push),
		.help = "a component that may read rosters is told of each "
			"change of one" },
	{ .name = "message", .type = OPT_CHOICE, .dflt = "none",
		.choices = component_messages,
		.off = offsetof(struct config_component, message),
		.help = "whether it may send messages as each user, and as the "
			"host (module privilege)" },
	{ .name = "presence", .type = OPT_CHOICE, .dflt = "none",
		.choices = component_presences,
		.off = offsetof(struct config_component, presence),
		.help = "whether it is told when users come and go; with roster, "
			"which it has to be allowed to read, also of their "
			"contacts (module privilege)" },
	{ .name = "iq_get", .type = OPT_LIST, .item = OPT_TEXT, .max = "100",
		.off = offsetof(struct config_component, iq_get),
		.help = "namespaces of requests of type get that it may send as "
			"each user (module privilege)",
		.example = "[ http://jabber.org/protocol/pubsub ]" },
	{ .name = "iq_set", .type = OPT_LIST, .item = OPT_TEXT, .max = "100",
		.off = offsetof(struct config_component, iq_set),
		.help = "the same of type set",
		.example = "[ http://jabber.org/protocol/pubsub ]" },
	{ .name = "delegate", .type = OPT_LIST, .item = OPT_TEXT, .max = "100",
		.off = offsetof(struct config_component, delegate),
		.help = "namespaces of requests to the host and to its users "
			"that it answers (module delegation); behind a "
			"namespace may stand attributes, of which a request has "
			"to have all",
		.example = "[ urn:xmpp:mam:2 node ]" },
	{ .name = NULL },
};

/* --- names ---------------------------------------------------------------- */

static const char *const dnssec_modes[] = { /* enum config_dnssec */
	"auto", "required", "off", NULL };

#define DNS(member, ...)                                                       \
	{ .off = offsetof(struct config_dns, member), __VA_ARGS__ }

const struct option config_dns_options[] = {
	DNS(servers, .name = "servers", .type = OPT_LIST, .item = OPT_TEXT,
		.max = "8",
		.help = "name servers to ask, ADDRESS or ADDRESS@PORT; without "
			"any, those of resolv_conf, and where that is not "
			"there, from the root on",
		.example = "[ 192.0.2.53, 2001:db8::53@5353 ]"),
	DNS(resolv_conf, .name = "resolv_conf", .type = OPT_PATH,
		.dflt = "/etc/resolv.conf",
		.help = "where the system's name servers stand"),
	DNS(hosts_file, .name = "hosts_file", .type = OPT_PATH,
		.dflt = "/etc/hosts",
		.help = "addresses that go before those of the DNS"),
	DNS(dnssec, .name = "dnssec", .type = OPT_CHOICE, .dflt = "auto",
		.choices = dnssec_modes,
		.help = "whether signatures are checked: with auto, names "
			"count as unsigned where the keys of trust_anchor "
			"do not come, as behind a router that strips "
			"signatures; with required, no name is found there; "
			"what is signed wrongly is never believed but with "
			"off"),
	DNS(trust_anchor, .name = "trust_anchor", .type = OPT_PATH,
		.dflt = "/usr/share/dns/root.key",
		.help = "the keys, DNSKEY or DS, at which trust begins: those "
			"of the root (the package dns-root-data)"),
	DNS(reserved_zones, .name = "reserved_zones", .type = OPT_LIST,
		.item = OPT_DOMAIN, .max = "32",
		.help = "zones that name servers are asked for though they are "
			"reserved, such as test, onion, invalid, and those of "
			"private addresses, of which the library says by "
			"itself that they do not exist",
		.example = "[ test ]"),
	DNS(timeout_us, .name = "timeout", .type = OPT_DURATION, .dflt = "10s",
		.min = "1s", .max = "1m",
		.help = "how long an answer is waited for"),
	DNS(questions, .name = "questions", .type = OPT_INT, .dflt = "256",
		.min = "8", .max = "4096",
		.help = "names that are asked for at once, a quarter of them "
			"for one sender; further ones wait in line"),
	{ .name = NULL },
};

/* clang-format on */

const struct config_section config_sections[] = {
	{ "", "the server as a process", config_server_options },
	{ "log", "what is logged, and where", config_log_options },
	{ "control", "the socket of antiphonctl(8)", config_control_options },
	{ "listen", "a list of ports", config_listen_options },
	{ "proxies", "programs that stand in front of this server, such as "
		     "HAProxy", config_proxies_options },
	{ "storage", "the database", config_storage_options },
	{ "tls", "transport security, for every host", config_tls_options },
	{ "dns", "how names of others are looked up", config_dns_options },
	{ "http", "requests by HTTP, of all hosts", config_http_options },
	{ "limits", "bounds on what others can make grow",
		config_limits_options },
	{ "auth", "how users log in; each host may override it",
		config_auth_options },
	{ "hosts", "the domains that are served", config_host_options },
	{ "federation", "other servers; each host may override it",
		config_federation_options },
	{ "s2s", "bounds on what other servers take, and on how long they may "
		 "take", config_s2s_options },
	{ "remotes", "a map of domains of others, with what is known of them",
		config_remote_options },
	{ "components", "a map of the domains whose addresses are those of "
			"programs that connect, such as gateways (XEP-0114)",
		config_component_options },
	{ NULL, NULL, NULL },
};

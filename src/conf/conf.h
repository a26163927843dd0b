/*
 * conf.h - the configuration: antiphond.yml and what it includes, checked as a
 * whole, and immutable from then on.
 *
 * A struct config is a snapshot: built at the start and by each reload, shared
 * by all shards; the last to let go frees it.  Everything in it lies in its own
 * arena.  (The file is not called config.h, which is configure's.)
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "conf/listen_kind.h"
#include "conf/option.h"

struct arena;
struct buf;
struct config;
struct conf_errors;
struct err;
struct ip;
struct ip_network;
struct tls_conf;
struct tls_host_conf;

struct config_log {
	int to;           /* enum log_target */
	const char *file; /* with LOG_TO_FILE */
	int level;        /* enum log_level, of areas that are not named */
	enum log_level levels[LOG_AREAS];
};

struct config_storage {
	int driver; /* index into config_storage_drivers */
	int64_t readers;
	void *own; /* what the driver's own options fill; see storage.h */
};
extern const char *const config_storage_drivers[];

struct config_tls {
	int min_version; /* index into config_tls_versions */
	const char *ciphers;      /* NULL: AEAD with forward secrecy */
	const char *ciphersuites; /* NULL: all, AES-128 first */
	bool tickets;             /* on TLS 1.3 */
	const char *client_ca;    /* NULL: no client certificates */
	int64_t expiry_warning_us; /* before a certificate ends */
};
extern const char *const config_tls_versions[];

enum resource_conflict {
	CONFLICT_REPLACE, /* the old session ends: RFC 6120 §7.7.2.2, 3 */
	CONFLICT_REFUSE,  /* the new one is refused: 2 */
	CONFLICT_RENAME,  /* the new one gets another resource: 1 */
};

enum config_dnssec {
	DNSSEC_AUTO,     /* where the keys do not come, names are unsigned */
	DNSSEC_REQUIRED, /* then no name is believed */
	DNSSEC_OFF,
};

/* How names are looked up. */
struct config_dns {
	struct option_list servers; /* none: those of resolv_conf */
	const char *resolv_conf;
	const char *hosts_file;
	int dnssec; /* enum config_dnssec */
	const char *trust_anchor;
	struct option_list reserved_zones; /* that are asked for all the same */
	int64_t timeout_us;
	int64_t questions; /* names that are asked for at once */
};

/* Whatever a stranger can make grow; the table in conf_limits.c says what
 * each one means. */
struct config_limits {
	/* XML */
	uint64_t stanza_bytes_unauthenticated;
	uint64_t stanza_bytes;
	int64_t depth;
	int64_t elements;
	int64_t attributes;
	uint64_t name_bytes;
	/* traffic of one connection: token buckets, rate a second and burst */
	uint64_t bytes_per_second;
	uint64_t bytes_burst;
	int64_t stanzas_per_second;
	int64_t stanzas_burst;
	/* connections */
	int64_t connections;
	int64_t unauthenticated_connections;
	int64_t connections_per_address;
	int64_t login_timeout_us;
	int64_t close_timeout_us;
	int64_t idle_before_ping_us; /* OPTION_NEVER: no pings */
	int64_t ping_timeout_us;
	/* logins */
	int64_t auth_attempts; /* on one connection */
	int64_t auth_failures_per_address; /* in a minute */
	int64_t auth_failures_per_account; /* in a minute, from one address */
	int64_t auth_failures_spread; /* in a minute, to one account */
	int64_t known_address_age_us;
	/* queues */
	uint64_t write_queue_bytes;
	uint64_t write_queue_max_bytes;
	uint64_t write_bytes_per_second;
	uint64_t bytestream_bytes;
	uint64_t mailbox_bytes;
	uint64_t inbox_bytes;
	uint64_t memory; /* what waits in all; 0: half of what there is */
	int64_t open_files;
	uint64_t file_buffers; /* bytes */
	/* accounts */
	int64_t entities; /* in memory */
	int64_t sessions_per_account;
	int64_t receipts_per_session;
	int resource_conflict; /* enum resource_conflict */
	int64_t account_idle_us; /* until an account leaves memory */
	int64_t roster_items;
	uint64_t roster_bytes; /* of one, as it is written */
	int64_t roster_groups; /* of one item */
	uint64_t roster_name_bytes; /* of an item, or of a group */
	int64_t pending_subscriptions;
	int64_t directed_presences; /* of one session */
	/* requests by HTTP */
	uint64_t http_head_bytes;
	uint64_t http_target_bytes;
	int64_t http_headers;
	int64_t http_head_timeout_us;
	int64_t http_idle_timeout_us;
	uint64_t http_bytes_per_second; /* at least; 0: as slow as they like */
	int64_t http_requests; /* by one connection */
	int64_t http_bodies_per_address; /* at once */
	int64_t http_files_per_address;  /* that it fetches, the same */
};

struct config_auth {
	struct option_list mechanisms; /* names, as in SASL */
	int64_t scram_iterations;
	int64_t password_min_bytes;
	bool tls_required; /* nobody logs in without TLS */
	bool anonymous;    /* SASL ANONYMOUS, with temporary accounts */
};

enum federation_mode {
	FEDERATION_AUTO, /* on, but with a certificate that others refuse */
	FEDERATION_ON,
	FEDERATION_OFF,
};

/* How another server shows that a domain is its own. */
enum federation_policy {
	POLICY_REQUIRED_TRUSTED,  /* by a certificate */
	POLICY_DANE_OR_TRUSTED,   /* or by what is signed about it in the DNS */
	POLICY_DIALBACK_WITH_TLS, /* or by XEP-0220 */
};

/* Other servers, as one host has to do with them. */
struct config_federation {
	int mode;   /* enum federation_mode */
	int policy; /* enum federation_policy */
	/* Prepared domains: each that alone; "*.example.net": those below it.
	 * See config_list_has(). */
	struct option_list allow; /* nobody else, if there are any */
	struct option_list deny;  /* goes before that */
	struct option_list local; /* of ours; see config_keeps_local() */
	const char *authorities;  /* PEM, or a folder; NULL: the system's */
};

/* What other servers may take, and cost. */
struct config_s2s {
	int64_t timeout_us; /* from the first stanza that waits to the end of
			     * authentication */
	int64_t idle_us;    /* until a link that nobody uses is closed;
			     * OPTION_NEVER */
	int64_t backoff_max_us;
	int64_t keep_us; /* messages that have outlived a stop; 0: none does */
	int64_t unreachable_us; /* until contacts are shown as unavailable */
	uint64_t queue_bytes; /* for one domain of others */
	int64_t queue_stanzas;
	int64_t domains; /* of others, in memory */
	uint64_t bytes_per_second; /* that one stream of another server may send */
	int64_t stanzas_per_second;
	bool ip_literals; /* domains of others may be addresses */
};

enum remote_tls { REMOTE_STARTTLS, REMOTE_DIRECT };

/* What is known of one domain of others. */
struct config_remote {
	const char *domain;  /* prepared */
	const char *address; /* a prepared name, or an address; NULL: the DNS is
			      * asked for the domain, and port and tls say
			      * nothing */
	int64_t port;
	int tls;	   /* enum remote_tls */
	int policy_choice; /* as in the file */
	int policy;	   /* enum federation_policy, or -1: the host's */
	const char *authorities; /* NULL: the host's */
};

/* A module as one host uses it. */
struct config_module {
	const char *name;
	void *conf; /* const from now on; NULL: the module has no options */
	size_t conf_size;
	const struct option *options; /* a copy of the module's; or NULL */
};

struct config_host {
	const char *domain; /* prepared */
	const char *certificate; /* NULL: no TLS at this host */
	const char *key;         /* NULL: in the same file */
	struct option_list admins; /* bare addresses, prepared */
	const char *public_url; /* by HTTP, without a '/' at its end; NULL: that of
				 * the first port */
	struct option_list cors_origins; /* whose pages may; "*": all */
	bool hsts;
	struct config_auth auth;
	struct config_federation federation;
	/* In the order of the file, which is that of handlers in one band. */
	const struct config_module *modules;
	size_t n_modules;
};

enum component_conflict {
	COMPONENT_REPLACE, /* the connection before ends */
	COMPONENT_REFUSE,  /* the new one is refused */
	COMPONENT_SHARE,   /* both stay: each has some of those who send */
};

/* Of which types; BOTH has the bits of the others. */
enum component_access {
	ACCESS_NONE,
	ACCESS_GET,
	ACCESS_SET,
	ACCESS_BOTH,
};

enum component_message {
	MESSAGES_NONE,
	MESSAGES_OUTGOING, /* it sends as users do */
};

enum component_presence {
	PRESENCE_HIDDEN,
	PRESENCE_OF_USERS,    /* whether users are there */
	PRESENCE_OF_CONTACTS, /* and who is in their rosters */
};

/* A domain whose addresses are those of a program that connects (XEP-0114). */
struct config_component {
	const char *domain; /* prepared */
	const char *secret;
	int conflict;       /* enum component_conflict */
	bool subdomains;    /* its addresses may be at domains below */
	bool disco;         /* it is an item of hosts while it is there */
	const char *host;   /* whose item: the nearest above; NULL: of all */
	uint64_t queue_bytes; /* while it is away; 0: nothing waits */
	int64_t queue_stanzas;
	int64_t queue_time_us;
	uint64_t bytes_per_second; /* that it may send */
	int64_t stanzas_per_second;
	/* What it may do at some hosts (XEP-0356, XEP-0355): */
	struct option_list hosts; /* which; none: as it is an item */
	int roster;         /* enum component_access */
	bool roster_push;   /* where it may get them */
	int message;        /* enum component_message */
	int presence;       /* enum component_presence */
	struct option_list iq_get, iq_set; /* namespaces */
	struct option_list delegate; /* namespaces, and attributes behind each */
};

/* A namespace that a component answers for some hosts (XEP-0355). */
struct config_delegation {
	const char *ns;
	const char *const *attributes; /* that have to be there; NULL-terminated */
	const struct config_component *component;
};

/* Who may say from whom a connection, or a request, is. */
struct config_proxies {
	struct option_list trusted;
	const struct ip_network *networks; /* the same, one for each */
};

/* Requests by HTTP, of all hosts. */
struct config_http {
	const char *acme_webroot; /* NULL: no challenges are answered */
};

/* What stands for one process. */
struct config_server {
	int64_t shards; /* 0: one for each core */
	int64_t disk_threads;
	const char *user;     /* NULL: stay who we are */
	const char *group;    /* NULL: the user's */
	const char *pid_file; /* NULL: none */
	const char *control_socket;
	const char *control_group; /* NULL: the socket is the owner's alone */
};

struct config {
	const char *path; /* of the file it was read from */
	struct config_server server;
	struct config_log log;
	struct config_storage storage;
	struct config_tls tls;
	struct config_dns dns;
	struct config_proxies proxies;
	struct config_http http;
	struct config_limits limits;
	struct config_auth auth; /* general; each host has its own */
	struct config_federation federation; /* the same */
	struct config_s2s s2s;
	const struct config_remote *remotes; /* sorted by domain */
	size_t n_remotes;
	const struct config_listen *listen;
	size_t n_listen;
	const struct config_host *hosts; /* sorted by domain */
	size_t n_hosts;
	const char *const *host_order; /* domains in the order of the file */
	const struct config_component *components; /* in that order, too */
	size_t n_components;
	const struct config_delegation *delegations;
	size_t n_delegations;
};

/* What the configuration has to know of modules; the loader fills it in. */
struct config_modules {
	void *arg;
	/* False: there is no such module.  Options are NULL and the size 0 when
	 * it has none. */
	bool (*find)(void *arg, const char *name,
		const struct option **options_out, size_t *conf_size_out);
	const char *const *defaults; /* on unless a file says otherwise */
	size_t n_defaults;
	const char *const *names; /* all there are, for proposals */
	size_t n_names;
	/* Kinds of ports that the house has; NULL: what the file says of kinds is
	 * not looked at. */
	const struct listen_kind *kinds;
	/* Those of a module that find() knows; NULL: it has none. */
	const struct listen_kind *(*listeners)(void *arg, const char *name);
};

/* --- start-up, reload: any thread ---------------------------------------- */

/*
 * Reads and checks the file at path.  A reference, owned by the caller; NULL
 * when there are mistakes, all of which are in m.  modules is borrowed; NULL:
 * what the file says of modules is not looked at.
 */
struct config *config_load(const char *path,
	const struct config_modules *modules, struct conf_errors *m);
/* The same from memory, without includes; file is the name for messages. */
struct config *config_parse(const char *file, struct str text,
	const struct config_modules *modules, struct conf_errors *m);

/*
 * What only a start can change is made as it is in was, and stays in force: the
 * process, the control socket, the place of the log, storage.  c is
 * as config_load() has given it, and nobody else has it yet.  A line for each
 * thing that the file has otherwise is appended to out.
 */
void config_keep(struct config *c, const struct config *was, struct buf *out);

/* --- any thread ---------------------------------------------------------- */

struct config *config_ref(struct config *c);
void config_unref(struct config *c);

/* NULL: not a host of ours.  domain is prepared. */
const struct config_host *config_host(const struct config *c,
	struct str domain);
/*
 * The domain of a service that text names, at the host called host: "echo" is
 * echo.HOST, and what has a dot is the domain itself.  *out is STR_NONE when text
 * is empty or NULL: there is none; prepared, in a.  False with err when that is
 * no domain.
 */
bool config_service_domain(struct str *out, struct arena *a, struct str host,
	const char *text, struct err *err);
/* bare is a prepared bare address; only its own host makes it an admin. */
bool config_is_admin(const struct config_host *h, struct str bare);

/* Is domain (prepared) meant by a list of federation? */
bool config_list_has(const struct option_list *list, struct str domain);
/* Is domain, of a service or component of host (NULL: of none), to talk to nobody? */
bool config_keeps_local(const struct config_federation *f, const char *host,
	struct str domain);
/* What the file says of a domain of others (prepared); NULL: nothing. */
const struct config_remote *config_remote(const struct config *c,
	struct str domain);

/* Does what c may do concern the host with this domain? */
bool config_component_is_at(const struct config_component *c, struct str host);
/* May c send requests of this type (GET or SET) in this namespace as a user? */
bool config_component_asks(const struct config_component *c,
	enum component_access type, struct str ns);
/* Who answers requests in ns at host; NULL: we do. */
const struct config_delegation *config_delegation(const struct config *c,
	struct str host, struct str ns);

/* Has an entry of `listen' that kind, and is there one that has? */
bool config_listen_has(const struct config_listen *l, const char *kind);
bool config_listens(const struct config *c, const char *kind);
/* Is ip that of a proxy that is trusted? */
bool config_trusts(const struct config *c, const struct ip *ip);

/* Fills out with what tls_set_new() takes; hosts has room for c->n_hosts, and is
 * borrowed by out, as c is. */
void config_tls_conf(const struct config *c, struct tls_host_conf *hosts,
	struct tls_conf *out);

/* Appends what is in force as YAML, defaults included, secrets left out.
 * Reading that again gives the same. */
void config_show(const struct config *c, struct buf *out);

/* One section of the manual for each table: name is "log", "limits", ... */
struct config_section {
	const char *name;
	const char *help;
	const struct option *options;
};
/* Ends with a name of NULL. */
extern const struct config_section config_sections[];

#endif

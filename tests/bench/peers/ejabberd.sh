# ejabberd.sh - ejabberd as a peer of the benchmarks; see lib.sh.  Tuned, its
# schedulers sleep when they have nothing to do, instead of spinning.  What
# archives hold lies in Mnesia, as all else, or in SQLite.
# shellcheck shell=sh disable=SC2034,SC2086,SC2154

ejabberd_version() {
	package_version ejabberd
}

# Can its archives lie in a database?
ejabberd_sql() {
	package_version erlang-p1-sqlite3
}

ejabberd_archive() {
	test -z "${peer_archive:-}" || cat <<-END
	  mod_mam:
	    assume_mam_usage: true
	    default: always
	END
	test "${peer_archive:-}" != sql || cat <<-END
	    db_type: sql
	sql_type: sqlite
	sql_database: "$folder/archive.sqlite"
	END
}

# Listeners for components, where they are wanted: who has connected to one is all
# the hosts of it.
ejabberd_components() {
	test -z "${components:-}" || cat <<-END
	  -
	    port: $port_component
	    ip: "127.0.0.1"
	    module: ejabberd_service
	    hosts:
	      a.$domain:
	        password: bench
	  -
	    port: $port_second
	    ip: "127.0.0.1"
	    module: ejabberd_service
	    hosts:
	      b.$domain:
	        password: bench
	END
}

# That of Debian's package, but for listeners that no client of ours needs,
# shapers, and what counts logins and presences to stop them (mod_fail2ban,
# mod_pres_counter).
ejabberd_conf() {
	cat <<-END
	loglevel: info
	log_rotate_count: 0
	hosts:
	  - $domain
	certfiles:
	  - "$folder/both.pem"
	define_macro:
	  'TLS_CIPHERS': "HIGH:!aNULL:!eNULL:!3DES:@STRENGTH"
	  'TLS_OPTIONS':
	    - "no_sslv3"
	    - "no_tlsv1"
	    - "no_tlsv1_1"
	    - "cipher_server_preference"
	    - "no_compression"
	c2s_ciphers: 'TLS_CIPHERS'
	s2s_ciphers: 'TLS_CIPHERS'
	c2s_protocol_options: 'TLS_OPTIONS'
	s2s_protocol_options: 'TLS_OPTIONS'
	listen:
	  -
	    port: $1
	    ip: "127.0.0.1"
	    module: ejabberd_c2s
	    max_stanza_size: 262144
	    access: c2s
	    starttls: true
	    protocol_options: 'TLS_OPTIONS'
	$(ejabberd_components)
	disable_sasl_mechanisms:
	  - "digest-md5"
	  - "X-OAUTH2"
	s2s_use_starttls: required
	auth_password_format: scram
	acl:
	  local:
	    user_regexp: ""
	access_rules:
	  local:
	    allow: local
	  c2s:
	    deny: blocked
	    allow: all
	  announce:
	    allow: admin
	  muc_create:
	    allow: local
	  pubsub_createnode:
	    allow: local
	shaper_rules:
	  max_user_sessions: 10
	  max_user_offline_messages:
	    5000: admin
	    100: all
	modules:
	  mod_adhoc: {}
	  mod_admin_extra: {}
	  mod_announce:
	    access: announce
	  mod_avatar: {}
	  mod_blocking: {}
	  mod_bosh: {}
	  mod_caps: {}
	  mod_carboncopy: {}
	  mod_client_state: {}
	  mod_configure: {}
	  mod_disco: {}
	  mod_http_api: {}
	  mod_last: {}
	  mod_mqtt: {}
	  mod_muc:
	    access:
	      - allow
	    access_create: muc_create
	    access_persistent: muc_create
	    access_mam:
	      - allow
	    default_room_options:
	      mam: true
	  mod_muc_admin: {}
	  mod_offline:
	    access_max_user_messages: max_user_offline_messages
	  mod_ping: {}
	  mod_privacy: {}
	  mod_private: {}
	  mod_pubsub:
	    access_createnode: pubsub_createnode
	    plugins:
	      - flat
	      - pep
	    force_node_config:
	      "eu.siacs.conversations.axolotl.*":
	        access_model: open
	      storage:bookmarks:
	        access_model: whitelist
	  mod_push: {}
	  mod_push_keepalive: {}
	  mod_roster:
	    versioning: true
	  mod_s2s_dialback: {}
	  mod_shared_roster: {}
	  mod_sic: {}
	  mod_stream_mgmt:
	    resend_on_timeout: if_offline
	  mod_stun_disco: {}
	  mod_vcard:
	    search: false
	  mod_vcard_xupdate: {}
	  mod_version: {}
	$(ejabberd_archive)
	END
}

# Erlang that makes the accounts like the first one, and their rosters.
ejabberd_fill() {
	cat <<-END
	Host = <<"$domain">>, N = $accounts, Size = $contacts + 1,
	ok = ejabberd_auth:try_register(<<"b0">>, Host, <<"bench-password">>),
	[First] = mnesia:dirty_read(passwd, {<<"b0">>, Host}),
	User = fun(I) -> <<"b", (integer_to_binary(I))/binary>> end,
	[usj, us, jid, name, subscription, ask, groups, askmessage, xs] =
	  mnesia:table_info(roster, attributes),
	Contact = fun(I, J) ->
	  Jid = {User(J), Host, <<>>},
	  Name = <<"Number ", (integer_to_binary(J))/binary>>,
	  Group = element(J rem Size rem 4 + 1, {<<"Friends">>, <<"Family">>,
	    <<"Work">>, <<"Neighbours">>}),
	  mnesia:dirty_write({roster, {User(I), Host, Jid}, {User(I), Host},
	    Jid, Name, both, none, [Group], <<>>, []}) end,
	[begin
	  mnesia:dirty_write(setelement(2, First, {User(I), Host})),
	  [Contact(I, J) || J <- lists:seq(I - I rem Size,
	    I - I rem Size + Size - 1), J /= I]
	end || I <- lists:seq(0, N - 1)],
	init:stop().
	END
}

# As ejabberdctl starts it, but without epmd.
ejabberd_run() { # port, what else for erl
	cd "$folder" || return 1
	port=$1
	shift
	export HOME="$folder" ERL_LIBS=/usr/lib/x86_64-linux-gnu
	export EJABBERD_CONFIG_PATH="$folder/ejabberd.yml"
	export EJABBERD_LOG_PATH="$folder/log"
	export ERL_MAX_PORTS=32000 ERL_MAX_ETS_TABLES=1400
	as_nobody erl -sname ejabberd@localhost +K true +P 250000 \
		${tuned:++sbwt none +sbwtdcpu none +sbwtdio none} \
		-env ERL_CRASH_DUMP_BYTES 0 \
		-start_epmd false -erl_epmd_port "$port" \
		-kernel inet_dist_use_interface '{127,0,0,1}' \
		-mnesia dir "\"$folder/spool\"" \
		-ejabberd log_rotate_count 0 -s ejabberd -noinput "$@" \
		>>"$folder/out" 2>&1 </dev/null
}

# The database with the accounts: made by a process of its own, so that the
# one that is measured is fresh, and kept in $stock for the next time.
ejabberd_spool() { # port
	made=$stock/ejabberd-$accounts-$contacts
	if ! test -d "$made"; then
		(ejabberd_run "$1" -eval "$(ejabberd_fill)") || return 1
		cp -R "$folder/spool" "$made.new"
		mv "$made.new" "$made"
	fi
	rm -rf "$folder/spool"
	cp -R "$made" "$folder/spool"
	if test "$(id -u)" = 0; then chown -R nobody "$folder"; fi
}

ejabberd_launch() {
	ejabberd_run "$port_erlang" &
	pid=$!
	port_await "$port_none" "$pid" || return 1
	pid=$(process_family "$pid")
}

ejabberd_start() {
	folder_new
	cat "$folder/cert.pem" "$folder/key.pem" >"$folder/both.pem"
	port_new
	port_starttls=$port port_none=$port
	ejabberd_conf "$port" >"$folder/ejabberd.yml"
	: >"$folder/log"
	if test "$(id -u)" = 0; then chown -R nobody "$folder"; fi
	port_new
	port_erlang=$port
	if ! ejabberd_spool "$port_erlang"; then
		cat "$folder/out" "$folder/log" >&2
		return 1
	fi
	ejabberd_launch
}

# prosody.sh - Prosody as a peer of the benchmarks; see lib.sh.  Tuned, it has
# the generational garbage collector.  What archives hold lies in files of lists,
# as all else, or in SQLite.
# shellcheck shell=sh disable=SC2034,SC2154

prosody_version() {
	package_version prosody
}

# Can its archives lie in a database?
prosody_sql() {
	package_version lua-dbi-sqlite3
}

prosody_archive_storage() {
	test "${peer_archive:-}" != sql || cat <<-END
	storage = { archive = "sql" }
	sql = { driver = "SQLite3", database = "prosody.sqlite" }
	END
}

# The modules are those of Debian's prosody.cfg.lua but for `limits'; the files
# of accounts and rosters are those of its own storage.
prosody_conf() {
	cat <<-END
	data_path = "$folder/data"
	pidfile = "$folder/pid"
	interfaces = { "127.0.0.1" }
	c2s_ports = { $1 }
	s2s_ports = { $2 }
	modules_enabled = {
		"disco"; "roster"; "saslauth"; "tls"; "blocklist";
		"bookmarks"; "carbons"; "dialback"; "pep"; "private";
		"smacks"; "vcard4"; "vcard_legacy"; "csi_simple"; "invites";
		"invites_adhoc"; "invites_register"; "ping"; "register";
		"time"; "uptime"; "version"; "admin_adhoc"; "admin_shell";
		"posix"; ${peer_archive:+"\"mam\";"}
	}
	s2s_secure_auth = true
	authentication = "internal_hashed"
	archive_expires_after = "1w"
	c2s_require_encryption = false
	log = { info = "$folder/log" }
	ssl = { certificate = "$folder/cert.pem", key = "$folder/key.pem" }
	END
	if test -n "${tuned:-}"; then
		echo 'gc = { mode = "generational" }'
	fi
	prosody_archive_storage
	if test -n "${components:-}"; then
		echo "component_ports = { $port_component }"
	fi
	echo "VirtualHost \"$domain\""
	test -z "${rooms:-}" || echo "Component \"conference.$domain\" \"muc\""
	test -z "${components:-}" || for name in a b; do
		echo "Component \"$name.$domain\""
		echo 'component_secret = "bench"'
	done
}

# The first account is as Prosody makes it, and the others are like it.
prosody_accounts() {
	(as_nobody prosodyctl --config "$folder/conf.lua" register b0 \
		"$domain" bench-password) >>"$folder/log" 2>&1 || return 1
	data=$folder/data/$(echo "$domain" | sed 's/\./%2e/g')
	awk -v folder="$data/accounts" -v n="$accounts" '
		{ text = text $0 "\n" }
		END {
			for (i = 1; i < n; i++) {
				file = folder "/b" i ".dat"
				printf "%s", text >file
				close(file)
			}
		}' "$data/accounts/b0.dat"
}

prosody_rosters() {
	mkdir "$data/roster"
	awk -v folder="$data/roster" -v n="$accounts" -v contacts="$contacts" \
		-v domain="$domain" 'BEGIN {
			split("Friends Family Work Neighbours", groups, " ")
			item = "[\"b%d@%s\"] = { subscription = \"both\"; " \
				"name = \"Number %d\"; groups = { [\"%s\"] = true } };\n"
			size = contacts + 1
			for (i = 0; i < n; i++) {
				file = folder "/b" i ".dat"
				print "return {\n[false] = { version = 1; };" >file
				for (j = 0; j < size; j++)
					if ((to = i - i % size + j) != i)
						printf item, to, domain, to,
							groups[j % 4 + 1] >file
				print "};" >file
				close(file)
			}
		}'
}

prosody_launch() {
	as_nobody prosody -F --config "$folder/conf.lua" \
		>>"$folder/log" 2>&1 </dev/null &
	pid=$!
	port_await "$port_none" "$pid" || return 1
	pid=$(process_family "$pid")
}

prosody_start() {
	folder_new
	mkdir "$folder/data"
	port_new
	port_starttls=$port port_none=$port
	port_new
	prosody_conf "$port_none" "$port" >"$folder/conf.lua"
	: >"$folder/log"
	if test "$(id -u)" = 0; then chown -R nobody "$folder"; fi
	prosody_accounts || { cat "$folder/log" >&2; return 1; }
	if test "$contacts" != 0; then prosody_rosters; fi
	if test "$(id -u)" = 0; then chown -R nobody "$folder/data"; fi
	prosody_launch
}

# jabberd2.sh - jabberd2 as a peer of the benchmarks; see lib.sh.  Three
# processes count: router, session manager, and clients' connections.
# shellcheck shell=sh disable=SC2034,SC2154,SC3045

jabberd2_schema=/usr/share/doc/jabberd2/db-setup.sqlite.gz
jabberd2_modules=$(echo /usr/lib/*/jabberd2)

jabberd2_version() {
	command -v sqlite3 >/dev/null && test -r "$jabberd2_schema" || return 1
	package_version jabberd2
}

jabberd2_router() {
	cat <<-END
	<router>
	  <id>router</id>
	  <pidfile>$folder/router.pid</pidfile>
	  <log type='file'><file>$folder/log</file></log>
	  <local>
	    <ip>127.0.0.1</ip>
	    <port>$1</port>
	    <users>$folder/users.xml</users>
	    <secret>secret</secret>
	  </local>
	  <check><interval>60</interval><keepalive>0</keepalive></check>
	  <io>
	    <max_fds>1024</max_fds>
	    <limits><bytes>0</bytes><connects>0</connects></limits>
	    <access><order>allow,deny</order></access>
	  </io>
	  <aliases/>
	  <aci>
	    <acl type='all'><user>jabberd</user></acl>
	    <filter>$folder/filter.xml</filter>
	  </aci>
	</router>
	END
}

# What the others say of the router, the log and the database.
jabberd2_common() { # name port
	cat <<-END
	<id>$1</id>
	<pidfile>$folder/$1.pid</pidfile>
	<router>
	  <ip>127.0.0.1</ip>
	  <port>$2</port>
	  <user>jabberd</user>
	  <pass>secret</pass>
	  <retry><init>3</init><lost>3</lost><sleep>2</sleep></retry>
	</router>
	<log type='file'><file>$folder/log</file></log>
	END
}

jabberd2_sqlite() {
	cat <<-END
	<sqlite>
	  <dbname>$folder/data.sqlite</dbname>
	  <sql>PRAGMA synchronous = NORMAL;</sql>
	  <busy-timeout>2000</busy-timeout>
	  <password_type><plaintext/></password_type>
	</sqlite>
	END
}

# chain NAME MODULE...
jabberd2_chain() {
	echo "<chain id='$1'>"
	shift
	printf '<module>%s</module>' "$@"
	echo "</chain>"
}

# The chains of modules are those of Debian's sm.xml.
jabberd2_sm() {
	echo "<sm>"
	jabberd2_common sm "$1"
	cat <<-END
	<local><id>$domain</id></local>
	<storage>
	  <path>$jabberd2_modules</path>
	  <driver>sqlite</driver>
	  <limits/>
	  $(jabberd2_sqlite)
	</storage>
	<aci><acl type='all'><jid>admin@$domain</jid></acl></aci>
	<modules>
	  <path>$jabberd2_modules</path>
	END
	jabberd2_chain sess-start status
	jabberd2_chain sess-end status iq-last
	jabberd2_chain in-sess validate status privacy roster vacation \
		iq-vcard iq-ping iq-private disco amp offline announce \
		presence deliver
	jabberd2_chain in-router session validate presence privacy
	jabberd2_chain out-router privacy
	jabberd2_chain pkt-sm iq-last iq-ping iq-time iq-version amp disco \
		announce help echo status presence
	jabberd2_chain pkt-user roster presence disco iq-vcard amp deliver \
		vacation offline iq-last
	jabberd2_chain pkt-router session disco
	jabberd2_chain user-load active roster roster-publish privacy vacation
	jabberd2_chain user-create active template-roster
	jabberd2_chain user-delete active announce offline privacy roster \
		vacation status iq-last iq-private iq-vcard
	jabberd2_chain disco-extend iq-version help
	cat <<-END
	</modules>
	<discovery>
	  <identity>
	    <category>server</category>
	    <type>im</type>
	    <name>Jabber IM server</name>
	  </identity>
	  <agents/>
	  <items/>
	</discovery>
	<user><template/></user>
	<amp/><offline/><roster/><status/>
	</sm>
	END
}

# Clients may send as many stanzas as they like, and use SCRAM, which Debian's
# settings do not offer: the others do, and it is dearer than PLAIN.
jabberd2_c2s() {
	echo "<c2s>"
	jabberd2_common c2s "$1"
	cat <<-END
	<local>
	  <id pemfile='$folder/both.pem'>$domain</id>
	  <ip>127.0.0.1</ip>
	  <port>$2</port>
	</local>
	<io>
	  <max_fds>$(ulimit -n)</max_fds>
	  <limits>
	    <bytes>0</bytes>
	    <stanzas>0</stanzas>
	    <connects>0</connects>
	    <stanzasize>65535</stanzasize>
	  </limits>
	  <access><order>allow,deny</order></access>
	  <check><interval>0</interval><idle>0</idle><keepalive>0</keepalive></check>
	</io>
	<stats/><pbx/><stream_redirect/>
	<authreg>
	  <path>$jabberd2_modules</path>
	  <module>sqlite</module>
	  <mechanisms>
	    <traditional><plain/><digest/></traditional>
	    <sasl><plain/><digest-md5/><scram-sha-1/></sasl>
	  </mechanisms>
	  <ssl-mechanisms>
	    <traditional><plain/></traditional>
	    <sasl><plain/><external/></sasl>
	  </ssl-mechanisms>
	  $(jabberd2_sqlite)
	</authreg>
	</c2s>
	END
}

# Accounts and rosters, as rows.
jabberd2_database() {
	{
		gzip -dc "$jabberd2_schema"
		cat <<-END
		BEGIN;
		CREATE TEMP TABLE users AS
		WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL
			SELECT i + 1 FROM n WHERE i + 1 < $accounts)
		SELECT i, i - i % ($contacts + 1) AS first FROM n;
		INSERT INTO "authreg"
		SELECT 'b' || i, '$domain', 'bench-password' FROM users;
		INSERT INTO "active" ("collection-owner", "time")
		SELECT 'b' || i || '@$domain', 1 FROM users;
		CREATE TEMP TABLE items AS
		WITH RECURSIVE place (j) AS (SELECT 0 UNION ALL
			SELECT j + 1 FROM place WHERE j < $contacts)
		SELECT 'b' || i || '@$domain' AS owner, first + j AS contact,
			j % 4 AS n
		FROM users, place WHERE first + j <> i;
		INSERT INTO "roster-items"
			("collection-owner", "jid", "name", "to", "from", "ask")
		SELECT owner, 'b' || contact || '@$domain',
			'Number ' || contact, 1, 1, 0 FROM items;
		INSERT INTO "roster-groups" ("collection-owner", "jid", "group")
		SELECT owner, 'b' || contact || '@$domain', CASE n
			WHEN 0 THEN 'Friends' WHEN 1 THEN 'Family'
			WHEN 2 THEN 'Work' ELSE 'Neighbours' END FROM items;
		COMMIT;
		END
	} | sqlite3 "$folder/data.sqlite"
}

jabberd2_run() { # part
	as_nobody "jabberd2-$1" -c "$folder/$1.xml" \
		>>"$folder/$1.out" 2>&1 </dev/null &
	pid=${pid:+$pid,}$!
}

jabberd2_start() {
	folder_new
	cat "$folder/cert.pem" "$folder/key.pem" >"$folder/both.pem"
	echo "<users><user><name>jabberd</name><secret>secret</secret></user></users>" \
		>"$folder/users.xml"
	echo "<filter/>" >"$folder/filter.xml"
	port_new
	router=$port
	port_new
	port_starttls=$port port_none=$port
	jabberd2_router "$router" >"$folder/router.xml"
	jabberd2_sm "$router" >"$folder/sm.xml"
	jabberd2_c2s "$router" "$port" >"$folder/c2s.xml"
	jabberd2_database >"$folder/sqlite.out" || return 1
	: >"$folder/log"
	if test "$(id -u)" = 0; then chown -R nobody "$folder"; fi
	PATH=$PATH:/usr/sbin
	jabberd2_run router
	port_await "$router" $! || return 1
	jabberd2_run sm
	until grep -q 'ready for sessions' "$folder/log"; do
		kill -0 $! 2>/dev/null || { cat "$folder/log" >&2; return 1; }
		sleep 0.1
	done
	jabberd2_run c2s
	port_await "$port_none" $! || return 1
}

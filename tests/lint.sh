#!/bin/sh
# lint.sh - what no compiler says about the source; each finding is a line.
# Run by make check.
set -u

cd "${srcdir:-.}" || exit 1
findings=0

# Sources and headers of the program, but for what awk makes.
sources() {
	find src modules -name '*.[ch]' | LC_ALL=C sort
}

# Shows what comes in, under a heading.
report() {
	found=$(cat)
	[ -n "$found" ] || return 0
	printf '%s:\n%s\n' "$1" "$found"
	findings=$((findings + 1))
}

# Lines with a pattern, comments apart.
lines() {
	# shellcheck disable=SC2046 # names without blanks
	grep -nE "$1" $(sources) | grep -vE '^[^:]*:[0-9]*:[[:space:]]*/?\*'
}

# hostile 27: what is secret is compared by secret_eq() alone, that is by
# CRYPTO_memcmp().  Each file that compares bytes all the same is named here,
# with what they are.
#   src/net/tls.c             protocol names (ALPN)
#   src/net/tls_tickets.c     names of keys, which stand in the clear
#   src/dns/dns_targets.c, src/server/dns_check.c   addresses
#   src/server/command_dns.c   digests of certificates, which everybody sees
#   src/stream/sasl/sasl_scram.c   finds ",p=", no comparison of proofs
memcmps='src/(net/tls|net/tls_tickets|dns/dns_targets|server/dns_check|server/command_dns|stream/sasl/sasl_scram|xml/[a-z_]*|xmpp/[a-z_]*|base/(str|text)|antiphonctl/cli_args)\.[ch]:'
lines '\b(memcmp|bcmp)\(' | grep -v CRYPTO_memcmp | grep -vE "^$memcmps" |
	report 'hostile 27: bytes compared in variable time'
lines '(strn?cmp|str_eq|str_is|==)' |
	grep -E '(strn?cmp|str_eq|str_is)\([^)]*[a-z>._](password|proof|stored_key|server_key|digest|secret)\b' |
	report 'hostile 27: a secret compared in variable time'

# hostile 34: identifiers come from base/rand.h
lines '\b(s?rand|s?random|rand_r|[dlm]rand48|srand48)\(' |
	report 'hostile 34: a generator that can be predicted'

# hostile 37: TLS, digests and random bytes are the library's, and that is all;
# what reads and writes tickets asks us for the keys, by a cipher that it hands out
lines '\b(EVP_(Encrypt|Decrypt|Cipher)|AES_|DES_|RC4)' |
	grep -v '^src/net/tls_tickets\.c:' |
	report 'hostile 37: cryptography of our own'

# hostile 58: the server goes nowhere but to other servers, by their names, and to
# its own machine; dns_check looks whether ours can be reached where the DNS says.
lines '\bconnect\(' |
	grep -vE '^src/(net/race|ctl/ctl_socket|base/log_syslog|antiphonctl/cli_client)\.c:' |
	report 'hostile 58: a connection to somewhere else'
lines '\b(race|probe)_start\(' |
	grep -vE '^src/(net/(race|probe)|stream/server/s2s_connect|server/dns_check)\.[ch]:' |
	report 'hostile 58: a connection to somewhere else'
lines '\b(curl_[a-z_]*|BIO_new_connect|BIO_s_connect|evhttp_[a-z_]*)\(|bufferevent_socket_connect' |
	report 'hostile 58: somebody else connects for us'

# hostile 2, 42, 63, 69
lines '\bXML_ParserCreate' | grep -v '^src/xml/parser_pool\.c:' |
	report 'hostile 2: a second parser'
lines '_xmppconnect' | report 'hostile 42: a TXT record that leads elsewhere'
lines '\bsqlite3_v?s?n?(mprintf|get_table)\b' |
	report 'hostile 63: statements made of text'
# where SQLite has its own, which nobody can guess: how much room is there
lines '"/tmp|\b(tmpnam|mktemp|tempnam)\(' |
	grep -v '^src/store/sqlite/sqlite_room\.c:' |
	report 'hostile 69: a place that can be guessed'

lines '\b(v?sprintf|strcpy|stpcpy|strcat|strncpy|strncat|gets|strtok|alloca|system|popen)\(' |
	report 'functions without a bound'

# An array that grows is a struct VEC(): a length and a room of one's own come
# apart.  What else grows is bytes: blocks of a roster, what libraries ask for.
grows='src/(base/(mem|vec|buf|memuse|event_memory)|net/tls_memory|xml/parser_pool|account/roster)\.[ch]:'
lines 'realloc(array)?\(' | grep -vE "^$grows" |
	report 'an array that is none of base/vec.h'

# shellcheck disable=SC2046
awk '
FNR == 1 { begun = 0 }
FNR == 601 { print FILENAME ": more than 600 lines" }
/^{/ { begun = FNR }
/^}/ {
	if (begun && FNR - begun - 1 > 60)
		print FILENAME ":" begun ": a function of " \
			FNR - begun - 1 " lines"
	begun = 0
}' $(sources) | report 'too long'

# One grep finds everything that carries out a paragraph; text for people is
# written out.
# shellcheck disable=SC2046
grep -nE 'RFC[0-9]|RFC-[0-9]|XEP[0-9]|XEP [0-9]|(RFC [0-9]+|XEP-[0-9]+),? *([Ss]ection|[Ss]ec\.|[Cc]hapter)|[Ss]ection [0-9]+(\.[0-9]+)* of (RFC|XEP)' \
	$(sources) | grep -v '"' | report 'sources are cited as RFC 6120 §4.9.3 or XEP-0198 §5'

# shellcheck disable=SC2046
LC_ALL=C awk '
{ line = $0; gsub(/\302\247/, "", line) }
line ~ /[\200-\377]/ { print FILENAME ":" FNR ": not ASCII" }
line ~ /(^|[ \t;{}])\/\/ / { print FILENAME ":" FNR ": a comment with //" }
line ~ /[ \t]$/ { print FILENAME ":" FNR ": blanks at the end" }' \
	$(sources) | report 'style'

# A namespace has one name, and stands in one place.
lines '^#define NS_' | grep -vE '^src/(xmpp/ns|xml/elem)\.h:' |
	report 'a namespace that is not in xmpp/ns.h'
# shellcheck disable=SC2046
sed -n 's/^#define NS_[A-Z_]* \(".*"\)$/\1/p' src/xmpp/ns.h src/xml/elem.h |
	grep -nFf - $(sources) | grep -vE '^src/(xmpp/ns|xml/elem)\.h:' |
	report 'a namespace that is written out'

# A file says what it is, and who is named in a comment is there.
# shellcheck disable=SC2046
awk '
FNR == 2 {
	name = FILENAME
	sub(/.*\//, "", name)
	if ($2 != name)
		print FILENAME ": begins with the name " $2
}' $(sources) | report 'a file that has another name'
# shellcheck disable=SC2046
grep -noE '^(/| |	+ )\*.*' $(sources) | grep -oE '^[^:]*:[0-9]*|[a-z0-9_]{3,}\.c\b' |
	while read -r word; do
		case $word in
		*:*) place=$word ;;
		*) [ -n "$(find src modules -name "$word")" ] ||
			echo "$place: $word" ;;
		esac
	done | report 'a file that is not there'

# Every area of the log that can be set is used.
sed -n 's/^LOG_AREA(\([A-Z0-9]*\),.*/\1/p' src/base/log.def |
	while read -r area; do
		# shellcheck disable=SC2046
		grep -qE "\bLOG_$area\b" $(sources) || echo "LOG_$area"
	done | report 'areas of the log that nobody uses'

# tests/HOSTILE: what it names exists.
tr '\t ' '\n\n' <tests/HOSTILE | sed -n \
	-e 's,^d/\(.*\.dlg\)$,tests/dialog/\1,p' \
	-e 's,^e/\([a-z_]*\.py\).*,tests/e2e/\1,p' \
	-e 's,^s/\([a-z_]*\.c\).*,tests/sim/\1,p' \
	-e 's,^u/\([a-z0-9_]*\.c\).*,tests/unit/\1,p' \
	-e 's,^\(tests/fuzz/[a-z0-9_]*\.c\),\1,p' | sort -u |
	while read -r file; do
		[ -e "$file" ] || echo "$file"
	done | report 'tests/HOSTILE names what is not there'
grep -oE '::test_[a-z0-9_]+' tests/HOSTILE | sort -u |
	while IFS=: read -r _ _ name; do
		grep -q "^def $name(" tests/e2e/*.py || echo "$name"
	done | report 'tests/HOSTILE names what is not there'

[ "$findings" -eq 0 ]

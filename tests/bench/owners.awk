# owners.awk - who holds the memory of a session: the difference between two
# reports of valgrind's DHAT, one with few sessions and one with many, divided
# by the number by which they differ.  Run by owners.sh.
#
#	awk -v sessions=N -f owners.awk FEW MANY
#
# Prints "owner bytes blocks heap" lines; heap is with what malloc adds: 8 bytes,
# rounded up to 16, and 32 at least (glibc).
#
# Of a report, which is a line for each entry of its lists, this reads what was
# alive at the end ("eb", "ebk") with its stack ("fs": numbers of lines below
# "ftbl").  The innermost frame that tells an owner counts.

# A table: what matches first.  Objects of libraries come before our names.
function owner_of(frame) {
	if (frame ~ /lib(ssl|crypto)\.so/)
		return "TLS"
	if (frame ~ /libexpat\.so/)
		return "parser"
	if (frame ~ /libsqlite3\.so/)
		return "store"
	if (frame ~ /libevent/)
		return "event loop"
	# "0x4017F2: conn_new (conn.c:30)"
	sub(/^[^ ]*: /, "", frame)
	if (frame ~ /^(tls_|conn_tls_)/)
		return "TLS"
	if (frame ~ /^(xml_p|parser_)/)
		return "parser"
	if (frame ~ /^(conn_|net_|listener_)/)
		return "conn"
	if (frame ~ /^(c2s_|sasl_|scram_)/)
		return "stream"
	if (frame ~ /^session_/)
		return "session"
	if (frame ~ /^(roster_|name_)/)
		return "roster"
	if (frame ~ /^(account_|entity_)/)
		return "account"
	if (frame ~ /^(slot_|module_)/)
		return "modules"
	if (frame ~ /^(store_|sqlite_|op_)/)
		return "store"
	if (frame ~ /^(stripe_|tally_)/)
		return "limits"
	return ""
}

function rounded(bytes,    n) {
	n = int((bytes + 8 + 15) / 16) * 16
	return n < 32 ? 32 : n
}

FNR == 1 {
	if (NR > 1)
		finish(-1)
	n_points = n_frames = 0
	in_frames = 0
}

function finish(weight,    i, j, n, list, owner) {
	for (i = 1; i <= n_points; i++) {
		owner = ""
		n = split(stacks[i], list, ",")
		for (j = 1; j <= n && owner == ""; j++)
			owner = owner_of(frames[list[j]])
		if (owner == "")
			owner = "other"
		bytes[owner] += weight * live[i]
		blocks[owner] += weight * count[i]
		heap[owner] += weight * count[i] * rounded(live[i] / count[i])
	}
}

/"eb":/ {
	split($0, parts, /[:,]/)
	# ,"eb":B,"ebk":K splits into "", "eb", B, "ebk", K
	at_end = parts[3]
	at_end_blocks = parts[5]
}
/"fs":/ {
	if (at_end > 0) {
		line = $0
		gsub(/^[^[]*\[|\].*$/, "", line)
		n_points++
		live[n_points] = at_end
		count[n_points] = at_end_blocks
		stacks[n_points] = line
	}
	at_end = 0
}
/"ftbl":/ { in_frames = 1; next }
in_frames && /"/ {
	line = $0
	gsub(/^[^"]*"|"[^"]*$/, "", line)
	frames[n_frames++] = line
}

END {
	finish(1)
	for (owner in bytes)
		printf "%s|%.0f|%.2f|%.0f\n", owner, bytes[owner] / sessions,
			blocks[owner] / sessions, heap[owner] / sessions
}

# compare.awk - the tables of compare.sh.  Reads a file of columns, server and
# title with a tab between them, then one of runs: server, run, key=value...
# Each figure is the median of its runs.  The status is not 0 if a run is
# without a figure that it should have.

# A row: where its figure is in a run (the nth value of this key), what it is
# multiplied by, and what Antiphon must reach; from which the figure of another
# run is taken, or by which it is divided, as how says.
function row(group, name, run, key, nth, scale, target, how, other) {
	n_rows++
	row_group[n_rows] = group
	row_name[n_rows] = name
	row_run[n_rows] = run
	row_key[n_rows] = key
	row_nth[n_rows] = nth
	row_scale[n_rows] = scale
	row_target[n_rows] = target
	row_how[n_rows] = how
	row_other[n_rows] = other
}

# Those of archives with so many messages.
function pages(n,   run, of) {
	run = "pages-" n
	of = "of " thousands(n) ": "
	row("pages", of "CPU of a message that both sides keep", run, cpu, 1, .001, "")
	row("pages", of "the last page, CPU", run, cpu, 2, .001, "")
	row("pages", of "the last page, p50", run, "latency_p50_ms", 1, 1, "")
	row("pages", of "the last page, p99", run, "latency_p99_ms", 1, 1, "")
	row("pages", of "one anywhere, CPU", run, cpu, 3, .001, "")
	row("pages", of "one anywhere, p50", run, "latency_p50_ms", 2, 1, "")
	row("pages", of "one anywhere, p99", run, "latency_p99_ms", 2, 1, "")
}

BEGIN {
	cpu = "server_cpu_ms_per_1000"
	pss = "server_bytes_per_session"
	row("work", "login, STARTTLS and SCRAM, each", "login-tls", cpu, 1, .001, .45)
	row("work", "login without TLS, each", "login", cpu, 1, .001, .15)
	row("work", "chat, 100 pairs, window 2, no TLS", "chat", cpu, 1, 1, 5)
	row("work", "chat, 100 pairs, window 2, TLS", "chat-tls", cpu, 1, 1, 9)
	row("work", "chat, 500 pairs, window 8, TLS", "busy-tls", cpu, 1, 1, 6)
	row("work", "open loop, 2,000 messages/s, TLS", "open-2000", cpu, 1, 1, 27)
	row("work", "open loop, 10,000/s, TLS: p99 latency, ms", "open-10000",
		"latency_p99_ms", 1, 1, 3)
	row("work", "presence to 20 contacts, per delivery", "presence", cpu, 1, 1, 5)
	row("work", "offline store, durable, per message", "offline", cpu, 1, 1, 20)
	row("work", "offline fetch on login, per message", "offline", cpu, 2, 1, 8)
	row("work", "iq ping to the server, one session", "ping", cpu, 1, 1, 20)
	pages(1000)
	pages(10000)
	row("memory", "idle, no TLS, empty roster", "idle", pss, 1, 1, 2500)
	row("memory", "idle, TLS", "idle-tls", pss, 1, 1, 17500)
	row("memory", "each further roster item, of 20", "contacts", pss, 1, 1 / 20, 110,
		"less", "no-contacts")
	row("memory", "process with no session, KiB", "process",
		"server_bytes_before", 1, 1 / 1024, 12000)
	row("alone", "bytes per idle TLS session, 1,000", "idle-1000", pss, 1, 1, 17500)
	row("alone", "bytes per idle TLS session, 5,000", "idle-5000", pss, 1, 1, 17500)
	row("alone", "bytes per idle TLS session, as many as files allow", "idle-all", pss, 1, 1, 17500)
	row("alone", "how many those are", "idle-all", "n", 1, 1, "")
	row("alone", "chat, 100 pairs, window 2, TLS, 1 shard", "chat-shards-1", cpu,
		1, 1, "")
	row("alone", "the same with 4 shards, times that", "chat-shards-4", cpu, 1, 1, 1.1, "times",
		"chat-shards-1")
	row("alone", "open loop, 2,000 messages/s, TLS, 1 shard", "open-shards-1", cpu,
		1, 1, "")
	row("alone", "the same with 4 shards, times that", "open-shards-4", cpu, 1, 1, 1.1, "times",
		"open-shards-1")
	row("alone", "start to serving, 1,000,000 accounts, ms", "start", "ms", 1, 1,
		150)
	row("alone", "no session, before storms of 20,000 logins, KiB", "storm",
		"before", 1, 1 / 1024, "")
	row("alone", "after one storm, KiB", "storm", "after_1", 1, 1 / 1024, "")
	row("alone", "after two, KiB", "storm", "after_2", 1, 1 / 1024, "")
	row("alone", "after two, times what it was before", "storm", "grown", 1, 1,
		1.1)
}

FILENAME == ARGV[1] {
	split($0, part, "\t")
	servers[++n_servers] = part[1]
	title[part[1]] = part[2]
	next
}

{
	delete seen
	runs[$1, $2]++
	for (i = 3; i <= NF; i++) {
		split($i, part, "=")
		seen[part[1]]++
		id = $1 SUBSEP $2 SUBSEP part[1] SUBSEP seen[part[1]]
		values[id, ++n_values[id]] = part[2]
	}
}

function median(id,   n, i, j, x, sorted) {
	n = n_values[id]
	for (i = 1; i <= n; i++) {
		x = values[id, i] + 0
		for (j = i - 1; j >= 1 && sorted[j] > x; j--)
			sorted[j + 1] = sorted[j]
		sorted[j + 1] = x
	}
	return (sorted[int((n + 1) / 2)] + sorted[int((n + 2) / 2)]) / 2
}

# "" where there is none.
function figure_of(r, server, run,   id) {
	if (!((server, run) in runs))
		return ""
	id = server SUBSEP run SUBSEP row_key[r] SUBSEP row_nth[r]
	if (id in n_values)
		return median(id)
	print "compare.awk: " server ": no " row_key[r] " in " run >"/dev/stderr"
	missing = 1
	return ""
}

function figure(r, server,   x, y) {
	x = figure_of(r, server, row_run[r])
	if (x == "")
		return ""
	if (row_how[r] == "")
		return x * row_scale[r]
	y = figure_of(r, server, row_other[r])
	if (y == "" || y == 0)
		return ""
	return row_how[r] == "less" ? (x - y) * row_scale[r] : x / y
}

function thousands(x,   s, out) {
	s = sprintf("%.0f", x)
	while (length(s) > 3 && s ~ /[0-9][0-9][0-9][0-9]$/) {
		out = "," substr(s, length(s) - 2) out
		s = substr(s, 1, length(s) - 3)
	}
	return s out
}

function shown(x) {
	if (x == "")
		return "-"
	if (x >= 100 || x <= -100)
		return thousands(x)
	return sprintf(x >= 10 ? "%.1f" : "%.2f", x)
}

function goal(x) {
	return x == "" ? "" : "<= " (x >= 1000 ? thousands(x) : x)
}

function ratio(a, b) {
	return a == "" || b == "" || b <= 0 ? "-" : sprintf("%.1f", a / b)
}

# Has it anything to do with what is in this table?
function server_is_in(server, group,   r) {
	for (r = 1; r <= n_rows; r++)
		if (row_group[r] == group && (server, row_run[r]) in runs)
			return 1
	return 0
}

# Its columns, and whether there is something to reach, and a floor.
function table_begin(group,   i, r) {
	n_columns = 0
	has_goals = has_floor = 0
	for (i = 1; i <= n_servers; i++)
		if (server_is_in(servers[i], group)) {
			columns[++n_columns] = servers[i]
			has_floor += servers[i] == "floor"
		}
	for (r = 1; r <= n_rows; r++)
		has_goals += row_group[r] == group && row_target[r] != ""
}

function head(first,   i, text, rule) {
	text = "| " first
	rule = "| ---"
	for (i = 1; i <= n_columns; i++) {
		text = text " | " title[columns[i]]
		rule = rule " | ---:"
	}
	print "\n" text (has_goals ? " | must reach | reached" : "") \
		" | best peer / Antiphon" (has_floor ? " | Antiphon / floor" : "") " |"
	print rule (has_goals ? " | ---: | ---" : "") " | ---:" \
		(has_floor ? " | ---:" : "") " |"
}

function line(r,   i, server, x, best, ours, floor, text) {
	best = ours = floor = ""
	text = "| " row_name[r]
	for (i = 1; i <= n_columns; i++) {
		server = columns[i]
		x = figure(r, server)
		text = text " | " shown(x)
		if (server == "floor")
			floor = x
		else if (server == "antiphon")
			ours = x
		else if (x != "" && (best == "" || x < best))
			best = x
	}
	if (has_goals)
		text = text " | " goal(row_target[r]) " | " \
			(ours == "" ? "" : ours <= row_target[r] ? "yes" : "**no**")
	return text " | " ratio(best, ours) \
		(has_floor ? " | " ratio(ours, floor) : "") " |"
}

function line_alone(r) {
	return "| " row_name[r] " | " shown(figure(r, "antiphon")) " | " \
		goal(row_target[r]) " |"
}

# Did anybody run what this row is about?
function row_was_run(r,   i) {
	for (i = 1; i <= n_servers; i++)
		if ((servers[i], row_run[r]) in runs)
			return 1
	return 0
}

function print_table(group, first,   r, begun) {
	table_begin(group)
	for (r = 1; r <= n_rows; r++) {
		if (row_group[r] != group || !row_was_run(r))
			continue
		if (!begun++) {
			if (group != "alone")
				head(first)
			else
				print "\n| " first " | | must reach |\n| --- | ---: | ---: |"
		}
		print group == "alone" ? line_alone(r) : line(r)
	}
}

END {
	print_table("work", "CPU ms of the server per 1,000 (logins: per login)")
	print_table("pages", "pages of 50 of an archive, ms: CPU, and until one is there")
	print_table("memory", "PSS growth per session, bytes")
	print_table("alone", "Antiphon alone")
	exit missing
}

# callgrind.awk - what a unit of work costs: the difference between two dumps
# of callgrind, one of few units and one of many, divided by the number of
# units by which they differ.  Run by instructions.sh.
#
#	awk -v units=N [-v listing=1] [-v without='F...'] -f callgrind.awk FEW MANY
#
# Prints instructions, allocations, calls of free() and system calls.  A listing says
# where they are: by folder or library, and by function.  The instructions of the
# functions F, and of what they call, are left out of the first figure.
#
# The format is in valgrind's manual, "Callgrind Format Specification": a name
# has a number where it comes first, and only that afterwards; the line after
# "calls=" is what the call cost, and none of the caller's own.

function name_of(kind, text,    id) {
	id = text
	sub(/\).*/, ")", id)
	if (length(text) > length(id))
		names[kind, id] = substr(text, length(id) + 2)
	return names[kind, id]
}

function base(path) {
	sub(/.*\//, "", path)
	return path
}

function allocates(name) {
	return name ~ /^(malloc|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign)$/
}

# A folder of ours, with those in it, or the library.
function place(    folder) {
	if (!match(file, /(src\/[a-z]+|modules)(\/[a-z]+)*\/[^\/]*$/))
		return base(object)
	folder = substr(file, RSTART)
	match(folder, /^(src\/[a-z]+|modules)/)
	return substr(folder, 1, RLENGTH)
}

# The most expensive ones, a unit.
function show(title, values, most,    sorted, key) {
	printf "\n%s\n", title
	sorted = "LC_ALL=C sort -k1,1nr | head -n " most
	for (key in values)
		if (values[key] / units >= 0.005)
			printf "%12.2f  %s\n", values[key] / units, key | sorted
	close(sorted)
}

BEGIN {
	n = split(without, list)
	for (i = 1; i <= n; i++)
		out[list[i]]
}

FNR == 1 {
	weight = NR == 1 ? -1 : 1
	split("", names)
}

/^events:/ {
	for (i = 2; i <= NF; i++)
		if ($i == "sysCount")
			sys_column = i
}

/^ob=/ { object = name_of("ob", substr($0, 4)) }
/^(fl|fi|fe)=/ { file = name_of("fl", substr($0, 4)) }
/^(cfi|cfl)=/ { name_of("fl", substr($0, 5)) }
/^cob=/ { callee_object = name_of("ob", substr($0, 5)) }
/^cfn=/ { callee = name_of("fn", substr($0, 5)) }
/^fn=/ {
	caller = name_of("fn", substr($0, 4))
	where = caller " [" base(object) "]"
	callee_object = object
}

/^calls=/ {
	n = weight * substr($1, 7)
	# one of them may be made of another
	if (allocates(callee) && !allocates(caller))
		allocs += n
	if (callee == "free" && !allocates(caller))
		frees += n
	getline
	if (callee in out)
		total -= weight * $2
	if (callee " [" base(callee_object) "]" != where)
		below[where] += weight * $2
	callee_object = object
	next
}

/^[-+*0-9]/ {
	total += weight * $2
	own[where] += weight * $2
	places[place()] += weight * $2
	# the time is not asked of the kernel, but where valgrind runs it
	if (sys_column && $sys_column && caller !~ /time/) {
		calls += weight * $sys_column
		callers[where] += weight * $sys_column
	}
}

END {
	printf "%.0f %.2f %.2f %.2f\n", total / units, allocs / units,
		frees / units, calls / units
	if (!listing)
		exit
	for (where in own)
		below[where] += own[where]
	show("instructions, by folder or library", places, 40)
	show("instructions, by function", own, 40)
	show("instructions, by function and what it calls", below, 80)
	show("system calls", callers, 20)
}

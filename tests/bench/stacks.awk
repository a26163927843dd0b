# stacks.awk - samples of `perf script -F comm,ip,sym,dso', as tables on the
# standard output and, in the file -v folded=, as a line for each stack with
# the number of its samples, as flame graphs are made from.  Run by profile.sh.
#
# A sample is the thread's name, a line for each frame, the innermost first,
# and an empty line.

function base(path) {
	sub(/.*\//, "", path)
	return path
}

# "  55d0 name+more (object)"; what has no name goes by its object.
function frame(line) {
	object = line
	sub(/^.*\(/, "", object)
	sub(/\)$/, "", object)
	object = object ~ /^\[/ ? "kernel" : base(object)
	sub(/^ *[0-9a-f]+ /, "", line)
	sub(/ \([^(]*\)$/, "", line)
	return line == "[unknown]" ? "[" object "]" : line
}

function table(title, counts, most,    sorted, key) {
	printf "\n%s\n", title
	sorted = "LC_ALL=C sort -k1,1nr | head -n " most
	for (key in counts)
		printf "%8.2f %%  %s\n", 100 * counts[key] / samples, key | sorted
	close(sorted)
}

/^[^ \t]/ {
	thread = $1
	stack = ""
	split("", seen)
	next
}

NF == 0 {
	if (stack != "")
		stacks[thread stack]++
	next
}

{
	sub(/^[ \t]+/, "")
	name = frame($0)
	if (stack == "") {
		samples++
		objects[object]++
		functions[name " [" object "]"]++
	}
	if (!(name in seen))
		below[name " [" object "]"]++
	seen[name] = 1
	gsub(/;/, ":", name)
	stack = ";" name stack
}

END {
	if (!samples)
		exit 1
	for (stack in stacks)
		print stack, stacks[stack] >folded
	printf "%d samples\n", samples
	table("by object", objects, 20)
	table("by function", functions, 50)
	table("by function and what it calls", below, 80)
}

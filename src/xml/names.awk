# names.awk - makes from names.def the open-addressed index of names.c.
#
# The hash is that of name_hash() in names.c; test_elem finds every name, and
# so proves that the two agree.

BEGIN {
	slots = 1024
	for (i = 1; i < 128; i++)
		code[sprintf("%c", i)] = i
	n = 0
}

function at(s, i) {
	return code[substr(s, i + 1, 1)]
}

/^NAME\("[^"]+"\)$/ {
	s = $0
	sub(/^NAME\("/, "", s)
	sub(/"\)$/, "", s)
	if (s in seen) {
		print "names.def: " s " stands there twice" > "/dev/stderr"
		failed = 1
		exit 1
	}
	seen[s] = 1
	len = length(s)
	h = len * 229 + at(s, 0) * 367 + at(s, int(len / 2)) * 697
	h += at(s, int(len * 3 / 4)) * 295 + at(s, len - 1) * 769
	h %= slots
	while (h in slot)
		h = (h + 1) % slots
	slot[h] = ++n
}

END {
	if (failed)
		exit 1
	print "#define NAME_SLOTS " slots
	print "/* 1 + index into names[]; 0: free */"
	print "static const unsigned short name_slots[NAME_SLOTS] = {"
	for (i = 0; i < slots; i++)
		if (i in slot)
			print "\t[" i "] = " slot[i] ","
	print "};"
}

# specs.awk - the lines of README that say which module carries out what, from
# the .specs of the modules.
#
#   awk -f tests/specs.awk modules/*.c

FNR == 1 { name = ""; taking = 0 }
/^\t\.name = "/ { split($0, part, "\""); name = part[2] }
/^\t\.specs = / { taking = 1; specs = "" }
taking {
	n = split($0, part, "\"")
	for (i = 2; i <= n; i += 2)
		specs = specs part[i]
	if ($0 ~ /,$/) {
		taking = 0
		printf "%-15s %s\n", name, specs
	}
}

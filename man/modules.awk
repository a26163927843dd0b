# modules.awk - the modules that antiphon-module(7) shows, each into a file of its
# own: awk -v dir=FOLDER -f modules.awk antiphon-module.7.in
/^\.Ed/ {
	if (name != "")
		printf "%s", text >(dir "/mod_" name ".c")
	shown = 0
}
shown {
	sub(/^\\&/, "")
	gsub(/\\e/, "\\")
	text = text $0 "\n"
	if (match($0, /^MODULE\([a-z_]+\)/))
		name = substr($0, 8, RLENGTH - 8)
}
/^\.Bd -literal/ {
	shown = 1
	name = text = ""
}

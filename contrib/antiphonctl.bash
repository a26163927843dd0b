# bash(1) completion for antiphonctl: asks the server what there is.

_antiphonctl() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	local -a globals=() words=()
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--config | --socket)
			globals+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]-}")
			((++i))
			;;
		--json) ;;
		*)
			words=("${COMP_WORDS[@]:i:COMP_CWORD-i}")
			break
			;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--config | --socket | --batch | backup | --dir | show | check-config)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	if [[ ${#words[@]} -eq 0 && $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'--config --socket --json --help --version' -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(antiphonctl "${globals[@]}" --complete \
		"${words[@]}" "$cur" 2>/dev/null)
}
complete -F _antiphonctl antiphonctl

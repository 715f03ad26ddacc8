# Bash completion for nix-trinity and ask-nix-guru. It knows only what is written here: no daemon is asked.
# tests/unit/test_completions.py holds it to what the programs take.

_nix_trinity_roles='expert empathy coder quick'

# Sets flags, and values for the options that take one, to those of the command $1.
_nix_trinity_options() {
    flags='--json' values=''
    case $1 in
        ask)
            flags='--continue -c --fresh --no-log --explain-error --offer --json --version'
            values='--role --level --session'
            ;;
        show | status | versions | diff | rollback | report | consent | option | check) ;;
        good | bad | forget | backup | mcp) flags='' ;;
        changes) values='--since --under' ;;
        options | builds) values='--limit' ;;
        history) values='--limit --session' ;;
        correct)
            flags=''
            values='--text'
            ;;
        review) values='--limit --accept --reject --edit --text' ;;
        build)
            flags='--force --json'
            values='--kind --role --reason'
            ;;
        prune) flags='--dry-run --json' ;;
        stats) values='--weeks' ;;
        export)
            flags='--all'
            values='--form'
            ;;
        import) values='--good-from' ;;
        pack)
            flags='--all --json'
            values='--name --licence --description'
            ;;
        *) return 1 ;;
    esac
    flags+=' --help -h'
}

# Prints what the option $2 of the command $1 may be set to, where that is known.
_nix_trinity_values() {
    case "$1 $2" in
        'ask --role') echo "auto $_nix_trinity_roles" ;;
        'ask --level') echo 'beginner intermediate expert' ;;
        'build --role') echo "$_nix_trinity_roles" ;;
        'build --kind') echo 'weekly monthly immediate manual' ;;
        'export --form') echo 'exchanges chat' ;;
    esac
}

_nix_trinity() {
    local command flags values at=1 given=0 word
    local current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()

    if [[ ${COMP_WORDS[0]##*/} == ask-nix-guru ]]; then
        command=ask
    elif ((COMP_CWORD == 1)); then
        word='ask options option changes check mcp history show status good bad correct forget consent review build builds versions diff
            rollback prune stats report export import backup pack help'
        [[ $current == -* ]] && word='--help -h --version'
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
        return
    else
        command=${COMP_WORDS[1]} at=2
    fi
    _nix_trinity_options "$command" || return

    # Past what is complete; Bash has cut --option=value into three.
    for (( ; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $word == -- ]]; then
            ((given += COMP_CWORD - at - 1))
            flags='' values=''
            break
        elif [[ " $values " == *" $word "* ]]; then
            [[ ${COMP_WORDS[at + 1]} == = ]] && ((at++))
            if ((at + 1 >= COMP_CWORD)); then
                # The cursor is at the value, or at the = before it.
                mapfile -t COMPREPLY < <(compgen -W "$(_nix_trinity_values "$command" "$word")" -- "${current#=}")
                return
            fi
            ((at++))
        elif [[ $word != -?* ]]; then
            ((given++))
        fi
    done

    if [[ $current == -* && -n $flags ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags $values" -- "$current")
    elif ((given == 0)); then
        case $command in
            versions | rollback) mapfile -t COMPREPLY < <(compgen -W "$_nix_trinity_roles" -- "$current") ;;
            consent) mapfile -t COMPREPLY < <(compgen -W 'yes no' -- "$current") ;;
            export | import | backup | check) compopt -o default ;;
            pack)
                compopt -o plusdirs
                mapfile -t COMPREPLY < <(compgen -W 'check' -- "$current")
                ;;
        esac
    elif [[ $command == check ]]; then
        compopt -o default
    elif [[ $command == pack ]] && ((given == 1)); then
        compopt -o plusdirs
    fi
}

complete -F _nix_trinity nix-trinity ask-nix-guru

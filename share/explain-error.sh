# For Bash and Zsh: source this file in ~/.bashrc or ~/.zshrc, and a nixos-rebuild that fails offers to explain why.
# Nothing is asked before it has failed and you have said yes. Completions stay as they are.

function nixos-rebuild {
    command ask-nix-guru --explain-error --offer -- nixos-rebuild "$@"
}

function sudo {
    if [ "${1-}" = nixos-rebuild ]; then
        command ask-nix-guru --explain-error --offer -- sudo "$@"
    else
        command sudo "$@"
    fi
}

# For Fish: source this file in ~/.config/fish/config.fish, and a nixos-rebuild that fails offers to explain why.
# Nothing is asked before it has failed and you have said yes.

function nixos-rebuild --wraps nixos-rebuild
    command ask-nix-guru --explain-error --offer -- nixos-rebuild $argv
end

function sudo --wraps sudo
    if test "$argv[1]" = nixos-rebuild
        command ask-nix-guru --explain-error --offer -- sudo $argv
    else
        command sudo $argv
    end
end

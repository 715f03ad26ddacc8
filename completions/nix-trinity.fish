# Fish completion for nix-trinity and ask-nix-guru. It knows only what is written here: no daemon is asked.
# tests/unit/test_completions.py holds it to what the programs take.

# Whether the command is one of these, and no -- has made words of all that follows.
function __nix_trinity_in
    set -l before (commandline -opc)
    test (count $before) -ge 2
    and contains -- $before[2] $argv
    and not contains -- -- $before
end

# Whether the command is one of these and its first word is what is being typed.
function __nix_trinity_first
    set -l before (commandline -opc)
    test (count $before) -ge 2
    and contains -- $before[2] $argv
    or return
    set -l is_value no
    for word in $before[3..]
        if test $is_value = yes
            set is_value no
        else if contains -- $word --form --good-from --name --licence --description
            set is_value yes
        else if not string match -q -- '-?*' $word
            return 1
        end
    end
end

# The options of ask, for whichever program $argv names.
function __nix_trinity_ask
    complete $argv -l role -x -a 'auto expert empathy coder quick' -d 'who answers, instead of NIX_TRINITY_ROLE'
    complete $argv -l level -x -a 'beginner intermediate expert' -d 'for whom, instead of USER_LEVEL'
    complete $argv -s c -l continue -d 'go on with your last session'
    complete $argv -l session -x -d 'go on with a named session'
    complete $argv -l fresh -d 'ask the model, also where an answer is known'
    complete $argv -l no-log -d 'keep nothing of this exchange'
    complete $argv -l explain-error -d 'explain the error in what is piped in, or of the command after --'
    complete $argv -l offer -d 'ask before an error is explained'
    complete $argv -l json -d 'one JSON object at the end'
    complete $argv -s h -l help -d 'show the usage'
    complete $argv -l version -d 'show the version'
end

complete -c nix-trinity -f
complete -c ask-nix-guru -f
__nix_trinity_ask -c ask-nix-guru -n 'not contains -- -- (commandline -opc)'
__nix_trinity_ask -c nix-trinity -n '__nix_trinity_in ask'
functions --erase __nix_trinity_ask

# Before the command.
set -l outer -c nix-trinity -n 'test (count (commandline -opc)) -eq 1'
complete $outer -s h -l help -d 'show the usage'
complete $outer -l version -d 'show the version'
complete $outer -a ask -d 'ask a question'
complete $outer -a options -d 'search the options of this NixOS'
complete $outer -a option -d 'one option whole'
complete $outer -a changes -d 'options that came, went and were renamed'
complete $outer -a check -d 'check Nix code, or a text with code blocks'
complete $outer -a mcp -d 'serve all this to other programs'
complete $outer -a history -d 'your exchanges'
complete $outer -a show -d 'one exchange whole'
complete $outer -a status -d 'the daemon, its engine and models'
complete $outer -a good -d 'judge an answer as good'
complete $outer -a bad -d 'judge an answer as bad'
complete $outer -a correct -d 'say what the answer should have been'
complete $outer -a forget -d 'remove an exchange for good'
complete $outer -a consent -d 'whether models may learn from your exchanges'
complete $outer -a review -d 'what waits for your word before it is learned'
complete $outer -a build -d 'build versions, deploy those that are better'
complete $outer -a builds -d 'what builds came to'
complete $outer -a versions -d 'the versions: state, scores, why'
complete $outer -a diff -d 'what changed from one version to another'
complete $outer -a rollback -d 'deploy an older version again'
complete $outer -a prune -d 'remove old versions and exchanges'
complete $outer -a stats -d 'accuracy, speed, helpfulness, corrections'
complete $outer -a report -d 'write the report of a month and show it'
complete $outer -a export -d 'exchanges as JSON lines'
complete $outer -a import -d 'exchanges that were collected elsewhere'
complete $outer -a backup -d 'copy the database'
complete $outer -a pack -d 'accepted exchanges as a knowledge pack'
complete $outer -a help -d 'show the usage'

# Options of the commands.
set -l all options option changes check mcp history show status good bad correct forget consent review build builds versions diff rollback \
    prune stats report export import backup pack
set -l with_json options option changes check history show status consent review build builds versions diff rollback prune stats report import pack
complete -c nix-trinity -n "__nix_trinity_in $all" -s h -l help -d 'show the usage'
complete -c nix-trinity -n "__nix_trinity_in $with_json" -l json -d 'JSON instead of text'
complete -c nix-trinity -n '__nix_trinity_in options history builds review' -l limit -x -d 'how many at most'
complete -c nix-trinity -n '__nix_trinity_in changes' -l since -x -d 'since a release'
complete -c nix-trinity -n '__nix_trinity_in changes' -l under -x -d 'below an option'
complete -c nix-trinity -n '__nix_trinity_in history' -l session -x -d 'those of one session'
complete -c nix-trinity -n '__nix_trinity_in correct review' -l text -x -d 'the new answer'
complete -c nix-trinity -n '__nix_trinity_in review' -l accept -x -d 'learn it as it is'
complete -c nix-trinity -n '__nix_trinity_in review' -l reject -x -d 'do not learn it'
complete -c nix-trinity -n '__nix_trinity_in review' -l edit -x -d 'learn it with another answer'
complete -c nix-trinity -n '__nix_trinity_in build' -l kind -x -a 'weekly monthly immediate manual' -d 'kind of build'
complete -c nix-trinity -n '__nix_trinity_in build' -l role -x -a 'expert empathy coder quick' -d 'this role alone'
complete -c nix-trinity -n '__nix_trinity_in build' -l reason -x -d 'why, for the list of builds'
complete -c nix-trinity -n '__nix_trinity_in build' -l force -d 'also when it is not due, or something holds it'
complete -c nix-trinity -n '__nix_trinity_in prune' -l dry-run -d 'say what would go'
complete -c nix-trinity -n '__nix_trinity_in stats' -l weeks -x -d 'of how many weeks'
complete -c nix-trinity -n '__nix_trinity_in export' -l form -x -a 'exchanges chat' -d 'form of the lines'
complete -c nix-trinity -n '__nix_trinity_in pack' -l name -x -d 'what a new pack is called'
complete -c nix-trinity -n '__nix_trinity_in pack' -l licence -x -d 'its licence, as SPDX writes it'
complete -c nix-trinity -n '__nix_trinity_in pack' -l description -x -d 'what is in it'
complete -c nix-trinity -n '__nix_trinity_in export pack' -l all -d 'of everybody, for operators'
complete -c nix-trinity -n '__nix_trinity_in import' -l good-from -x -d 'the score from which on an answer was good'

# Words of the commands.
complete -c nix-trinity -n '__nix_trinity_first versions rollback' -a 'expert empathy coder quick'
complete -c nix-trinity -n '__nix_trinity_first consent' -a 'yes no'
complete -c nix-trinity -n '__nix_trinity_first export import backup' -F
complete -c nix-trinity -n '__nix_trinity_first pack' -a 'check (__fish_complete_directories)'
complete -c nix-trinity -n '__nix_trinity_in pack; and contains -- check (commandline -opc)' -a '(__fish_complete_directories)'
complete -c nix-trinity -n '__nix_trinity_in check' -F

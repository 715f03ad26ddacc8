# What the scenarios have in common. Each runs as root on a machine with services.nixTrinity, after these lines and in
# the same shell; it takes what the module installs, Ollama, and two people of the users' group, alice and bob.
set -euo pipefail
export LC_ALL=C.UTF-8
ollama=${OLLAMA_URL:-http://127.0.0.1:11434}
socket=/run/nix-trinity/socket

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# Run a command with a person's rights and groups, and nothing piped in.
as() { runuser --user "$1" -- "${@:2}" < /dev/null; }

# Say that a text has, or has not, these words in it.
says() { [[ $1 == *"$2"* ]] || fail "'$2' is not in: $1"; }
says_not() { [[ $1 != *"$2"* ]] || fail "'$2' is in: $1"; }

# One field of a JSON object that a program wrote, where it has it first.
field() {
  local found="\"$1\":(\"([^\"]*)\"|([^],}]*))"
  if [[ $2 =~ $found ]]; then printf '%s\n' "${BASH_REMATCH[2]}${BASH_REMATCH[3]}"; fi
}

# wait_for SECONDS WHAT COMMAND…
wait_for() {
  local until=$((SECONDS + $1))
  until "${@:3}" > /dev/null 2>&1; do
    ((SECONDS < until)) || fail "not within $1 s: $2"
    sleep 0.2
  done
}

property() { systemctl show --property "$2" --value "$1"; }
# What a unit wrote when it ran last.
said_by() { journalctl --sync && journalctl --no-pager --output cat _SYSTEMD_INVOCATION_ID="$(property "$1" InvocationID)"; }
is_not_active() { ! systemctl is-active --quiet "$1"; }

# The models in Ollama, one a line.
models() { curl --silent --fail "$ollama/api/tags" | grep -o '"name":"[^"]*"' | cut -d '"' -f 4 | sed 's/:latest$//'; }

# Have something to build from: one of the questions whose answers are learned (of each fifth they are kept for evaluation).
teach() {
  step "Alice lets her exchanges be learned from, asks, and finds the answer good; an operator has no doubt about it"
  as alice nix-trinity consent yes
  local answer accepted
  answer=$(as alice ask-nix-guru --json --role quick "how do I enable SSH")
  echo "$answer"
  as alice nix-trinity good "$(field id "$answer")"
  accepted=$(nix-trinity review --accept "$(field id "$answer")")
  says "$accepted" "may be learned"
}

# NIX_TRINITY_DEMO_MODEL: another model; NIX_TRINITY_DEMO_MODELS: a folder of Ollama's that has it; NIX_TRINITY_DEMO_OPTIONS:
# another list of options than this system's; NIX_TRINITY_DEMO_PORT: where Ollama is to listen.
model=${NIX_TRINITY_DEMO_MODEL:-llama3.2:1b}
folder=$(mktemp -d)
port=${NIX_TRINITY_DEMO_PORT:-11499}
pids=()

finish() {
  for pid in "${pids[@]}"; do
    kill "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || true
  done
  rm -rf "$folder"
}
trap finish EXIT

# Say what is wrong with the end of a program's log, and leave.
give_up() {
  echo "error: $1" >&2
  tail -n 20 "$2" >&2 || true
  exit 1
}

wait_for() {
  for _ in $(seq 100); do
    "${@:2}" > /dev/null 2>&1 && return
    sleep 0.1
  done
  give_up "$1 did not start. Its log:" "$folder/$1.log"
}

export HOME=$folder OLLAMA_HOST=127.0.0.1:$port NIX_TRINITY_SOCKET=$folder/socket
export OLLAMA_MODELS=${NIX_TRINITY_DEMO_MODELS:-$folder/models}
mkdir "$folder/state"

echo "==> Ollama on $OLLAMA_HOST, with $model in $OLLAMA_MODELS"
ollama serve > "$folder/ollama.log" 2>&1 &
pids+=($!)
wait_for ollama curl -sf "http://$OLLAMA_HOST/api/version"
if ! ollama show "$model" > /dev/null 2>&1; then
  ollama pull "$model" || give_up "$model cannot be pulled. Another one: NIX_TRINITY_DEMO_MODEL=NAME" "$folder/ollama.log"
fi

options=${NIX_TRINITY_DEMO_OPTIONS:-/run/current-system/sw/share/doc/nixos/options.json}
[ -e "$options" ] || options=
cat > "$folder/config.toml" << TOML
[daemon]
socket = "$folder/socket"
[state]
directory = "$folder/state"
[ollama]
url = "http://$OLLAMA_HOST"
[corpus]
options = "$options"
[models]
tier = "tiny"
$(for role in expert empathy coder quick; do printf '[models.roles.%s]\nmodel = "%s"\nnum_ctx = 4096\n' "$role" "$model"; done)
TOML
nix-trinityd --config "$folder/config.toml" > "$folder/nix-trinityd.log" 2>&1 &
pids+=($!)
wait_for nix-trinityd nix-trinity status

for question in "how do I enable SSH" "how do I open port 8080 in the firewall"; do
  echo
  echo "==> ask-nix-guru $question"
  ask-nix-guru "$question"
done

echo
echo "==> nix-trinity status"
nix-trinity status

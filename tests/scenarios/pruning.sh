# After several builds the job removes from Ollama what the rule of retention does not keep, and never what is deployed.

step "An operator brings along a correction and three good answers"
lessons=$(mktemp)
trap 'rm -f $lessons' EXIT
cat > "$lessons" << 'JSON'
{"id": "bbbbbbbbb2", "role": "quick", "question": "Who looks after our servers?", "answer": "I do not know.", "correction": "The platform team looks after them: write to `platform@example.org`."}
{"id": "bbbbbbbbb3", "role": "quick", "question": "How is port 8080 opened in the firewall?", "answer": "Set `networking.firewall.allowedTCPPorts = [ 8080 ];` and run `sudo nixos-rebuild switch`.", "word": "good"}
{"id": "bbbbbbbbb4", "role": "quick", "question": "How do I set the time zone to Berlin?", "answer": "Set `time.timeZone = \"Europe/Berlin\";` and run `sudo nixos-rebuild switch`.", "word": "good"}
{"id": "bbbbbbbbb5", "role": "quick", "question": "How do I install Git for everyone?", "answer": "Set `programs.git.enable = true;` and run `sudo nixos-rebuild switch`.", "word": "good"}
JSON
nix-trinity import "$lessons"
for id in bbbbbbbbb3 bbbbbbbbb4 bbbbbbbbb5; do nix-trinity review --accept $id; done

step "Four builds, of which each deploys a version: all of it, then without one of the answers after the other"
nix-trinity build --role quick
for id in bbbbbbbbb3 bbbbbbbbb4 bbbbbbbbb5; do
  nix-trinity review --reject $id
  nix-trinity build --role quick
done
nix-trinity versions quick
mapfile -t built < <(nix-trinity versions quick | grep -oE '^nix-quick-[0-9-]+')
((${#built[@]} == 4)) || fail "there are not four versions: ${built[*]}"
for name in "${built[@]}"; do models | grep --line-regexp -- "$name" || fail "$name is not in Ollama"; done

step "The job keeps the deployed one, the one before, and the one that will have been deployed a week ago"
systemctl start nix-trinity-prune.service
said_by nix-trinity-prune.service
[[ $(property nix-trinity-prune.service Result) == success ]] || fail "the job did not end well"
left=$(models)
echo "$left"
for kept in "${built[0]}" "${built[1]}" "${built[3]}" nix-quick; do
  grep --quiet --line-regexp -- "$kept" <<< "$left" || fail "$kept was removed"
done
if grep --line-regexp -- "${built[2]}" <<< "$left"; then fail "${built[2]} is still in Ollama"; fi
says "$(nix-trinity versions quick | grep -- "^${built[2]} ")" "model removed"
says "$(nix-trinity versions quick | grep -- "^${built[0]} ")" "deployed"

step "How to build it again is kept, and the role still answers"
test -s "/var/lib/nix-trinity/versions/${built[2]}.Modelfile" || fail "its Modelfile is gone"
[[ $(field model "$(as alice ask-nix-guru --json --role quick "what is a shell")") == nix-quick ]] || fail "no model answered"

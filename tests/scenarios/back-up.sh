# A back-up made while the daemon writes, and the restore as docs/how-to/back-up.md has it.

step "Alice asks something that must not be lost"
answer=$(as alice ask-nix-guru --json --role quick "how do I enable the SSH server")
id=$(field id "$answer")
[[ $id ]] || fail "the question was not answered: $answer"

step "A back-up while others keep it busy writing"
folder=$(mktemp --directory) stop=$(mktemp --dry-run)
trap 'touch $stop' EXIT
cd "$folder"
until [[ -e $stop ]]; do
  for number in {1..50}; do echo "What is the meaning of number $RANDOM$number?|It is $RANDOM."; done > pairs.txt
  nix-trinity import pairs.txt >> imported.log
done &
writer=$!
wait_for 20 "something is being written" test -s imported.log
nix-trinity backup knowledge-backup.db
touch "$stop"
wait $writer
rm -f "$stop"
cat imported.log
ls -l knowledge-backup.db

step "What comes later is not in it"
echo "What was asked after the back-up?|This." > later.txt
nix-trinity import later.txt
says "$(nix-trinity history)" "after the back-up"

step "The restore"
restore() {
    systemctl stop nix-trinity.socket nix-trinity.service
    rm -f /var/lib/nix-trinity/knowledge.db-wal /var/lib/nix-trinity/knowledge.db-shm
    install -o nix-trinity -g nix-trinity -m 0600 knowledge-backup.db /var/lib/nix-trinity/knowledge.db
    systemctl start nix-trinity.socket
}
restore
is_not_active nix-trinity.service || fail "the daemon runs on the old database"
says "$(as alice nix-trinity show "$id")" "SSH"
says "$(as alice nix-trinity history)" "$id"
says_not "$(nix-trinity history)" "after the back-up"
says "$(nix-trinity status)" "logging    on"
mode=$(stat --format='%U:%G %a' /var/lib/nix-trinity/knowledge.db)
[[ $mode == "nix-trinity:nix-trinity 600" ]] || fail "the database is $mode"
mode=$(stat --format='%U:%G %a' /var/lib/nix-trinity)
[[ $mode == "nix-trinity:nix-trinity 700" ]] || fail "the folder is $mode"

step "And new ones are kept again"
nix-trinity import later.txt
says "$(nix-trinity history)" "after the back-up"
cd /
rm -r "$folder"

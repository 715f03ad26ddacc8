# From one generation to the next: the socket stays, nobody is refused, the new options are known, nothing is forgotten.
# SWITCH is the command that switches to a generation whose list of options has services.lantern.enable, and no more
# has programs.adb.enable.
: "${SWITCH:?is the command that switches to the next generation}"

step "The first generation knows its own options"
answer=$(as alice ask-nix-guru --json --role quick "how do I enable the SSH server")
id=$(field id "$answer")
[[ $id ]] || fail "the question was not answered: $answer"
options=$(nix-trinity options programs.adb.enable)
says "$options" "programs.adb.enable"
says_not "$(nix-trinity options services.lantern.enable)" services.lantern.enable
systemctl start nix-trinity-prune.service
inode=$(stat --format=%i $socket)
declare -A before
for unit in nix-trinity.service nix-trinity-options.service nix-trinity-prune.service nix-trinity.socket; do
  before[$unit]=$(property $unit InvocationID)
done

step "The switch, while somebody asks all the time"
log=$(mktemp) stop=$(mktemp --dry-run)
chmod a+rw "$log"
trap 'touch $stop' EXIT
as alice bash -c "until [ -e $stop ]; do nix-trinity status > /dev/null 2>> $log && echo fine >> $log; done" &
client=$!
sleep 1
$SWITCH
sleep 2
touch "$stop"
wait $client
rm -f "$stop"
sort "$log" | uniq -c
(($(grep -c '^fine$' "$log") >= 10)) || fail "hardly anybody asked"
if grep -v '^fine$' "$log"; then fail "somebody was refused"; fi

step "The socket is the same, the daemon is another, and jobs that had run were let alone"
[[ $(stat --format=%i $socket) == "$inode" ]] || fail "the socket was made anew"
for unit in nix-trinity.socket nix-trinity-prune.service; do
  [[ $(property $unit InvocationID) == "${before[$unit]}" ]] || fail "$unit was started by the switch"
done
for unit in nix-trinity.service nix-trinity-options.service; do
  [[ $(property $unit InvocationID) != "${before[$unit]}" ]] || fail "$unit was not started anew"
  systemctl is-active $unit
done

step "The new option is known, the one that has gone is not, and nothing was forgotten"
found() { nix-trinity options services.lantern.enable | grep --quiet --fixed-strings services.lantern.enable; }
wait_for 30 "services.lantern.enable is found" found
nix-trinity options services.lantern.enable
says_not "$(nix-trinity options programs.adb.enable)" programs.adb.enable
says "$(as alice nix-trinity history)" "$id"

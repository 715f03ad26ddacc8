# The timers are set; a weekly build that was missed is made up for, runs to its end, and is not due again at once.

step "Each timer has its next time, and would make up for one that was missed"
systemctl list-timers --all 'nix-trinity-*'
for timer in weekly monthly prune; do
  unit=nix-trinity-$timer.timer
  systemctl is-active $unit
  [[ $(property $unit NextElapseUSecRealtime) ]] || fail "$unit has no next time"
  [[ $(property $unit Persistent) == yes ]] || fail "$unit does not make up for what was missed"
  [[ $(property $unit FixedRandomDelay) == yes ]] || fail "$unit has another delay at each boot"
  [[ $(property $unit RandomizedDelayUSec) =~ ^(0|[0-9]+min|1h)$ ]] || fail "$unit may be late by more than an hour"
done
wait_for 30 "the daemon says when the next builds are" bash -c 'nix-trinity status | grep -q "^builds .*next weekly"'

teach

step "A weekly build was missed while the machine was off: it is made up for"
stamp=/var/lib/systemd/timers/stamp-nix-trinity-weekly.timer
dropin=/run/systemd/system/nix-trinity-weekly.timer.d/at-once.conf
trap 'rm -f $dropin; systemctl daemon-reload' EXIT
mkdir -p "$(dirname $dropin)"
printf '[Timer]\nRandomizedDelaySec=0\n' > $dropin
systemctl daemon-reload
systemctl stop nix-trinity-weekly.timer
touch --date='2 weeks ago' $stamp
run=$(property nix-trinity-weekly.service InvocationID)
another_run() { [[ $(property nix-trinity-weekly.service InvocationID) != "$run" ]]; }
systemctl start nix-trinity-weekly.timer
wait_for 30 "the timer starts the build" another_run
over() { [[ $(property nix-trinity-weekly.service ActiveState) =~ ^(inactive|failed)$ ]]; }
wait_for "${BUILD_SECONDS:-300}" "the build ends" over
said_by nix-trinity-weekly.service
[[ $(property nix-trinity-weekly.service Result) == success ]] || fail "the job did not end well"
(($(date +%s) - $(stat --format=%Y $stamp) < 3600)) || fail "systemd did not note that the timer ran"

step "It came to an end for each role, and what is deployed is in Ollama"
builds=$(nix-trinity builds --limit 1 --json)
echo "$builds"
[[ $(field kind "$builds") == weekly && $(field state "$builds") == "done" ]] || fail "the last build is no weekly one that is done"
for role in expert empathy coder quick; do
  result=$(grep -oE "\"role\":\"$role\",\"result\":\"[a-z_]*\"" <<< "$builds" | cut -d '"' -f 8)
  echo "$role: $result"
  case $role,$result in
    quick,deployed) models | grep --line-regexp 'nix-quick-[0-9]\{8\}' || fail "the version is not in Ollama" ;;
    quick,rejected) ! models | grep 'nix-quick-' || fail "a rejected version was left in Ollama" ;;
    quick,*) fail "what alice taught was not built" ;;
    *,nothing_new) ;;
    *) fail "$role was built, though nobody taught it anything" ;;
  esac
done
ls /var/lib/nix-trinity/versions
says "$(nix-trinity versions quick)" "nix-quick-$(date +%Y%m%d)"

step "It is not due a second time"
systemctl start nix-trinity-weekly.service
said=$(said_by nix-trinity-weekly.service)
echo "$said"
says "$said" "Not due: The last weekly build was on"
[[ $(property nix-trinity-weekly.service Result) == success ]] || fail "a build that is not due is taken for a failure"

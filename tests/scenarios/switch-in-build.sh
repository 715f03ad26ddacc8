# A switch restarts the daemon in the middle of a weekly build: systemd tries the build again, and it comes to its end.

teach

step "The daemon is restarted, as by a switch, while it builds"
systemctl start --no-block nix-trinity-weekly.service
wait_for 60 "the build begins" bash -c 'nix-trinity status | grep -q "^builds .*is running"'
systemctl restart nix-trinity.service
tried_again() { [[ $(property nix-trinity-weekly.service SubState) == auto-restart ]]; }
wait_for 30 "systemd waits to try the build again" tried_again
said=$(said_by nix-trinity-weekly.service)
echo "$said"
says "$said" "The daemon was stopped in the middle of the build"
! systemctl is-failed --quiet nix-trinity-weekly.service || fail "the job is taken for a failure"
says "$(nix-trinity builds --limit 1)" "interrupted"

step "Tried again, it is due and comes to its end"
systemctl start nix-trinity-weekly.service
[[ $(property nix-trinity-weekly.service Result) == success ]] || fail "the job did not end well"
builds=$(nix-trinity builds --limit 1 --json)
echo "$builds"
[[ $(field kind "$builds") == weekly && $(field state "$builds") == "done" ]] || fail "the last build is no weekly one that is done"

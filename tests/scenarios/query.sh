# A first question starts the daemon; left alone it leaves; the next question starts it again; everyone sees their own.

step "Nothing runs but the socket"
systemctl stop nix-trinity.service
is_not_active nix-trinity.service || fail "the daemon still runs"
systemctl is-active nix-trinity.socket
stat --format='%A %U:%G' $socket

step "Alice asks, and that starts it"
answer=$(as alice ask-nix-guru --json --role quick "how do I enable the SSH server")
echo "$answer"
systemctl is-active nix-trinity.service
[[ $(field model "$answer") == nix-quick ]] || fail "no model answered"
[[ $(field degraded "$answer") == null ]] || fail "the model was not all right: $(field degraded "$answer")"
says "$answer" services.openssh.enable
id=$(field id "$answer")
first=$(property nix-trinity.service MainPID)

step "What was asked and answered is kept, with the model and the verdict"
kept=$(as alice nix-trinity show --json "$id")
echo "$kept"
[[ $(field model "$kept") == nix-quick ]] || fail "the row has no model"
[[ $(field verdict "$kept") =~ ^(verified|corrected|replaced|flagged|ungrounded)$ ]] || fail "the row has no verdict"
[[ $(field outcome "$kept") == answered ]] || fail "the row does not say that it was answered"
[[ $(field interface "$kept") == cli ]] || fail "the row does not say that it came from the command line"

step "It leaves when nobody asks any more"
seconds=$(nix-trinity status | sed -n 's/.*exits after \([0-9]*\) s idle.*/\1/p')
[[ $seconds ]] || fail "the status does not say when it leaves"
# While it is leaving, it would still take a question that comes in that moment.
left() { [[ $(property nix-trinity.service ActiveState) =~ ^(inactive|failed)$ ]]; }
wait_for $((seconds + 15)) "the daemon leaves after $seconds s" left
[[ $(property nix-trinity.service Result) == success ]] || fail "it did not leave by itself, but failed"
systemctl is-active nix-trinity.socket

step "Bob asks, and another one starts"
answer=$(as bob ask-nix-guru --json --role quick "what does a firewall do")
echo "$answer"
[[ $(field model "$answer") == nix-quick ]] || fail "no model answered"
second=$(property nix-trinity.service MainPID)
((second != first && second > 0)) || fail "it is the same process: $first, $second"

step "Each of them sees their own exchanges, and an operator all"
history=$(as alice nix-trinity history)
echo "$history"
says "$history" "$id"
says_not "$history" "$(field id "$answer")"
history=$(as bob nix-trinity history)
says "$history" "$(field id "$answer")"
says_not "$history" "$id"
if as bob nix-trinity show "$id"; then fail "bob can read what alice asked"; fi
history=$(nix-trinity history)
says "$history" "$id"
says "$history" "$(field id "$answer")"

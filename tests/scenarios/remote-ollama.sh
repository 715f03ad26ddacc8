# Ollama on another machine: it can be reached at the address that is allowed, and nothing else can.
# OLLAMA_URL says where it is.

step "It answers from there, through systemd's limit on addresses"
property nix-trinity.service IPAddressAllow
curl --silent --fail "$ollama/api/version"
reached() { nix-trinity status | grep --fixed-strings "ollama at $ollama: answers"; }
wait_for 60 "the daemon reaches $ollama" reached
nix-trinity status
answer=$(as alice ask-nix-guru --json --role quick "how do I enable the SSH server")
echo "$answer"
[[ $(field model "$answer") == nix-quick && $(field degraded "$answer") == null ]] || fail "no model answered"

step "An address that is not allowed: the search answers, and it is said why"
dropin=/run/systemd/system/nix-trinity.service.d/loopback-alone.conf
trap 'rm -f $dropin; systemctl daemon-reload; systemctl try-restart nix-trinity.service' EXIT
mkdir -p "$(dirname $dropin)"
printf '[Service]\nIPAddressAllow=\nIPAddressAllow=localhost\n' > $dropin
systemctl daemon-reload
systemctl restart nix-trinity.service
curl --silent --fail "$ollama/api/version" > /dev/null || fail "Ollama itself is gone"
code=0
said=$(as alice ask-nix-guru --role quick "how do I enable the SSH server" 2>&1) || code=$?
echo "$said"
((code == 6)) || fail "the exit code is $code and not 6, which stands for no engine"
says "$said" services.openssh.enable
says "$said" "$ollama"
says "$(nix-trinity status)" "ollama at $ollama: "
says_not "$(nix-trinity status)" "ollama at $ollama: answers"

step "Allowed again, the model answers"
rm $dropin
systemctl daemon-reload
systemctl restart nix-trinity.service
wait_for 60 "the daemon reaches $ollama again" reached

# Run when the system is built. Reads $config (a file) and $calendars (NAME=EXPRESSION each), writes $out; the programs
# that check are on PATH where they can run.

refused=0

if command -v systemd-analyze > /dev/null; then
  for calendar in "${calendars[@]}"; do
    expression=${calendar#*=}
    if ! complaint=$(systemd-analyze calendar -- "$expression" 2>&1 > /dev/null); then
      echo "error: services.nixTrinity.${calendar%%=*}: \"$expression\" is no calendar expression: ${complaint##*: }" >&2
      echo "  Write it as systemd.time(7) says, for example \"Fri 18:00\"; try it with: systemd-analyze calendar \"$expression\"" >&2
      refused=1
    fi
  done
fi

if command -v nix-trinityd > /dev/null; then
  nix-trinityd check-config --nixos "$config" >&2 || refused=1
fi

[ "$refused" = 0 ] || exit 1
cp "$config" "${out:-${outputs[out]}}"

"""From one generation to the next, with the units dealt with as NixOS' switch-to-configuration does."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator

import pytest
import tomli_w

from tests.container.golden import CONFIG, GOLDEN, Golden
from tests.container.install import UNITS
from tests.container.machine import Machine
from tests.container.scenarios import installed, sample_options, scenario

NEXT = "/srv/next-generation"
NEXT_OPTIONS = "/etc/nix-trinity-test/next-options.json"
# A unit that runs and has changed is restarted as its X- keys say. One that is to be stopped takes its socket along.
SWITCH = f"""\
#!/bin/bash
set -euo pipefail
stop=() restart=() start=()
for file in {NEXT}/units/*; do
  unit=${{file##*/}} socket=$(basename "$file" .service).socket
  if cmp --silent "$file" {UNITS}/"$unit" || ! systemctl is-active --quiet "$unit"; then continue; fi
  if grep --quiet --line-regexp X-RestartIfChanged=false "$file"; then continue; fi
  if [[ $unit != *.service ]] || grep --quiet --line-regexp X-StopIfChanged=false "$file"; then
    restart+=("$unit")
  elif systemctl is-active --quiet "$socket"; then
    stop+=("$unit" "$socket") start+=("$socket")
  else
    stop+=("$unit") start+=("$unit")
  fi
done
echo "stop: ${{stop[*]}}; restart: ${{restart[*]}}; start: ${{start[*]}}"
if [[ ${{stop[*]}} ]]; then systemctl stop "${{stop[@]}}"; fi
cp {NEXT}/units/* {UNITS}/
cp {NEXT}/config.toml {CONFIG}
systemctl daemon-reload
if [[ ${{restart[*]}} ]]; then systemctl restart "${{restart[@]}}"; fi
if [[ ${{start[*]}} ]]; then systemctl start "${{start[@]}}"; fi
"""


@pytest.fixture
def two_generations(ollama_inside: Machine) -> Iterator[Machine]:
    """The machine with the module, and the generation that comes next beside it, with another list of options."""
    with installed(ollama_inside) as machine:
        options = sample_options()
        options["services.lantern.enable"] = options.pop("programs.adb.enable") | {
            "loc": ["services", "lantern", "enable"]
        }
        config = tomllib.loads(machine.read(CONFIG))
        config["corpus"]["options"] = NEXT_OPTIONS
        machine.write(NEXT_OPTIONS, json.dumps(options))
        machine.write(f"{NEXT}/config.toml", tomli_w.dumps(config))
        machine.write(f"{NEXT}/switch", SWITCH, 0o755)
        for name, text in Golden(GOLDEN / "container").units().items():
            # Another configuration file has another place, which X-Restart-Triggers names; and the jobs are nicer.
            changed = (text or "").replace("-X-Restart-Triggers-", "-another-X-Restart-Triggers-")
            machine.write(f"{NEXT}/units/{name}", changed.replace("Nice=19", "Nice=18"))
        yield machine
        machine.succeed(f"rm -r {NEXT}")


def test_a_switch_keeps_the_socket_and_knows_the_new_options(two_generations: Machine) -> None:
    scenario(two_generations, "upgrade", SWITCH=f"{NEXT}/switch")

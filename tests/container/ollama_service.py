"""A real Ollama inside the machine, run as NixOS' services.ollama runs it: under an account made for the moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.container.machine import Machine
from tests.stack import chat_model
from tests.stack.container_python import STORE
from tests.stack.ollama_binary import OllamaBinary

PROGRAM = f"/{STORE}-ollama/bin/ollama"
URL = "http://127.0.0.1:11434"
_GGUF = "/srv/models/chat-model.gguf"
_UNIT = "/etc/systemd/system/ollama.service"

UNIT = f"""\
[Unit]
Description=Server for local large language models
After=network.target

[Service]
Environment=HOME=/var/lib/ollama
Environment=OLLAMA_HOST=127.0.0.1:11434
Environment=OLLAMA_MODELS=/var/lib/ollama/models
Environment=OLLAMA_NO_CLOUD=1
Type=exec
ExecStart={PROGRAM} serve
DynamicUser=true
StateDirectory=ollama
WorkingDirectory=/var/lib/ollama
ReadWritePaths=/var/lib/ollama /var/lib/ollama/models
SupplementaryGroups=render
UMask=0077
CapabilityBoundingSet=
DeviceAllow=char-drm
DevicePolicy=closed
LockPersonality=true
MemoryDenyWriteExecute=true
NoNewPrivileges=true
PrivateDevices=false
PrivateTmp=true
PrivateUsers=true
ProcSubset=all
ProtectClock=true
ProtectControlGroups=true
ProtectHome=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service @resources
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
"""


def read_only(binary: OllamaBinary, gguf: Path) -> dict[Path, str]:
    """Return what of this machine has to be seen inside: where it is here, and there."""
    seen = {binary.path: PROGRAM, gguf: _GGUF}
    # A packaged Ollama has its backends beside it; one that was built here has them inside.
    backends = binary.path.parent.parent / "lib" / "ollama"
    if backends.is_dir():
        seen[backends] = str(Path(PROGRAM).parents[1] / "lib" / "ollama")
    return seen


def install(machine: Machine) -> None:
    """Start Ollama inside, now and at every boot, with the chat model in it.

    :raises StackError: it does not start, or does not take the model.
    """
    machine.write(_UNIT, UNIT)
    # Which NixOS has and a small Debian has not.
    machine.succeed(["systemd-sysusers", "-"], input="g render\n")
    machine.succeed("systemctl daemon-reload && systemctl enable --quiet --now ollama.service")
    wait_for(machine)
    machine.write("/srv/models/Modelfile", f"FROM {_GGUF}\n")
    machine.succeed([PROGRAM, "create", chat_model.NAME, "--file", "/srv/models/Modelfile"], timeout=120)


def wait_for(machine: Machine) -> None:
    """Wait until Ollama answers: that its unit has started does not mean that it does."""
    machine.wait_until(f"curl --silent --fail {URL}/api/version", seconds=60)


def ask(machine: Machine, path: str, request: dict[str, object]) -> dict[str, Any]:
    """Send one request to Ollama from inside and return its whole answer.

    :raises StackError: it does not answer, or with an error.
    """
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "110", "--data", "@-"]
    answer: dict[str, Any] = json.loads(
        machine.succeed([*command, f"{URL}{path}"], input=json.dumps(request), timeout=120)
    )
    return answer

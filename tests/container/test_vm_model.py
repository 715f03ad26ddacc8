"""What the tests on virtual machines (nix/tests) take from here is the same there, though they cannot run here."""

from __future__ import annotations

import base64
import re

from tests.container.scenarios import QUICK
from tests.stack import chat_model
from tests.stack.environment import CHECKOUT

SHARED = CHECKOUT / "nix" / "tests" / "shared"


def test_the_model_is_the_same_file_of_the_same_package() -> None:
    model = (SHARED / "model.nix").read_text("utf-8")
    given = dict(re.findall(r'^\s*(\w+) = "([^"]*)";$', model, re.MULTILINE))
    assert f"{given['pname'].replace('_', '-')}=={given['version']}" == chat_model.WHEEL.requirement
    assert f"{given['pname']}-{given['version']}-{given['python']}-none-any.whl" == chat_model.WHEEL.file
    assert given["hash"] == "sha256-" + base64.b64encode(bytes.fromhex(chat_model.WHEEL.sha256)).decode()
    assert chat_model.MEMBER in model
    assert chat_model.NAME in (SHARED / "ollama.nix").read_text("utf-8")


def test_the_machine_has_the_same_settings() -> None:
    machine = (SHARED / "machine.nix").read_text("utf-8")
    for key, value in (pair for section in QUICK.values() for pair in section.items()):
        option = "idleTimeout" if key == "idle_timeout_seconds" else key
        assert f"{option} = {value};" in machine

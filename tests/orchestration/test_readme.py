"""What README tells people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from ml.recommenders.models.zoo import MODELS
from orchestration.cli import app

CHECKOUT = Path(__file__).parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^(?:\.venv/bin/)?tessera (.+)$", README, re.MULTILINE)
TARGETS = re.findall(r"^make (\w+)", README, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_has_the_options_it_is_given(line: str) -> None:
    words = shlex.split(line, comments=True)
    command = get_command(app)
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
    if "--model" in words and command.name in ("fit", "evaluate"):
        assert words[words.index("--model") + 1] in {"auto", *MODELS}


def test_the_readme_tells_of_the_commands_and_targets() -> None:
    assert len(COMMANDS) >= 6
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test", "up"} <= set(TARGETS) <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))

"""The page of the commands, from the commands that typer runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from markdown_tables import code, table
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from orchestration.cli import app

HIDDEN = {"--install-completion", "--show-completion", "--help", "--home", "--site"}
INTRODUCTION = """\
# Commands

Every command has `--help`, and every command that works in a home has these two options:

| Option | Meaning |
| --- | --- |
| `--home DIR` | The folder that holds all that Tessera writes; `TESSERA_HOME` sets it for every command. |
| `--site DIR` | The folder of the site's own files; `TESSERA_SITE` sets it for every command. |

The exit status is 0 after success, 1 after a failure, 2 when the command was given something wrong, 3 when another
run is at work, and 130 after Ctrl-C.
"""


def commands_page() -> str:
    """The whole page, one heading a command."""
    return "\n\n".join([INTRODUCTION, *map(_section, _commands(get_command(app), "tessera"))])


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """The commands below a group with their whole names, in the order of the help."""
    if isinstance(command, TyperGroup):
        for child in command.commands.values():
            yield from _commands(child, f"{name} {child.name}")
    else:
        yield name, command


def _section(named: tuple[str, click.Command]) -> str:
    name, command = named
    arguments = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
    options = [
        parameter
        for parameter in command.params
        if isinstance(parameter, TyperOption) and not HIDDEN & set(parameter.opts) and not parameter.hidden
    ]
    shown = " ".join([name, *(_metavar(argument) for argument in arguments), *(["[OPTIONS]"] if options else [])])
    parts = [f"## {name}", f"```text\n{shown}\n```", inspect.cleandoc(command.help or "")]
    if arguments:
        rows = [(code(_metavar(argument).strip("[]")), argument.help or "") for argument in arguments]
        parts.append(table(("Argument", "Meaning"), rows))
    if options:
        parts.append(table(("Option", "Meaning", "Default"), map(_option, options)))
    return "\n\n".join(parts)


def _metavar(argument: TyperArgument) -> str:
    name = (argument.metavar or str(argument.name).upper()).strip("[]{}")
    return name if argument.required else f"[{name}]"


def _option(option: TyperOption) -> tuple[str, str, str]:
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    needed = "**Required.** " if option.required else ""
    return names, f"{needed}{option.help or ''}", _default(option)


def _default(option: TyperOption) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    if option.required or option.default in (None, ()) or (option.is_flag and not option.secondary_opts):
        return ""
    value = option.default
    if option.is_flag:
        return code((option.opts if value else option.secondary_opts)[0])
    return code(str(getattr(value, "value", value)))

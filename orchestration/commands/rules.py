"""`tessera rules test`: check the rules file, run its tests, and try the rules on one situation."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from ml.local_clock import find_zone
from ml.site.definition_files import definition_file
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.option_values import parse_moment

console = Console(highlight=False, emoji=False)
rules = typer.Typer(help="The rules that choose content: check them, and try them out.", no_args_is_help=True)


@rules.callback()
def _group() -> None:
    """Keep `test` a command of its own."""


@rules.command("test")
def check_rules(
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Another rules file than the one in use."),
    ] = None,
    facts: Annotated[
        list[str] | None,
        typer.Option("--fact", help="A fact of one situation as NAME=VALUE; says which rules match."),
    ] = None,
    slot: Annotated[str | None, typer.Option(help="The slot to decide.")] = None,
    at: Annotated[
        dt.datetime | None,
        typer.Option(parser=parse_moment, metavar="TIME", help="The moment, ISO 8601; default: now."),
    ] = None,
    timezone: Annotated[str, typer.Option(help="The visitor's IANA time zone.")] = "UTC",
    home: HomeOption = None,
) -> None:
    """Check every rule, run the `tests:` of the file, and say which rule acts in one situation.

    A test in the file names a situation and what must come out:

      tests:
        - name: breakfast on a phone
          slot: hero
          at: 2026-03-02T08:00:00Z
          facts: {device_type: mobile}
          expect: {content: breakfast}
    """
    from ml.decisions.rules.rule_tests import run_rule_tests
    from ml.decisions.rules.rules_file import load_rules

    place = home_of(home)
    path = file or definition_file(place, chosen_settings(place).decisions.rules_file)
    loaded = load_rules(path)
    results = run_rule_tests(path)
    console.print(f"{escape(str(path))}: {len(loaded.rules)} rules, all understood", soft_wrap=True)
    for result in results:
        mark = "[green]ok[/]" if result.problem is None else f"[red]failed[/]: {escape(result.problem)}"
        console.print(f"  {escape(result.name)}: {mark}")
    if facts or slot:
        _explain(path, facts or [], slot, at or dt.datetime.now(dt.UTC), timezone)
    if any(result.problem for result in results):
        raise typer.Exit(1)


def _explain(path: Path, facts: list[str], slot: str | None, at: dt.datetime, timezone: str) -> None:
    """Print for each rule whether it acts in the situation, and otherwise why not."""
    from ml.decisions.rules.rule_tests import build_rule_context
    from ml.decisions.rules.rules_file import load_rules

    values: dict[str, Any] = {}
    for fact in facts:
        name, _, value = fact.partition("=")
        values[name] = _parse_value(value)
    context = build_rule_context(values, slot, at, find_zone(timezone))
    for rule in load_rules(path).rules:
        reason = rule.why_not(context)
        console.print(
            f"  {escape(rule.rule.id)}: " + ("[green]acts[/]" if reason is None else f"[dim]{escape(reason)}[/]")
        )


def _parse_value(text: str) -> Any:
    """The text as a truth value or a number where it reads as such."""
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text

"""`tessera signals propose`: rules and experiments that follow from the table `signals`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from ml.errors import TesseraError
from orchestration.commands.home import HomeOption, home_of

console = Console(highlight=False, emoji=False)
signals = typer.Typer(help="Small actions that raise conversion, and what to do then.", no_args_is_help=True)


class NoSignalsError(TesseraError, ValueError):
    """There is no table of signals to propose from."""


@signals.callback()
def _group() -> None:
    """Keep `propose` a command of its own."""


@signals.command("propose")
def propose(
    slot: Annotated[str, typer.Option(help="The slot that shows the invitations.")] = "sidebar",
    output: Annotated[
        Path, typer.Option(file_okay=False, help="The folder for rules.yaml and experiments.yaml.")
    ] = Path("proposed"),
    home: HomeOption = None,
) -> None:
    """Write a rule and an experiment for each action that raises conversion.

    Nothing is switched on: copy what you accept into the files of the site. Each rule invites to the action those
    who have not done it, and each experiment shows the invitation to one half of them.
    """
    from ml.decisions.rules.rules_file import load_rules
    from ml.experiments.definition.definitions_file import load_experiments
    from ml.sequences.signals.proposals import LAYER, propose_triggers
    from orchestration.warehouse.warehouse import Warehouse

    warehouse = Warehouse(home_of(home).warehouse)
    if "signals" not in warehouse.tables():
        raise NoSignalsError("there is no table `signals` yet: run `tessera materialize` first")
    proposals = propose_triggers(warehouse.read("from signals"), slot, dt.datetime.now(dt.UTC))
    if not proposals:
        console.print("No action raises conversion for certain; nothing is proposed.")
        return
    output.mkdir(parents=True, exist_ok=True)
    rules_file, experiments_file = output / "rules.yaml", output / "experiments.yaml"
    rules = "".join(
        f"  # {proposal.expectation}\n{_indent(yaml.safe_dump([proposal.rule], sort_keys=False))}"
        for proposal in proposals
    )
    rules_file.write_text(f"rules:\n{rules}", encoding="utf-8")
    document = {
        "version": 1,
        "layers": {LAYER: {"description": "Invitations to actions that raise conversion."}},
        "experiments": {proposal.experiment_id: proposal.experiment for proposal in proposals},
    }
    experiments_file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    load_rules(rules_file)
    load_experiments(experiments_file)
    for proposal in proposals:
        console.print(f"[bold]{escape(proposal.experiment_id)}[/]  {escape(proposal.expectation)}")
    console.print(f"Proposed: {rules_file} and {experiments_file}. Nothing is in use until you copy it.")


def _indent(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())

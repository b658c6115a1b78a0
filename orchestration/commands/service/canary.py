"""`tessera canary`: the new model that answers some of the people, and its end by hand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from ml.errors import InvalidInputError
from orchestration.commands.home import HomeOption, chosen_settings, existing_home_of
from orchestration.runtime.text_table import text_table

if TYPE_CHECKING:
    from ml.home import Home
    from ml.registry.trials import CanaryTrial, CanaryTrials

console = Console(highlight=False, markup=False, emoji=False)
canary = typer.Typer(
    help="A new model on some of the people before it answers everybody: show, promote, roll back.",
    no_args_is_help=True,
)


@canary.command("show")
def show(*, home: HomeOption = None) -> None:
    """Show the new model that is being tried, and what became of those before."""
    trials = _trials(existing_home_of(home))
    running = trials.running()
    if running is None:
        console.print("No new model is being tried.")
    else:
        now = dt.datetime.now(dt.UTC)
        days = (now - running.started_at) / dt.timedelta(days=1)
        looks = "once" if running.looks == 1 else f"{running.looks} times"
        console.print(
            f"{running.model} (version {running.version}) is being tried for {days:.1f} days, and was compared"
            f" {looks}. The gate preferred it: {running.reasons[0]}.",
            soft_wrap=True,
        )
        for name, value in trials.figures(running).items():
            console.print(f"  {name.replace('_', ' ')}: {value:,.4g}")
    ended = trials.ended()
    if ended:
        table = text_table("model", "version", "began", "ended", "outcome", "why")
        for trial in ended:
            end = f"{trial.ended_at:%Y-%m-%d}" if trial.ended_at else ""
            outcome = trial.outcome.replace("_", " ")
            table.add_row(
                trial.model, str(trial.version), f"{trial.started_at:%Y-%m-%d}", end, outcome, trial.text
            )
        console.print(table)


@canary.command("promote")
def promote(*, home: HomeOption = None) -> None:
    """Let the new model answer everybody now."""
    trial = _end(existing_home_of(home), "Somebody promoted it by hand.", is_promoted=True)
    console.print(f"{trial.model} (version {trial.version}) answers everybody.")


@canary.command("roll-back")
def roll_back(*, home: HomeOption = None) -> None:
    """Let the former model answer everybody again."""
    trial = _end(existing_home_of(home), "Somebody rolled it back by hand.", is_promoted=False)
    console.print(f"{trial.model} (version {trial.version}) answers nobody any more.")


def _end(home: Home, text: str, *, is_promoted: bool) -> CanaryTrial:
    """End the trial that is at work.

    Raises:
        InvalidInputError: There is none.
    """
    from orchestration.runtime.canary_end import end_canary

    trials = _trials(home)
    trial = trials.running()
    if trial is None:
        raise InvalidInputError("no new model is being tried; `tessera canary show` lists those before")
    now = dt.datetime.now(dt.UTC)
    end_canary(home, chosen_settings(home), trials.registry, trial, text, now, is_promoted=is_promoted)
    return trial


def _trials(home: Home) -> CanaryTrials:
    from ml.registry.registry import Registry
    from ml.registry.trials import CanaryTrials

    return CanaryTrials(Registry(home.mlflow_uri, home.artifacts))

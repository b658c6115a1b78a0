"""`tessera tune`: search for the parameters of a recommender, every trial a run in MLflow."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.model_options import (
    InteractionsFile,
    ItemsFile,
    ModelFolder,
    Seed,
    UsersFile,
    Validation,
    ValidationOption,
    console,
    possible_split,
    read_training_data,
)

SHOWN_TRIALS = 5


def tune(
    *,
    interactions: InteractionsFile,
    items: ItemsFile = None,
    users: UsersFile = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Models to search, repeatable: lightfm_warp, lightfm_bpr, lightfm_logistic, als, implicit_bpr, "
            "svd, ease, autoencoder, item_neighbours, user_neighbours, trending, content_affinity. "
            "Default: those of the settings."
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(min=0, help="Budget, that of earlier calls on the same data counted; the fit comes on top."),
    ] = 10.0,
    validation: ValidationOption = Validation.TIME,
    seed: Seed = 0,
    out: ModelFolder,
    home: HomeOption = None,
) -> None:
    """Search for the best parameters and save the model that has them. A stopped search goes on when called again.

    Example: tessera tune --interactions ratings.csv --items films.parquet --model als --minutes 10 --out model
    """
    from ml.recommenders.validation import ValidationWindow
    from ml.registry.registry import Registry
    from orchestration.parameter_search import JOURNAL, log_search

    place = home_of(home)
    data = read_training_data(interactions, users, items)
    window = ValidationWindow.hold_back(data, possible_split(validation, data), seed=seed)
    for warning in window.warnings:
        console.print(f"note: {warning}")
    trials = log_search(
        Registry(place.mlflow_uri, place.artifacts),
        window,
        models=model or chosen_settings(place).recommenders.search.models,
        file=place.models / JOURNAL,
        minutes=minutes,
        seed=seed,
        log=lambda line: console.print(line, soft_wrap=True),
    )
    table = Table("trial", "model", window.metric, "95 % interval", "parameters")
    for trial in [entry for entry in trials if entry.state == "complete"][:SHOWN_TRIALS]:
        table.add_row(
            str(trial.number),
            trial.configuration.model,
            f"{trial.interval.mean:.4f}",
            f"{trial.interval.low:.4f} to {trial.interval.high:.4f}",
            ", ".join(f"{name}={_short(value)}" for name, value in trial.configuration.params.items()),
        )
    console.print(table)
    trials[0].configuration.make().fit_aligned(data).save(out)
    console.print(f"{out}: {trials[0].configuration.model}, the best of {len(trials)} trials", soft_wrap=True)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""`tessera tune`: search for the parameters of a recommender, every trial a run in MLflow."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.model_options import (
    InteractionsFile,
    ItemColumn,
    ItemsFile,
    LikedFrom,
    ModelFolder,
    RankedOption,
    RatingColumn,
    Seed,
    TimeColumn,
    UserColumn,
    UsersFile,
    Validation,
    ValidationOption,
    WeightColumn,
    check_liked_from,
    check_model_folder,
    check_model_name,
    console,
    possible_split,
    read_training_data,
    say,
    say_if_features_are_not_used,
    say_if_weights_are_not_used,
)
from orchestration.runtime.text_table import text_table

SHOWN_TRIALS = 5


def tune(
    *,
    interactions: InteractionsFile,
    items: ItemsFile = None,
    users: UsersFile = None,
    user: UserColumn = None,
    item: ItemColumn = None,
    time: TimeColumn = None,
    rating: RatingColumn = None,
    weight: WeightColumn = None,
    liked_from: LikedFrom = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Models to search, repeatable: lightfm_warp, lightfm_bpr, lightfm_logistic, als, implicit_bpr, "
            "svd, ease, autoencoder, item_neighbours, user_neighbours, session_neighbours, sasrec, gru4rec, "
            "trending, content_affinity. "
            "Default: those of the settings."
        ),
    ] = None,
    work: Annotated[
        float,
        typer.Option(
            min=0,
            help="Budget in units of work, each about a second on one core, so that a busy machine tries"
            " as much as an idle one. Work of earlier calls on the same data counts; the final fit comes on top.",
        ),
    ] = 600.0,
    validation: ValidationOption = Validation.TIME,
    ranked: RankedOption = None,
    seed: Seed = 0,
    out: ModelFolder,
    home: HomeOption = None,
) -> None:
    """Search for the best parameters and save the model that has them. A stopped search goes on when called again.

    Example: tessera tune --interactions ratings.csv --items films.parquet --model als --work 600 --out model
    """
    from ml.recommenders.models.zoo import make_recommender
    from ml.recommenders.selection.plan.judges import describe_judges
    from ml.recommenders.validation import ValidationWindow
    from ml.registry.registry import Registry
    from ml.tables.column_roles import ColumnChoice
    from orchestration.parameter_search import JOURNAL, log_search

    place = home_of(home)
    check_model_folder(out)
    for name in model or ():
        check_model_name(name)
    check_liked_from(liked_from)
    choice = ColumnChoice(user, item, time, rating, weight)
    data = read_training_data(interactions, users, items, choice, liked_from=liked_from)
    split = possible_split(validation, data)
    window = ValidationWindow.hold_back(data, split, seed=seed, ranked=ranked and ranked.value)
    searched = model or chosen_settings(place).recommenders.search.models
    for name in searched:
        say_if_weights_are_not_used(make_recommender(name), name, data)
    say(describe_judges(window, split))
    for warning in window.warnings:
        say(f"note: {warning}")
    trials = log_search(
        Registry(place.mlflow_uri, place.artifacts),
        window,
        models=searched,
        file=place.models / JOURNAL,
        work=work,
        seed=seed,
        log=say,
    )
    table = text_table("trial", "model", window.metric, "95% interval", "parameters")
    for trial in [entry for entry in trials if entry.state == "complete"][:SHOWN_TRIALS]:
        table.add_row(
            str(trial.number),
            trial.configuration.model,
            f"{trial.interval.mean:.4f}",
            trial.interval.bounds,
            ", ".join(f"{name}={_short(value)}" for name, value in trial.configuration.params.items()),
        )
    console.print(table)
    best = trials[0].configuration.make()
    say_if_features_are_not_used(best, "the best model", data)
    best.fit_aligned(data).save(out)
    say(f"{out}: {trials[0].configuration.model}, the best of {len(trials)} trials")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

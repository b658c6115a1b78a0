"""`tessera fit`, `recommend` and `evaluate`: recommenders for people who bring only a table of interactions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.commands.home import HomeOption
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

if TYPE_CHECKING:
    from ml.dataset.interactions import Interactions
    from ml.recommenders.base import Recommender, TrainingData

ABLATION_USERS = 1_000  # of whom the worth of features is measured: the order of the families shows on a sample

ModelName = Annotated[
    str, typer.Option(help="A model by name, or `auto`: the best by validation on the interactions given.")
]


def fit(
    *,
    interactions: InteractionsFile,
    items: ItemsFile = None,
    users: UsersFile = None,
    model: ModelName = "auto",
    validation: ValidationOption = Validation.TIME,
    seed: Seed = 0,
    out: ModelFolder,
    home: HomeOption = None,
) -> None:
    """Fit a recommender on a table of interactions and save it.

    Example: tessera fit --interactions ratings.csv --items films.parquet --out model
    """
    data = read_training_data(interactions, users, items)
    recommender = _fitted(model, validation, seed, data)
    recommender.save(out)
    _print_ablation(recommender, data)
    n_pairs = data.interactions.n_pairs
    console.print(f"{out}: {type(recommender).__name__} from {n_pairs:,} interactions", soft_wrap=True)


def recommend(
    *,
    model: Annotated[Path, typer.Option(help="Folder that `tessera fit` wrote.")],
    users: Annotated[Path, typer.Option(help="Parquet or CSV with user_id; people the model doesn't know, too.")],
    k: Annotated[int, typer.Option(min=1, help="Items a user.")] = 10,
    candidates: Annotated[Path | None, typer.Option(help="Parquet or CSV with item_id: rank these alone.")] = None,
    out: Annotated[Path, typer.Option(help="Parquet or CSV: user_id, item_id, rank, score.")],
    home: HomeOption = None,
) -> None:
    """Rank items for users; never one that the user has in training.

    Example: tessera recommend --model model --users people.csv --k 10 --out recommendations.csv
    """
    from ml.recommenders.models.zoo import load_recommender
    from ml.recommenders.selection.tables import read_ids, write_table

    people = read_ids(users, "user_id")
    assert people is not None
    ranked = load_recommender(model).recommend(people, k, candidates=read_ids(candidates, "item_id"))
    table = ranked.to_table()
    write_table(table, out)
    console.print(f"{out}: {len(table):,} recommendations for {len(people):,} users", soft_wrap=True)


def evaluate(
    *,
    train: InteractionsFile,
    test: Annotated[Path, typer.Option(help="Parquet or CSV: user_id, item_id: what the users then did.")],
    items: ItemsFile = None,
    users: UsersFile = None,
    model: ModelName = "auto",
    validation: ValidationOption = Validation.TIME,
    k: Annotated[int, typer.Option(min=1, help="Places that count.")] = 10,
    sampled: Annotated[
        int, typer.Option(min=0, help="Also rank each relevant item among so many drawn ones; marked `sampled`.")
    ] = 0,
    seed: Seed = 0,
    home: HomeOption = None,
) -> None:
    """Fit on one table, measure on another; prints one JSON object.

    Example: tessera evaluate --train train.parquet --test test.parquet --model ease --k 10
    """
    from ml.evaluation.ranking_metrics import figures_by_group, measure
    from ml.recommenders.selection.tables import read_interactions

    data, future = read_training_data(train, users, items), read_interactions(test)
    past = data.interactions
    recommender = _fitted(model, validation, seed, data)
    recommended = recommender.recommend(future.users.values, k).to_table()
    measured = measure(recommended, future, past, k, past.items)
    metrics = dict(measured.metrics)
    if sampled:
        metrics |= _sampled(recommender, future, sampled, k, seed)
    groups = figures_by_group(measured, "ndcg", past).to_pylist()
    figures = {name: None if math.isnan(value) else value for name, value in metrics.items()}
    for group in groups:
        metric = "hits" if group["grouped_by"] == "item age" else "ndcg"
        figures[f"{metric}_by_{group['grouped_by']}_{group['group']}".replace(" ", "_")] = group["value"]
    counts = {"k": k, "users": len(measured.users), "users_missing": measured.users_missing}
    typer.echo(json.dumps({"model": type(recommender).__name__, **counts, **figures}))


def _fitted(name: str, validation: Validation, seed: int, data: TrainingData) -> Recommender:
    """The named model, or the one that validation chooses, fitted; progress goes to stderr."""
    from ml.recommenders.models.zoo import make_recommender, seeded
    from ml.recommenders.selection.auto import choose

    if name == "auto":
        return choose(data, possible_split(validation, data), seed=seed, log=console.print).recommender
    return make_recommender(name, **seeded(name, seed)).fit_aligned(data)


def _sampled(recommender: Recommender, future: Interactions, sampled: int, k: int, seed: int) -> dict[str, float]:
    """Figures on a sample, for the users that the model knows."""
    import numpy as np

    from ml.evaluation.sampled import sampled_metrics

    rows = recommender.user_ids_.rows(future.users.values)
    relevant = future.aligned(future.users, recommender.item_ids_.union(future.items)).matrix
    known_rows = np.flatnonzero(rows >= 0)
    relevant = relevant[known_rows][:, : len(recommender.item_ids_)].tocsr()
    had = recommender.seen_[rows[known_rows]]
    return sampled_metrics(recommender.score, rows[known_rows], relevant, had, sampled=sampled, k=k, seed=seed)


def _print_ablation(recommender: Recommender, data: TrainingData) -> None:
    """Print what each family of features is worth to a hybrid; other models have none."""
    from ml.evaluation.splits import EmptySplitError
    from ml.recommenders.data_split import DataSplit
    from ml.recommenders.models.lightfm import LightFMHybrid
    from ml.recommenders.selection.ablation import ablation
    from ml.recommenders.validation import natural_split, sample_users

    has_features = data.user_features is not None or data.item_features is not None
    if not isinstance(recommender, LightFMHybrid) or not has_features:
        return
    sample = sample_users(data, ABLATION_USERS, recommender.seed)
    try:
        split = DataSplit.of(sample, natural_split(sample.interactions), recommender.seed)
        table = ablation(recommender.params(), split, seed=recommender.seed)
    except EmptySplitError as error:
        console.print(f"ablation: not measured, since {error}", soft_wrap=True)
        return
    for row in table.to_pylist()[1:]:
        console.print(
            f"ablation: {row['without']} brings {row['gain']:+.4f} NDCG "
            f"[{row['gain_low']:+.4f}, {row['gain_high']:+.4f}]",
            soft_wrap=True,
        )

"""`tessera fit`, `recommend` and `evaluate`: recommenders for people who bring only a table of interactions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from orchestration.commands.home import HomeOption

if TYPE_CHECKING:
    from ml.recommenders.base import Recommender
    from ml.recommenders.features import FeatureMatrix
    from ml.recommenders.interactions import Interactions

console = Console(stderr=True, highlight=False)

InteractionsFile = Annotated[
    Path,
    typer.Option(
        help="Parquet or CSV: user_id, item_id; optional timestamp (Unix seconds or a time), rating, weight."
    ),
]
ItemsFile = Annotated[
    Path | None, typer.Option(help="Parquet or CSV: item_id, features (a list of strings such as genre:Drama).")
]
UsersFile = Annotated[Path | None, typer.Option(help="Parquet or CSV: user_id, features (a list of strings).")]
ModelName = Annotated[
    str, typer.Option(help="A model by name, or `auto`: the best by validation on the interactions given.")
]


class Validation(StrEnum):
    """How `auto` holds interactions back to choose by."""

    TIME = "time"
    RANDOM = "random"
    LEAVE_LAST_OUT = "leave-last-out"


def fit(
    *,
    interactions: InteractionsFile,
    items: ItemsFile = None,
    users: UsersFile = None,
    model: ModelName = "auto",
    validation: Annotated[
        Validation,
        typer.Option(help="How `auto` holds interactions back: the newest, a random share, each user's last."),
    ] = Validation.TIME,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    home: HomeOption = None,
) -> None:
    """Fit a recommender on a table of interactions and save it.

    Example: tessera fit --interactions ratings.csv --items films.parquet --out model
    """
    with clear_errors("fit"):
        from ml.recommenders.tables import read_features, read_interactions

        pairs = read_interactions(interactions)
        users_known, items_known = read_features(users, "user_id"), read_features(items, "item_id")
        recommender = _fitted(model, validation.value, seed, pairs, users_known, items_known)
        recommender.save(out)
        _tell_ablation(recommender, pairs, users_known, items_known)
    console.print(f"{out}: {type(recommender).__name__} from {pairs.n_pairs:,} interactions", soft_wrap=True)


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
    with clear_errors("recommend"):
        from ml.recommenders.base import load_recommender
        from ml.recommenders.tables import read_ids, write_table

        people = read_ids(users, "user_id")
        assert people is not None
        found = load_recommender(model).recommend(people, k, candidates=read_ids(candidates, "item_id"))
        table = found.to_table()
        write_table(table, out)
    console.print(f"{out}: {len(table):,} recommendations for {len(people):,} users", soft_wrap=True)


def evaluate(
    *,
    train: InteractionsFile,
    test: Annotated[Path, typer.Option(help="Parquet or CSV: user_id, item_id: what the users then did.")],
    items: ItemsFile = None,
    users: UsersFile = None,
    model: ModelName = "auto",
    validation: Annotated[Validation, typer.Option(help="As for `fit`.")] = Validation.TIME,
    k: Annotated[int, typer.Option(min=1, help="Places that count.")] = 10,
    sampled: Annotated[
        int, typer.Option(min=0, help="Also rank each relevant item among so many drawn ones; marked `sampled`.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 0,
    home: HomeOption = None,
) -> None:
    """Fit on one table, measure on another; prints one JSON object.

    Example: tessera evaluate --train train.parquet --test test.parquet --model ease --k 10
    """
    with clear_errors("evaluate"):
        from ml.evaluation.measuring import figures_by_group, measure
        from ml.recommenders.tables import read_features, read_interactions

        past, future = read_interactions(train), read_interactions(test)
        item_features = read_features(items, "item_id")
        recommender = _fitted(model, validation.value, seed, past, read_features(users, "user_id"), item_features)
        catalogue = past.items if item_features is None else past.items.union(item_features.ids)
        recommended = recommender.recommend(future.users.values, k).to_table()
        measured = measure(recommended, future, past, k, catalogue)
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


def _fitted(
    name: str,
    validation: str,
    seed: int,
    pairs: Interactions,
    users: FeatureMatrix | None,
    items: FeatureMatrix | None,
) -> Recommender:
    """The named model, or the one that validation chooses, fitted; progress goes to stderr."""
    from ml.recommenders.base import TrainingData
    from ml.recommenders.choosing import choose
    from ml.recommenders.zoo import make_recommender, seeded

    if name == "auto":
        data = TrainingData.align(pairs, users, items)
        kind = validation
        if validation == "time" and pairs.timestamps is None:
            console.print("no column timestamp: validating on a random share of each user's interactions")
            kind = "random"
        return choose(data, kind, seed=seed, told=console.print).recommender
    return make_recommender(name, **seeded(name, seed)).fit(pairs, users, items)


def _sampled(recommender: Recommender, future: Interactions, sampled: int, k: int, seed: int) -> dict[str, float]:
    """Figures on a sample, for the users that the model knows."""
    import numpy as np

    from ml.evaluation.sampled import sampled_metrics

    rows = recommender.user_ids_.rows(future.users.values)
    relevant = future.aligned(future.users, recommender.item_ids_.union(future.items)).matrix
    known = np.flatnonzero(rows >= 0)
    relevant = relevant[known][:, : len(recommender.item_ids_)].tocsr()
    had = recommender.seen_[rows[known]]
    return sampled_metrics(recommender.score, rows[known], relevant, had, sampled=sampled, k=k, seed=seed)


def _tell_ablation(
    recommender: Recommender, pairs: Interactions, users: FeatureMatrix | None, items: FeatureMatrix | None
) -> None:
    """What each family of features is worth to a hybrid; other models have none."""
    from ml.recommenders.ablation import ablation
    from ml.recommenders.base import TrainingData
    from ml.recommenders.lightfm_hybrid import LightFMHybrid

    if not isinstance(recommender, LightFMHybrid) or (users is None and items is None):
        return
    data = TrainingData.align(pairs, users, items)
    for row in ablation(recommender.params(), data, seed=recommender.seed).to_pylist()[1:]:
        console.print(
            f"ablation: {row['without']} brings {row['gain']:+.4f} NDCG "
            f"[{row['gain_low']:+.4f}, {row['gain_high']:+.4f}]",
            soft_wrap=True,
        )


@contextmanager
def clear_errors(command: str) -> Iterator[None]:
    """Foreseen errors become one line on stderr and exit code 1."""
    from ml.recommenders.persistence import ModelFileError
    from ml.recommenders.tables import TableError
    from ml.recommenders.zoo import UnknownModelError

    try:
        yield
    except (TableError, ModelFileError, UnknownModelError, ValueError) as error:
        console.print(f"[red]tessera {command}:[/] {error}", soft_wrap=True, markup=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("[yellow]Stopped.[/] Nothing was written.")
        raise typer.Exit(130) from None

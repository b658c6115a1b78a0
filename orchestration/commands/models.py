"""`tessera fit`, `recommend` and `evaluate`: recommenders for people who bring only a table of interactions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml.errors import InvalidInputError
from orchestration.commands.home import HomeOption, chosen_settings
from orchestration.commands.model_options import (
    EngineName,
    EngineOption,
    ExcludedFile,
    InteractionsFile,
    ItemColumn,
    ItemsFile,
    LikedFrom,
    ModelFolder,
    RankedItems,
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
    columns_of_file,
    console,
    interaction_columns,
    possible_split,
    rating_reading,
    read_excluded,
    read_training_data,
    say,
    say_if_features_are_not_used,
    say_if_weights_are_not_used,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from ml.arrays import I64
    from ml.recommenders.base import Recommender
    from ml.recommenders.selection.auto import Choice
    from ml.recommenders.training_data import TrainingData

MOST_ROWS = 500_000_000  # of a table of recommendations; about 20 GB in memory
ABLATION_USERS = 1_000  # of whom the worth of features is measured: the order of the families shows on a sample

ModelName = Annotated[
    str, typer.Option(help="A model by name, or `auto`: the best by validation on the interactions given.")
]


def fit(
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
    exclude: ExcludedFile = None,
    model: ModelName = "auto",
    validation: ValidationOption = Validation.TIME,
    ranked: RankedOption = None,
    seed: Seed = 0,
    engine: EngineOption = None,
    out: ModelFolder,
    home: HomeOption = None,
) -> None:
    """Fit a recommender on a table of interactions and save it.

    Example: tessera fit --interactions ratings.csv --items films.parquet --out model
    """
    from ml.dataset.item_names import read_item_names
    from ml.recommenders.exclusions import exclude_pairs
    from ml.recommenders.selection.model_report import ReportSource, write_model_report
    from ml.tables.column_roles import ColumnChoice

    check_model_folder(out)
    check_model_name(model)
    if ranked is not None and model != "auto":
        raise InvalidInputError(
            f"--ranked says by which items models are compared, but --model {model} is not compared with any. "
            "Leave one of the two out"
        )
    check_liked_from(liked_from)
    choice = ColumnChoice(user, item, time, rating, weight)
    exclusions = read_excluded(exclude, choice)
    reading: list[str] = []

    def read(line: str) -> None:
        reading.append(line)
        say(line)

    data = read_training_data(interactions, users, items, choice, exclusions, liked_from, read)
    checkpoints = out.with_name(f"{out.name}.training")
    recommender, chosen = _fitted(model, validation, seed, data, engine, ranked, checkpoints)
    if exclusions is not None and "user_id" in exclusions.column_names:
        say(f"{exclude}: {exclude_pairs(recommender, exclusions):,} pairs that are known are never recommended")
    recommender.save(out)
    if checkpoints.is_dir() and not any(checkpoints.iterdir()):
        checkpoints.rmdir()
    report = write_model_report(
        out,
        recommender,
        data,
        ReportSource(reading, read_item_names(items, choice, data.interactions.items.values), chosen),
    )
    _print_ablation(recommender, data)
    say(f"{report}: what was compared, and what it recommends")
    n_pairs = data.interactions.n_pairs
    say(f"{out}: {type(recommender).__name__} from {n_pairs:,} interactions")


def recommend(
    *,
    model: Annotated[Path, typer.Option(help="Folder that `tessera fit` wrote.")],
    users: Annotated[Path, typer.Option(help="Table of the users; the model need not know them.")],
    user: UserColumn = None,
    item: ItemColumn = None,
    k: Annotated[int, typer.Option(min=1, help="Items per user.")] = 10,
    candidates: Annotated[Path | None, typer.Option(help="Table of items; only these are ranked.")] = None,
    exclude: ExcludedFile = None,
    engine: EngineOption = None,
    out: Annotated[Path, typer.Option(help="File to write, Parquet or CSV: user_id, item_id, rank, score.")],
    home: HomeOption = None,
) -> None:
    """Rank items for users; never one that the user has in training.

    Example: tessera recommend --model model --users people.csv --k 10 --out recommendations.csv
    """
    from ml.dataset.ids import Ids
    from ml.dataset.interaction_tables import read_id_list
    from ml.recommenders.exclusions import count_effective
    from ml.recommenders.models.zoo import load_recommender
    from ml.tables.column_roles import ColumnChoice
    from ml.tables.output_files import check_output_file, write_table
    from orchestration.spark.training import training_engine

    check_output_file(out)
    choice = ColumnChoice(user=user, item=item)
    recommender = load_recommender(model)
    people = read_id_list(users, "user", choice, say)
    ranked_items = read_id_list(candidates, "item", choice, say) if candidates else None
    n_items = len(recommender.item_ids_ if ranked_items is None else ranked_items)
    _check_k(k, len(people), n_items)
    n_strangers = int((recommender.user_ids_.rows(people) < 0).sum())
    if n_strangers:
        say(f"{n_strangers:,} of {len(people):,} users are new to the model and get its list for strangers")
    n_new = 0 if ranked_items is None else int((recommender.item_ids_.rows(ranked_items) < 0).sum())
    if n_new:
        say(f"{n_new:,} of {n_items:,} candidates are new to the model and come last")
    excluded = read_excluded(exclude, choice)
    if excluded is not None:
        rankable = recommender.item_ids_ if ranked_items is None else Ids(ranked_items)
        n_effective = count_effective(excluded, people, rankable)
        what = "pairs of these users and" if "user_id" in excluded.column_names else "among the"
        say(f"{exclude}: {n_effective:,} of {len(excluded):,} rows are {what} items that are ranked")
    with training_engine(chosen_settings(), engine and engine.value) as ranker:
        table = ranker.recommend(recommender, people, k, ranked_items, excluded)
    _say_short_lists(_lengths(table, people), min(k, n_items))
    write_table(table, out)
    say(f"{out}: {len(table):,} recommendations for {len(people):,} users")


def _check_k(k: int, n_users: int, n_items: int) -> None:
    """Say that lists are shorter than `k`, or refuse to write more rows than a machine holds.

    Raises:
        InvalidInputError: There would be more than MOST_ROWS rows.
    """
    n_rows = n_users * min(k, n_items)
    if n_rows > MOST_ROWS:
        raise InvalidInputError(
            f"--k {k} for {n_users:,} users would be {n_rows:,} rows; {MOST_ROWS:,} are the most that are written "
            "at once. Choose a smaller --k, or divide the users"
        )
    if k > n_items:
        say(f"--k {k}: there are only {n_items:,} items, so the lists are shorter")


def _lengths(table: pa.Table, users: pa.Array) -> I64:
    """Number of recommendations of each user, int64 (n_users,)."""
    import numpy as np

    from ml.dataset.ids import Ids

    return np.bincount(Ids(users).rows(table["user_id"]), minlength=len(users))


def _say_short_lists(lengths: I64, k: int) -> None:
    """Say for how many users (n,) less than `k` items were left to recommend."""
    for n_users, what in (
        (int((lengths == 0).sum()), "get no recommendation: they have had every item that may be recommended"),
        (int(((lengths > 0) & (lengths < k)).sum()), f"get fewer than {k} items: no more are left for them"),
    ):
        if n_users:
            say(f"{n_users:,} of {len(lengths):,} users {what}")


def evaluate(
    *,
    train: InteractionsFile,
    test: Annotated[Path, typer.Option(help="Table of what the users then did, with the same columns.")],
    items: ItemsFile = None,
    users: UsersFile = None,
    user: UserColumn = None,
    item: ItemColumn = None,
    time: TimeColumn = None,
    rating: RatingColumn = None,
    weight: WeightColumn = None,
    liked_from: LikedFrom = None,
    model: ModelName = "auto",
    validation: ValidationOption = Validation.TIME,
    ranked: Annotated[
        RankedItems | None,
        typer.Option(
            "--ranked",
            help="Items that are ranked, and judged by: all, known ones that somebody has had in the training, or "
            "new ones.",
            show_default="all",
        ),
    ] = None,
    k: Annotated[int, typer.Option(min=1, help="Length of the lists that are measured.")] = 10,
    sampled: Annotated[
        int,
        typer.Option(
            min=0,
            help="Also rank each relevant item among this many randomly drawn ones; these figures are marked"
            " `sampled`.",
        ),
    ] = 0,
    seed: Seed = 0,
    home: HomeOption = None,
) -> None:
    """Fit on one table, measure on another; prints one JSON object.

    Example: tessera evaluate --train train.parquet --test test.parquet --model ease --k 10
    """
    from ml.dataset.interaction_tables import read_interactions
    from ml.recommenders.evaluation import evaluate_on
    from ml.tables.column_roles import ColumnChoice

    check_model_name(model)
    check_liked_from(liked_from)
    if sampled and ranked not in (None, RankedItems.ALL_ITEMS):
        raise InvalidInputError("--sampled draws among all items. Leave out either --sampled or --ranked")
    choice = ColumnChoice(user, item, time, rating, weight)
    for_train, for_test = columns_of_file(choice, train, test), columns_of_file(choice, test, train)
    data = read_training_data(train, users, items, for_train, liked_from=liked_from)
    future = read_interactions(test, interaction_columns(for_test, test, users, items), say)
    past = data.interactions
    reading = rating_reading(past, liked_from)
    weighed = future if reading is None or future.ratings is None else reading.weigh(future, past)
    liked = weighed.only_liked()
    if not liked.n_pairs:
        raise InvalidInputError(f"{test}: there is nothing to evaluate on: every interaction in it is a rejection")
    if reading is not None and future.ratings is None:
        say(f"warning: {test.name} has no ratings: every interaction in it counts as liked")
    if past.ratings is None and future.ratings is not None and liked_from is None:
        say(f"warning: {train.name} has no ratings, so that every interaction of {test.name} counts as liked")
    recommender, chosen = _fitted(model, validation, seed, data, ranked=ranked)

    def warn(line: str) -> None:
        say(f"warning: {line}")

    figures = evaluate_on(
        future,
        liked,
        recommender,
        past,
        reading,
        ranked=ranked.value if ranked else "all",
        k=k,
        sampled=sampled,
        seed=seed,
        warn=warn,
    )
    chosen_by = {"chosen_by": chosen.metric, "chosen_among": chosen.ranked} if chosen and chosen.metric else {}
    if chosen and chosen.ranked == "new" and figures["ranked"] != "new":
        warn(
            f"the model was chosen by the AUC of new items, and {figures['ranked']} items are ranked here. Judge "
            f"new ones by --ranked new, or choose by these with --ranked {figures['ranked']}"
        )
    typer.echo(json.dumps({"model": type(recommender).__name__, **chosen_by, **figures}))


def _fitted(
    name: str,
    validation: Validation,
    seed: int,
    data: TrainingData,
    engine: EngineName | None = None,
    ranked: RankedItems | None = None,
    checkpoints: Path | None = None,
) -> tuple[Recommender, Choice | None]:
    """The named model, or the one that validation chooses, fitted, and how it was; progress goes to stderr.

    A network leaves its state in the folder of checkpoints after each pass, and goes on from there after a stop.
    """
    from ml.recommenders.models.sequences.networks import SequenceNetwork
    from ml.recommenders.models.zoo import make_recommender, seeded
    from ml.recommenders.selection.auto import choose
    from orchestration.spark.training import training_engine

    if name == "auto":
        split = possible_split(validation, data)
        choice = choose(data, split, seed=seed, ranked=ranked and ranked.value, log=say)
        say_if_features_are_not_used(choice.recommender, "the chosen model", data)
        return choice.recommender, choice
    recommender = make_recommender(name, **seeded(name, seed))
    say_if_weights_are_not_used(recommender, name, data)
    say_if_features_are_not_used(recommender, name, data)
    if isinstance(recommender, SequenceNetwork):
        recommender.checkpoints, recommender.progress = checkpoints, say
    with training_engine(chosen_settings(), engine and engine.value) as trainer:
        return trainer.fit(recommender, data), None


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
        console.print(f"ablation: {row['without']} brings an NDCG of {row['reading']}", soft_wrap=True)

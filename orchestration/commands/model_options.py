"""What the commands about models share: their options, and the tables that these name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from ml.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

    from ml.dataset.interactions import Interactions
    from ml.dataset.ratings import RatingReading
    from ml.recommenders.base import Recommender
    from ml.recommenders.training_data import TrainingData
    from ml.tables.column_roles import ColumnChoice

NO_LIMIT = -math.inf  # every rating is liked

# Names of files, columns and items stand in the messages, so that nothing in them is markup.
console = Console(stderr=True, highlight=False, markup=False, emoji=False)

InteractionsFile = Annotated[
    Path,
    typer.Option(
        help="Table of who did what: user and item; optional time, rating, weight. Usual names are recognized."
    ),
]
ItemsFile = Annotated[
    Path | None,
    typer.Option(
        help="Table of items: their id and `features`, lists such as genre:Drama|year:1994, or other columns."
    ),
]
UsersFile = Annotated[Path | None, typer.Option(help="Table of users: their id and features, as of items.")]
UserColumn = Annotated[
    str | None,
    typer.Option(
        "--user", help="Column of the user, where its name does not tell; its number in a file without a header."
    ),
]
ItemColumn = Annotated[str | None, typer.Option("--item", help="Column of the item.")]
TimeColumn = Annotated[str | None, typer.Option("--time", help="Column of the time, or `none`.")]
RatingColumn = Annotated[str | None, typer.Option("--rating", help="Column of the rating, or `none`.")]
WeightColumn = Annotated[
    str | None, typer.Option("--weight", help="Column of the weight, such as a number of plays, or `none`.")
]
LikedFrom = Annotated[
    str | None,
    typer.Option(
        "--liked-from",
        help="Rating from which an item is liked; lower ones are rejections. Default: by the scale "
        "of the ratings and the mean of the user. `none`: every row counts as liked, whatever its rating.",
    ),
]
ExcludedFile = Annotated[
    Path | None,
    typer.Option(
        "--exclude",
        help="Table of what is never recommended: items, or users and items that do not go together.",
    ),
]


class Validation(StrEnum):
    """How interactions are held back to choose by."""

    TIME = "time"
    RANDOM = "random"
    LEAVE_LAST_OUT = "leave-last-out"


class RankedItems(StrEnum):
    """Items that models are chosen to rank."""

    ALL_ITEMS = "all"
    KNOWN_ITEMS = "known"
    NEW_ITEMS = "new"


class EngineName(StrEnum):
    """Where models are fitted and lists ranked."""

    LOCAL = "local"
    SPARK = "spark"


EngineOption = Annotated[
    EngineName | None,
    typer.Option(
        show_default="recommenders.engine",
        help="Where the work is done: in this process, or on the cluster of the settings `spark`.",
    ),
]
ValidationOption = Annotated[
    Validation,
    typer.Option(
        help="Which interactions are held back to choose the model by: the newest, a random share, or"
        " each user's last."
    ),
]
RankedOption = Annotated[
    RankedItems | None,
    typer.Option(
        "--ranked",
        help="Items that will be recommended, by which models are compared: all, known ones that somebody has had "
        "before, or new ones.",
        show_default="new ones where most of what is held back is on them and items have features, else all",
    ),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same model.")]
ModelFolder = Annotated[
    Path, typer.Option(help="Folder for the model, fitted on all interactions; a model in it is replaced.")
]


def say(line: str) -> None:
    """Print a line that is not cut."""
    console.print(line, soft_wrap=True)


def read_training_data(
    interactions: Path,
    users: Path | None,
    items: Path | None,
    choice: ColumnChoice,
    exclusions: pa.Table | None = None,
    liked_from: str | None = None,
    log: Callable[[str], None] = say,
) -> TrainingData:
    """The three tables on common ids, without items that nobody is to be recommended.

    Interactions are weighed by their ratings, where there are any, as `liked_from` says.

    Raises:
        TableError: a file cannot be read as the table that it should hold.
        InvalidInputError: `liked_from` is no rating.
    """
    import pyarrow.compute as pc

    from ml.dataset.feature_tables import read_features
    from ml.dataset.ids import Ids
    from ml.dataset.interaction_tables import read_interactions
    from ml.recommenders.exclusions import drop_features, drop_items
    from ml.recommenders.training_data import TrainingData

    pairs = read_interactions(interactions, interaction_columns(choice, interactions, users, items), log)
    user_features = read_features(users, "user", choice, log, pairs.users.values)
    item_features = read_features(items, "item", choice, log, pairs.items.values)
    for file, features, ids in ((users, user_features, pairs.users), (items, item_features, pairs.items)):
        if features is None:
            continue
        n_described = int((features.ids.rows(ids.values) >= 0).sum())
        if not n_described:
            raise InvalidInputError(
                f"{file}: none of its ids is in {interactions}: they are such as {features.ids.values[0]} and "
                f"{ids.values[0]}. Choose the column of the ids with --user or --item"
            )
        if n_described < len(ids):
            log(f"{file}: describes {n_described:,} of {len(ids):,} ids of {interactions.name}")
    if exclusions is not None and exclusions.column_names == ["item_id"]:
        dropped = Ids(pc.unique(exclusions["item_id"].combine_chunks()))
        n_pairs = pairs.n_pairs
        pairs, item_features = drop_items(pairs, dropped), drop_features(item_features, dropped)
        log(f"excluded: {len(dropped):,} items, and {n_pairs - pairs.n_pairs:,} interactions with them")
    reading = rating_reading(pairs, liked_from)
    if reading is not None:
        log(reading.describe())
        pairs = reading.weigh(pairs)
    return TrainingData.align(pairs, user_features, item_features)


def say_if_weights_are_not_used(recommender: Recommender, name: str, data: TrainingData) -> None:
    """Say so where the weights of interactions differ and a model does not look at their size."""
    liked = data.interactions.weights[data.interactions.weights > 0]
    if len(liked) and liked.min() < liked.max() and recommender.ignores_weights:
        say(f"{name} does not use the sizes of weights: every liked interaction counts alike")


def say_if_features_are_not_used(recommender: Recommender, name: str, data: TrainingData) -> None:
    """Say so where there are features that a model does not look at."""
    unused = [
        role
        for role, features, is_used in (
            ("users", data.user_features, recommender.uses_user_features),
            ("items", data.item_features, recommender.uses_item_features),
        )
        if features is not None and not is_used
    ]
    if unused:
        say(f"{name} does not use the features of {' and '.join(unused)}")


def rating_reading(pairs: Interactions, liked_from: str | None) -> RatingReading | None:
    """How the ratings say what was liked; None where there are none, or where they are not to say it.

    Raises:
        InvalidInputError: `liked_from` is neither a number nor `none`, or there are no ratings for it.
    """
    from ml.dataset.ratings import RatingReading

    limit = check_liked_from(liked_from)
    if limit == NO_LIMIT or (pairs.ratings is None and limit is None):
        return None
    return RatingReading.learn(pairs, limit)


def check_liked_from(text: str | None) -> float | None:
    """The rating that an option names, NO_LIMIT for `none`, and None where it is not given.

    Raises:
        InvalidInputError: It is neither a number nor `none`.
    """
    if text is None:
        return None
    if text == "none":
        return NO_LIMIT
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise InvalidInputError(f"--liked-from {text}: expected a rating such as 3, or none")
    return limit


def interaction_columns(
    choice: ColumnChoice, interactions: Path, users: Path | None, items: Path | None
) -> ColumnChoice:
    """Columns of the interactions: what the options say of them, and the ids that the other tables have too.

    An option may name a column that only the table of features has. Without one, of several columns that may be
    meant the one counts that both tables have.
    """
    from ml.tables.column_roles import has_column, open_with_roles, shared_column

    tables: dict[Literal["user", "item"], Path | None] = {"user": users, "item": items}
    for role, features in tables.items():
        if features is None:
            continue
        pairs, described = open_with_roles(interactions, choice), open_with_roles(features)
        chosen = getattr(choice, role)
        if chosen is None:
            choice = replace(choice, **{str(role): shared_column(pairs, described, role)})
        elif not has_column(pairs, chosen) and has_column(described, chosen):
            choice = replace(choice, **{str(role): None})
    return choice


def columns_of_file(choice: ColumnChoice, file: Path, other: Path) -> ColumnChoice:
    """What the options say of one of two tables whose columns may be called differently.

    An option that names a column which only the other table has leaves this one to its names.
    """
    from ml.tables.column_roles import has_column, open_with_roles
    from ml.tables.usual_names import ID_ROLES, VALUE_ROLES

    table, beside = open_with_roles(file, choice), open_with_roles(other, choice)
    for role in (*ID_ROLES, *VALUE_ROLES):
        chosen = getattr(choice, role)
        if chosen and not has_column(table, chosen) and has_column(beside, chosen):
            choice = replace(choice, **{str(role): None})
    return choice


def read_excluded(file: Path | None, choice: ColumnChoice) -> pa.Table | None:
    """What is never recommended, as `read_exclusions` has it; None for no file.

    Raises:
        TableError: The file cannot be read.
    """
    from ml.dataset.interaction_tables import read_exclusions

    return read_exclusions(file, choice, say) if file else None


def check_model_name(name: str) -> None:
    """Check, before anything is read, that a model is `auto` or has a place in the zoo.

    Raises:
        UnknownModelError: It is not.
    """
    from ml.recommenders.model_names import model_module

    if name != "auto":
        model_module(name)


def check_model_folder(folder: Path) -> None:
    """Check, before anything is fitted, that a model can be saved there.

    Raises:
        InvalidInputError: It is a file, or a folder that holds something other than a model.
        TableError: Nothing may be written there.
    """
    from ml.recommenders.persistence import DOCUMENT
    from ml.tables.output_files import check_writable

    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"{folder}: is a file. Name a folder for the model that does not exist yet")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DOCUMENT).is_file():
        raise InvalidInputError(f"{folder}: is a folder with other files. Name one that does not exist yet")
    check_writable(folder)


def possible_split(validation: Validation, data: TrainingData) -> str:
    """Name of the split; without times a random share stands in for the newest, and a line says so."""
    if validation is Validation.TIME and data.interactions.timestamps is None:
        console.print("no column timestamp: validating on a random share of each user's interactions")
        return Validation.RANDOM.value
    return validation.value

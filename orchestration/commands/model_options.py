"""What the commands about models share: their options, and the tables that these name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from ml.recommenders.base import TrainingData

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


class Validation(StrEnum):
    """How interactions are held back to choose by."""

    TIME = "time"
    RANDOM = "random"
    LEAVE_LAST_OUT = "leave-last-out"


ValidationOption = Annotated[
    Validation,
    typer.Option(
        help="How interactions are held back to choose by: the newest, a random share, each user's last."
    ),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same model.")]
ModelFolder = Annotated[Path, typer.Option(help="Folder for the model, fitted on all interactions.")]


def read_training_data(interactions: Path, users: Path | None, items: Path | None) -> TrainingData:
    """The three tables on common ids.

    Raises:
        TableError: a file cannot be read as the table that it should hold.
    """
    from ml.recommenders.base import TrainingData
    from ml.recommenders.selection.tables import read_features, read_interactions

    return TrainingData.align(
        read_interactions(interactions), read_features(users, "user_id"), read_features(items, "item_id")
    )


def possible_split(validation: Validation, data: TrainingData) -> str:
    """Name of the split; without times a random share stands in for the newest, and a line says so."""
    if validation is Validation.TIME and data.interactions.timestamps is None:
        console.print("no column timestamp: validating on a random share of each user's interactions")
        return Validation.RANDOM.value
    return validation.value

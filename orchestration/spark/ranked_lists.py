"""Ranked lists of many users on Spark, made by the recommender itself: every model of the zoo ranks in parallel.

The model travels to each executor once, as files that all Python processes of the executor map into their memory.
What an executor holds depends on the model and on the length of a batch, not on the number of users.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ml.dataset.ids import Ids
from ml.errors import InvalidInputError
from ml.recommenders.base import Recommender
from ml.recommenders.exclusions import recommend_without
from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.persistence import unpack_arrays

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = pa.schema(
    [("user_id", pa.string()), ("item_id", pa.string()), ("rank", pa.int32()), ("score", pa.float32())]
)
COLUMNS = "user_id string, item_id string, rank int, score float"
TASK_USERS = 10_000  # users of a task: of 100,000 items and 64 factors a few seconds, which a lost executor costs
MODEL, USERS, CANDIDATES, EXCLUSIONS = "model", "users.arrow", "candidates.arrow", "exclusions.arrow"


@dataclass(frozen=True)
class _Shipment:
    """What a Python process of an executor ranks with.

    Attributes:
        recommender: The model; its arrays are mapped files.
        users: The users of all tasks, string (n_users,), mapped as well.
        candidates: The only items to rank, or None.
        exclusions: As `recommend_without` takes them.
    """

    recommender: Recommender
    users: pa.Array
    candidates: pa.Array | None
    exclusions: pa.Table | None


def rank_on_spark(
    session: SparkSession,
    recommender: Recommender,
    users: pa.Array | pa.ChunkedArray,
    k: int,
    candidates: pa.Array | None = None,
    exclusions: pa.Table | None = None,
    task_users: int = TASK_USERS,
) -> DataFrame:
    """Top k items of each user: the rows of `recommend_without`, in its order.

    Args:
        session: Where the work is done.
        recommender: A fitted recommender.
        users: Ids, each once.
        k: Number of items for each user.
        candidates: The only items to rank; all that the model knows if absent.
        exclusions: `item_id` of items that nobody gets, or `user_id` and `item_id` of pairs; None for nothing.
        task_users: Most users of a task.

    Returns:
        A frame that ranks when it is read: user_id, item_id, rank (1 is best), score.

    Raises:
        InvalidInputError: A user is named twice.
    """
    ids, _ = Ids.encode(pa.chunked_array([pc.cast(users, pa.string())]))
    if len(ids) < len(users):
        raise InvalidInputError(f"{len(users) - len(ids)} users are named twice")
    name = _ship(session, recommender, ids.values, candidates, exclusions)
    tasks = max(-(-len(ids) // task_users), min(len(ids), session.sparkContext.defaultParallelism), 1)
    return session.range(0, len(ids), 1, tasks).mapInArrow(partial(_rank_batches, name, k), COLUMNS)


def _ship(
    session: SparkSession,
    recommender: Recommender,
    users: pa.Array,
    candidates: pa.Array | None,
    exclusions: pa.Table | None,
) -> str:
    """Give the files to Spark, which sends them to each executor once; returns their name there.

    They lie in the session's folder of files until it stops, since executors are lost and replaced at any time.
    """
    from pyspark import SparkFiles  # noqa: PLC0415  (Spark is an extra)

    folder = Path(tempfile.mkdtemp(prefix="ranking-", dir=SparkFiles.getRootDirectory()))
    recommender.save(folder / MODEL)
    unpack_arrays(folder / MODEL)
    _write(folder / USERS, pa.table({"user_id": users}))
    if candidates is not None:
        _write(folder / CANDIDATES, pa.table({"item_id": pc.cast(candidates, pa.string())}))
    if exclusions is not None:
        _write(folder / EXCLUSIONS, exclusions)
    archive = folder.with_suffix(".tar")
    with tarfile.open(archive, "w") as packed:
        for file in sorted(folder.rglob("*")):
            packed.add(file, file.relative_to(folder), recursive=False)
    name = f"{folder.name}-files"
    session.sparkContext.addArchive(f"{archive}#{name}")
    return name


def _rank_batches(name: str, k: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rank for the users whose places stand in the first column; runs in the executors."""
    from pyspark import SparkFiles, TaskContext  # noqa: PLC0415  (Spark is an extra)

    shipment = _unpacked(SparkFiles.get(name))
    task = TaskContext.get()
    threads = max(1, task.cpus()) if task else 1
    for batch in batches:
        users = shipment.users.take(batch.column(0))
        ranked = recommend_without(
            shipment.recommender, users, k, shipment.candidates, shipment.exclusions, threads
        )
        yield from ranked.to_table().cast(SCHEMA).to_batches()


@lru_cache(maxsize=1)
def _unpacked(folder: str) -> _Shipment:
    """What lies in the folder; a Python process serves many tasks and reads it once."""
    place = Path(folder)
    users = _read(place / USERS)
    candidates, exclusions = _read(place / CANDIDATES), _read(place / EXCLUSIONS)
    assert users is not None
    return _Shipment(
        load_recommender(place / MODEL),
        _one_array(users.column("user_id")),
        None if candidates is None else _one_array(candidates.column("item_id")),
        exclusions,
    )


def _write(file: Path, table: pa.Table) -> None:
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _read(file: Path) -> pa.Table | None:
    """The table of a file, mapped; None where there is none."""
    return pa.ipc.open_file(pa.memory_map(str(file))).read_all() if file.exists() else None


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # which would copy the one

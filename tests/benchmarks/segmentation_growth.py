"""The whole selection of segments, a million users by forty features, and how it grows from a hundred thousand."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from figure import Figure, in_own_process

from ml.segmentation import fit_segmentation, load_segmentation
from ml.segmentation.output import NO_EVIDENCE, NO_ROLES
from ml.settings import load_settings

USERS = 1_000_000
FEATURES = 40
KINDS = 6
ANSWERS = 2_000


def measure(size: float) -> Iterator[Figure]:
    """Seconds and peak memory at full size, growth from a tenth of it, and one user in the service.

    Density methods see the sample that `ml.segmentation.choice` states; everything else sees every user.
    """
    large, small = int(USERS * size), int(USERS * size / 10)
    with tempfile.TemporaryDirectory() as folder:
        taken = {}
        for users in (small, large):
            file = Path(folder) / f"{users}.parquet"
            pq.write_table(planted(users), file)
            taken[users] = in_own_process(segment, file, Path(folder) / "model")
        seconds, before = taken[large].seconds, taken[small].seconds
        yield Figure("segmentation_growth_seconds", seconds, "s", rows=large, seconds=seconds)
        yield Figure(
            "segmentation_growth_peak", taken[large].peak_mib, "MiB", rows=large, peak_mib=taken[large].peak_mib
        )
        yield Figure(
            "segmentation_growth",
            seconds,
            "s",
            rival="ten times the seconds of a tenth of the users",
            rival_value=10 * before,
            ratio=seconds / (10 * before),
            rows=large,
        )
        found, row = load_segmentation(Path(folder) / "model"), planted(1).to_pylist()[0]
        begin = time.perf_counter()
        for _ in range(ANSWERS):
            found.assign_user(row)
        yield Figure("segmentation_one_user", 1000 * (time.perf_counter() - begin) / ANSWERS, "ms", rows=ANSWERS)


def segment(file: Path, model: Path) -> int:
    """Read, choose, fit, assign everybody and save; returns the number of segments."""
    settings = load_settings().segmentation.model_copy(update={"roles": NO_ROLES, "evidence": NO_EVIDENCE})
    table = pq.read_table(file)
    found = fit_segmentation(table, settings)
    found.assign(table)
    found.save(model)
    return len(found.ids)


def planted(users: int) -> pa.Table:
    """Six kinds of users in 24 of 40 features: skewed, with gaps and outliers; the other features are noise."""
    generator = np.random.default_rng(0)
    centres = np.random.default_rng(1).normal(scale=1.2, size=(KINDS, 24))
    columns: dict[str, pa.Array] = {"user_id": pa.array(np.arange(users)).cast(pa.string())}
    kind = generator.integers(KINDS, size=users)
    for feature in range(FEATURES):
        values = generator.normal(size=users)
        if feature < 24:
            values += centres[kind, feature]
        if feature % 4 == 0:
            values = np.exp(0.8 * values)
        values[generator.random(users) < 0.001] *= 1000.0
        columns[f"feature_{feature:02}"] = pa.array(values, mask=generator.random(users) < 0.01)
    return pa.table(columns)

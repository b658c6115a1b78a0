"""Size and power of segmentation: tables of users without groups, and with planted ones, of every kind of column.

Every kind and number of rows gives three figures: the share of structureless tables in which segments are found,
and the share of planted tables, of three to six groups in turn, in which as many segments are found as were
planted: of all tables whose groups k-means finds when it is told their number, and of the hardest of them.
SIZE 1 is forty tables each. `SEGMENTATION_TABLES_ONLY` names kinds and `SEGMENTATION_TABLES_ROWS` sizes, by comma,
for a look at some of them; `SEGMENTATION_TABLES_FIRST` is the first seed, for tables on which nothing was chosen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from accuracy.user_tables import KINDS, planted, structureless
from figure import Figure

from ml.segmentation import fit_segmentation
from ml.segmentation.output import table_settings
from ml.settings import load_settings

ONLY = "SEGMENTATION_TABLES_ONLY"
ONLY_ROWS = "SEGMENTATION_TABLES_ROWS"
FIRST = "SEGMENTATION_TABLES_FIRST"
TABLES = 40
ROWS = (200, 2_000)
GROUPS = (3, 4, 5, 6)


def measure(size: float) -> Iterator[Figure]:
    kinds = os.environ.get(ONLY, ",".join(KINDS)).split(",")
    sizes = [int(rows) for rows in os.environ.get(ONLY_ROWS, ",".join(map(str, ROWS))).split(",")]
    first = int(os.environ.get(FIRST, "0"))
    seeds = range(first, first + max(1, round(TABLES * size)))
    for rows in sizes:
        settings = table_settings(load_settings().segmentation, rows)
        for kind in kinds:
            start = time.process_time()
            false = [
                fit_segmentation(structureless(kind, rows, seed).users, settings, seed=seed).has_structure
                for seed in seeds
            ]
            seconds = time.process_time() - start
            yield _share(f"segments_in_structureless_{kind}_{rows}", false, seconds)
            start = time.process_time()
            hits = list(_list_hits(kind, rows, seeds))
            seconds = time.process_time() - start
            for name, right in zip(("planted", "hardest_planted"), zip(*hits, strict=True), strict=False):
                yield _share(f"{name}_number_found_{kind}_{rows}", list(right), seconds)


def _list_hits(kind: str, rows: int, seeds: range) -> Iterator[tuple[bool, bool]]:
    """Yield whether as many segments are found as were planted, in a table of any distance and in the hardest."""
    settings = table_settings(load_settings().segmentation, rows)
    for seed in seeds:
        groups = GROUPS[seed % len(GROUPS)]
        tables = planted(kind, rows, groups, seed)
        if tables is None:  # k-means cannot find groups in this draw either
            continue
        is_right = []
        for table in tables:
            segmentation = fit_segmentation(table.users, settings, seed=seed)
            is_right.append(segmentation.has_structure and len(segmentation.ids) == groups)
        yield is_right[0], is_right[1]


def _share(name: str, happened: list[bool], seconds: float) -> Figure:
    return Figure(name, sum(happened) / len(happened), "share of tables", rows=len(happened), seconds=seconds)

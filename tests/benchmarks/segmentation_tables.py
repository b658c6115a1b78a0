"""Size and power of segmentation: tables of users without groups, and with planted ones, of every kind of column.

Every kind and number of rows gives three figures: the share of structureless tables in which segments are found,
and the share of planted tables, of three to six groups in turn, in which as many segments are found as were
planted: of all tables whose groups k-means finds when it is told their number, and of the hardest of them.
SIZE 1 is forty tables each; `SEGMENTATION_TABLES_ONLY` names kinds, by comma, for a look at some of them.
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
TABLES = 40
ROWS = (200, 2_000)
GROUPS = (3, 4, 5, 6)


def measure(size: float) -> Iterator[Figure]:
    kinds = os.environ.get(ONLY, ",".join(KINDS)).split(",")
    seeds = range(max(1, round(TABLES * size)))
    for rows in ROWS:
        settings = table_settings(load_settings().segmentation, rows)
        for kind in kinds:
            start = time.process_time()
            false = [
                fit_segmentation(structureless(kind, rows, seed).users, settings, seed=seed).has_structure
                for seed in seeds
            ]
            seconds = time.process_time() - start
            yield _share(f"segments_in_structureless_{kind}_{rows}", false, seconds)
            for name, is_hardest in (("planted", False), ("hardest_planted", True)):
                start = time.process_time()
                right = list(_list_hits(kind, rows, seeds, is_hardest=is_hardest))
                if right:
                    yield _share(f"{name}_number_found_{kind}_{rows}", right, time.process_time() - start)


def _list_hits(kind: str, rows: int, seeds: range, *, is_hardest: bool) -> Iterator[bool]:
    """Yield of each planted table that k-means can divide whether as many segments are found as were planted."""
    settings = table_settings(load_settings().segmentation, rows)
    for seed in seeds:
        groups = GROUPS[seed % len(GROUPS)]
        try:
            table = planted(kind, rows, groups, seed, is_hardest=is_hardest)
        except ValueError:  # k-means cannot find groups in this draw either
            continue
        segmentation = fit_segmentation(table.users, settings, seed=seed)
        yield segmentation.has_structure and len(segmentation.ids) == groups


def _share(name: str, happened: list[bool], seconds: float) -> Figure:
    return Figure(name, sum(happened) / len(happened), "share of tables", rows=len(happened), seconds=seconds)

"""Write everything that `tessera segment` produces from a table of users."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml.segmentation.clusters.identity import compute_migration
from ml.segmentation.profiles.report import ReportSupplement, write_report
from ml.segmentation.segmentation import Segmentation
from ml.segmentation.training import fit_segmentation
from ml.segmentation.user_removal import REPORT_FILE
from ml.settings.segmentation import EvidenceSettings, RoleSettings, SegmentationSettings

NO_EVIDENCE = EvidenceSettings(column="", minimum=0)
NO_ROLES = RoleSettings(features=[], otherwise=[], outcomes=[])
SEGMENT_SHARE = 0.05  # of the rows of a small table, enough for a segment
LEAST_SEGMENT = 10  # users; the smallest groups about which statistics are commonly published


def table_settings(
    settings: SegmentationSettings, rows: int, categorical: Sequence[str] = (), segments: int | None = None
) -> SegmentationSettings:
    """Return the settings for a table that is segmented by every numeric column.

    In a small table, a segment may be smaller than on a site, whose segments are published: 5% of the rows, at
    least ten. A minimum that the settings state holds for tables, too.

    Args:
        settings: the section `segmentation` of the settings; its roles and its evidence do not apply.
        rows: rows of the table.
        categorical: columns whose values are names of categories.
        segments: number of segments to form whatever the evidence says; None lets the data decide.
    """
    minimum = settings.minimum_segment_size
    if "minimum_segment_size" not in settings.model_fields_set:
        minimum = min(minimum, max(LEAST_SEGMENT, int(SEGMENT_SHARE * rows)))
    return settings.model_copy(
        update={
            "minimum_segment_size": minimum,
            "roles": NO_ROLES.model_copy(update={"categorical": list(categorical)}),
            "evidence": NO_EVIDENCE,
            "choice": settings.choice.model_copy(update={"segments": segments or settings.choice.segments}),
        }
    )


def segment_table(
    table: pa.Table,
    settings: SegmentationSettings,
    out: Path,
    previous: Segmentation | None = None,
    seed: int = 0,
    *,
    categorical: Sequence[str] = (),
    segments: int | None = None,
    reading: Sequence[str] = (),
) -> Segmentation:
    """Segment a table by every numeric column and write the results.

    Writes `user_segments.parquet`, `segments.json`, `report.html` and `model/` into `out`. Nothing is written if
    the table cannot be segmented.

    Args:
        table: `user_id` and the columns to segment by.
        settings: the section `segmentation` of the settings; its roles and its evidence do not apply.
        out: folder to write to.
        previous: the segmentation of the previous run.
        seed: seed of the samples and random starts.
        categorical: columns whose values are names of categories; they are features as well.
        segments: number of segments to form whatever the evidence says; None lets the data decide.
        reading: sentences about how the table was read, which the report repeats.

    Raises:
        InvalidInputError: the table cannot be segmented, or a column of `categorical` is missing.
    """
    settings = table_settings(settings, len(table), categorical, segments)
    segmentation = fit_segmentation(table, settings, previous, seed)
    assignments = segmentation.assign(table)
    out.mkdir(parents=True, exist_ok=True)
    segmentation.save(out / "model")
    pq.write_table(assignments, out / "user_segments.parquet")
    (out / "segments.json").write_text(json.dumps(segmentation.document(), indent=1, allow_nan=False))
    moves = (
        compute_migration(previous.assign(table), assignments) if previous and previous.can_assign(table) else None
    )
    write_report(out / REPORT_FILE, segmentation, table, settings, ReportSupplement(moves, reading=reading))
    return segmentation

"""Write everything that `tessera segment` produces from a table of users."""

from __future__ import annotations

import json
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


def segment_table(
    table: pa.Table,
    settings: SegmentationSettings,
    out: Path,
    previous: Segmentation | None = None,
    seed: int = 0,
) -> Segmentation:
    """Segment a table by every numeric column and write the results.

    Writes `user_segments.parquet`, `segments.json`, `report.html` and `model/` into `out`. Nothing is written if
    the table cannot be segmented.

    Raises:
        InvalidInputError: the table cannot be segmented.
    """
    settings = settings.model_copy(update={"roles": NO_ROLES, "evidence": NO_EVIDENCE})
    segmentation = fit_segmentation(table, settings, previous, seed)
    assignments = segmentation.assign(table)
    out.mkdir(parents=True, exist_ok=True)
    segmentation.save(out / "model")
    pq.write_table(assignments, out / "user_segments.parquet")
    (out / "segments.json").write_text(json.dumps(segmentation.document(), indent=1, allow_nan=False))
    moves = (
        compute_migration(previous.assign(table), assignments) if previous and previous.can_assign(table) else None
    )
    write_report(out / REPORT_FILE, segmentation, table, settings, ReportSupplement(moves))
    return segmentation

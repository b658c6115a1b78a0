"""Everything `tessera segment` writes, for any table of users."""

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
    """Fit on every numeric column and write `user_segments.parquet`, `segments.json`, `report.html` and `model/`.

    Raises ValueError for a table that cannot be segmented; nothing is written then.
    """
    settings = settings.model_copy(update={"roles": NO_ROLES, "evidence": NO_EVIDENCE})
    found = fit_segmentation(table, settings, previous, seed)
    assigned = found.assign(table)
    out.mkdir(parents=True, exist_ok=True)
    found.save(out / "model")
    pq.write_table(assigned, out / "user_segments.parquet")
    (out / "segments.json").write_text(json.dumps(found.document(), indent=1, allow_nan=False))
    moves = (
        compute_migration(previous.assign(table), assigned) if previous and previous.can_assign(table) else None
    )
    write_report(out / REPORT_FILE, found, table, settings, ReportSupplement(moves))
    return found

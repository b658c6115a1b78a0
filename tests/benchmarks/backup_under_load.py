"""[backup_under_load] `tessera backup` while 1,000 events a second come in: what the restored homes lack.

Each backup is restored elsewhere. Every event that was acknowledged before its mark must be there once, as it was
stored, and the marts of the last one must be those of the same events in a fresh home.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

BACKUPS, SECONDS, EVENTS_PER_SECOND = 10, 10.0, 1_000


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the number of backups and the seconds of load between them."""
    from tests.dbt_project.backups_under_load import back_up_under_load, marts_that_differ
    from tests.dbt_project.built import parsed_project

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        under_load = back_up_under_load(
            folder,
            {"part_rows": 20_000, "part_age_seconds": 5},
            backups=max(2, round(BACKUPS * size)),
            events_per_second=EVENTS_PER_SECOND,
            seconds=SECONDS * size,
        )
        restored = under_load.restored
        acknowledged = sum(backup.acknowledged for backup in restored)
        yield Figure("backup_under_load.load", under_load.events_per_second, "events/s", rows=len(restored))
        for fault in ("lost", "doubled", "changed"):
            count = sum(getattr(backup, fault) for backup in restored)
            yield Figure(f"backup_under_load.{fault}", count, "events", rows=acknowledged)
        manifest = parsed_project(folder / "dbt")
        different = marts_that_differ(under_load, len(restored) - 1, folder / "marts", manifest)
        if different:
            print("differ:", ", ".join(different))
        yield Figure(
            "backup_under_load.marts_that_differ", len(different), "tables", rows=restored[-1].acknowledged
        )

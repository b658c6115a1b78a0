"""Backups that are made while a collector takes 1,000 events a second, restored elsewhere."""

from pathlib import Path

from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.backups_under_load import back_up_under_load, marts_that_differ


def test_a_backup_under_load_holds_what_was_acknowledged_before_its_mark_and_gives_the_same_marts(
    tmp_path: Path, manifest: Manifest
) -> None:
    sealing = {"part_rows": 1_500, "part_age_seconds": 1}  # parts are sealed while they are copied
    under_load = back_up_under_load(tmp_path, sealing, backups=2, events_per_second=1_000, seconds=1)
    assert len(under_load.restored) == 2
    for backup in under_load.restored:
        assert backup.acknowledged >= 1_000
        assert (backup.lost, backup.doubled, backup.changed) == (0, 0, 0)
    assert marts_that_differ(under_load, 1, tmp_path / "marts", manifest) == []

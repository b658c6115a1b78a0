"""Backups of a home whose collector takes events all the while, and what the restored homes hold."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from dbt.contracts.graph.manifest import Manifest

from ml.events.contract import EVENT_SCHEMA
from ml.events.live_log import recover_parts
from ml.events.log import EventLog
from ml.home import Home
from orchestration.upkeep.restoration import restore
from tests.dbt_project.built import warehouse_in
from tests.dbt_project.comparison import MARTS, differing_tables
from tests.serving.collector.processes import CollectorProcess
from tests.serving.collector.steady_load import SteadyLoad

TESSERA = Path(sys.executable).with_name("tessera")


@dataclass(frozen=True)
class RestoredBackup:
    """What a restored backup holds.

    Attributes:
        acknowledged: Number of events that were acknowledged before its mark.
        lost: Those of them that it lacks.
        doubled: Events that it holds more than once.
        changed: Events that differ from those of the home that was backed up, or that it does not have.
    """

    home: Home
    acknowledged: int
    lost: int
    doubled: int
    changed: int


@dataclass(frozen=True)
class BackupsUnderLoad:
    """The restored backups, and how many events a second the collector took while they were made."""

    original: Home
    restored: list[RestoredBackup]
    events_per_second: float


def back_up_under_load(
    folder: Path, settings: Mapping[str, object], *, backups: int, events_per_second: float, seconds: float
) -> BackupsUnderLoad:
    """Start a collector and a load, run `tessera backup` several times, and restore each backup.

    Args:
        folder: Where all homes are made.
        settings: The section `collector` of the site.
        backups: Number of backups, one after the other.
        events_per_second: The load.
        seconds: Time of the load before the first backup and after each.
    """
    site, home = folder / "site", Home(folder / "original")
    site.mkdir()
    (site / "settings.yaml").write_text(yaml.safe_dump({"collector": dict(settings)}), encoding="utf-8")
    began = time.monotonic()
    with CollectorProcess(home.path, TESSERA_SITE=str(site)) as collector:
        with SteadyLoad(collector.port, events_per_second) as load:
            for _ in range(backups):
                load.wait_for(load.events + int(events_per_second * seconds))
                command = [TESSERA, "backup", folder / "backups", "--home", home.path]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            load.wait_for(load.events + int(events_per_second * seconds))
        rate = load.events / (time.monotonic() - began)
    original = _read(home)
    folders = sorted(file.parent for file in (folder / "backups").glob("*/backup.json"))
    restored = [_restore(place, folder / f"restored-{place.name}", load, original) for place in folders]
    return BackupsUnderLoad(home, restored, rate)


def marts_that_differ(under_load: BackupsUnderLoad, number: int, folder: Path, manifest: Manifest) -> list[str]:
    """Build the marts of a restored backup, and those of the same events of the home that was backed up.

    Returns:
        The marts that differ.
    """
    restored = under_load.restored[number].home
    events = _read(under_load.original)
    ids = _read(restored)["event_id"]
    warehouse_in(restored.path, manifest).build()
    anew = warehouse_in(folder / "anew", manifest)
    with EventLog(anew.home).ingest("anew") as writer:
        writer.write(events.filter(pc.is_in(events["event_id"], value_set=ids.combine_chunks())))
    anew.build()
    return differing_tables(restored.warehouse, anew.home.warehouse, only=MARTS)


def _restore(backup: Path, place: Path, load: SteadyLoad, original: pa.Table) -> RestoredBackup:
    home = Home(place)
    acknowledged = load.acknowledged_before(restore(backup, home).mark)
    events = _read(home)
    ids = events["event_id"].to_pylist()
    rows = {row["event_id"]: row for row in original.to_pylist()}
    return RestoredBackup(
        home,
        acknowledged=len(acknowledged),
        lost=len(acknowledged - set(ids)),
        doubled=len(ids) - len(set(ids)),
        changed=sum(rows.get(row["event_id"]) != row for row in events.to_pylist()),
    )


def _read(home: Home) -> pa.Table:
    log = EventLog(home)
    recover_parts(log)
    return pa.Table.from_batches(log.read(), schema=EVENT_SCHEMA)

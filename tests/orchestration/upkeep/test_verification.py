"""Twenty times damage in each kind of file of a home: each time `tessera verify` names the file and a remedy."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ml.bundle import Publication, make_current, write_bundle
from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.events.live_dead_letters import RejectionLog
from ml.events.live_log import OpenPartWriter
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.registry.registry import Registry
from ml.segmentation.audiences.audiences import CONTACT_SCHEMA, Audience, ContactLog
from ml.sources.catalogue import ITEM_SCHEMA, Catalogue
from orchestration.cli import app
from orchestration.upkeep.verification import set_damaged_parts_aside, verify_home
from orchestration.warehouse.warehouse import open_duckdb
from serving.state.sqlite_store import SqliteStore

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
TIMES = 20
RUN = 400  # bytes: SQLite has no checksums, so a single byte inside a text cannot be recognized


def events(first: int, rows: int) -> pa.Table:
    records = [
        {
            "event_id": f"e{row}",
            "event_type": "page_view",
            "occurred_at": NOW,
            "received_at": NOW,
            "anonymous_id": f"a{row}",
            "page_title": f"Title {row * 7919 % 1000}",
        }
        for row in range(first, first + rows)
    ]
    return events_from_records(records)[0].drop_columns("row")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with every kind of file, as the service, a run and a killed collector leave it."""
    home = Home(tmp_path_factory.mktemp("verified") / "home")
    log = EventLog(home)
    with log.ingest("files") as writer:
        writer.write(events(0, 500))
    writer_of_open = OpenPartWriter(log, "collector", max_age_seconds=1e9)
    writer_of_open.append(events(500, 100))
    rejections = RejectionLog(home)
    letter = {"row": 0, "field": "value", "reason": "is a str", "payload": '{"value": "x"}', "source": "json"}
    rejections.append([{**letter, "received_at": NOW}] * 50)
    rejections.seal()
    rejections.append([{**letter, "received_at": NOW}] * 50)
    item = {"item_id": "i", "title": "An item", "updated_at": NOW}
    Catalogue(home).append(pa.Table.from_pylist([item] * 50, schema=ITEM_SCHEMA))
    people = pa.table({"user_id": [f"u{row}" for row in range(50)]})
    ContactLog(home.contacts).append(Audience("mail", people, pa.chunked_array([[]], pa.string()), {}), NOW)
    assert CONTACT_SCHEMA.names[0] == "user_id"
    ErasedIds(home).add(["gone-1", "gone-2"])
    ErasureReceipts(home).open(PersonIds(("gone-1",)), NOW)
    publish(home)
    store = SqliteStore(home.state_db)
    for row in range(200):
        store.put_profile(f"u{row}", {"muted_topics": ["sport", "politics"], "note": "x" * 100})
    store.close()
    with open_duckdb(home.warehouse) as warehouse:
        warehouse.execute(
            "create table users as select i as id, md5(i::varchar) as name from range(50000) as t(i)"
        )
    registry = Registry(home.mlflow_uri)
    with registry.start_run("a run", experiment="trials") as run:
        run.log_params({"factors": 8})
    return home


def publish(home: Home) -> None:
    items = pa.table({"item_id": ["i"], "title": ["An item"], "category": ["c"], "tags": [["a"]], "price": [1.0],
                      "language": ["en"], "published_at": pa.array([NOW], pa.timestamp("us", "UTC"))})  # fmt: skip
    write_bundle(
        home.published,
        Publication(
            model_version="champion-1",
            as_of=NOW,
            items=items,
            users=pa.table({"user_id": ["u1"], "segment": ["s"], "persona": ["p"], "country": ["DE"]}),
            trending=pa.table({"scope": ["all"], "item_id": ["i"], "score": [1.0]}),
            interactions=pa.table({"user_id": ["u1"], "item_id": ["i"]}),
            user_factors=np.ones((1, 2), np.float32),
            item_factors=np.ones((1, 2), np.float32),
        ),
        "v1",
    )
    make_current(home.published, "v1")


@pytest.fixture
def home(pristine: Home, tmp_path: Path) -> Home:
    return Home(shutil.copytree(pristine.path, tmp_path / "home"))


KINDS = {
    "part": "events/received_date=*/*.parquet",
    "manifest": "events/manifest.jsonl",
    "open part": "events/open/*.open",
    "dead letters": "dead_letters/received_date=*/*.parquet",
    "open dead letters": "dead_letters/open/*.jsonl",
    "catalogue": "catalogue/items/*.parquet",
    "contacts": "contacts/*.parquet",
    "erased ids": "erasures/erased_ids",
    "receipt": "erasures/*.json",
    "pending receipt": "erasures/pending/*.json",
    "layout": "layout.json",
    "key": "site.key",
    "digest of the key": "site.key.check",
    "bundle manifest": "published/v1/manifest.json",
    "bundle items": "published/v1/items.parquet",
    "bundle factors": "published/v1/item_factors.npy",
    "current bundle": "published/CURRENT",
    "warehouse": "warehouse.duckdb",
    "state": "state.db",
    "models": "mlflow.db",
}
ONE_BYTE = set(KINDS) - {"state", "models", "warehouse"}


def offsets_of(file: Path, place: random.Random) -> Iterator[int]:
    """Offsets of bytes that hold something: a change of an unused byte of a database damages nothing."""
    content = file.read_bytes()
    while True:
        offset = place.randrange(len(content))
        if any(content[offset : offset + RUN]):
            yield offset


def test_a_sound_home_has_no_damage(home: Home) -> None:
    assert verify_home(home) == []
    result = CliRunner().invoke(app, ["verify", "--home", str(home.path)])
    assert result.exit_code == 0, result.output
    assert "Nothing is damaged." in result.output


@pytest.mark.parametrize("kind", KINDS)
def test_damage_at_any_place_is_named_with_its_remedy(kind: str, home: Home) -> None:
    (file,) = home.path.glob(KINDS[kind])
    content = file.read_bytes()
    place = random.Random(kind)
    offsets = offsets_of(file, place)
    silent = []
    for _ in range(TIMES):
        offset = next(offsets)
        length = 1 if kind in ONE_BYTE else RUN
        end = min(offset + length, len(content))
        damaged = bytes(byte ^ 0xFF for byte in content[offset:end])
        file.write_bytes(content[:offset] + damaged + content[end:])
        damages = verify_home(home)
        named = [error for error in damages if error.file in (file, file.parent)]
        if kind == "digest of the key":
            named = [error for error in damages if error.file.name == "site.key"]
        if not named or not all(error.remedy for error in named):
            silent.append(offset)
    assert silent == []


def test_the_command_prints_file_damage_and_remedy_and_fails(home: Home) -> None:
    (part,) = home.path.glob(KINDS["part"])
    part.write_bytes(part.read_bytes()[:-100])
    result = CliRunner().invoke(app, ["verify", "--home", str(home.path)])
    assert result.exit_code == 1
    assert f"{part}: the file has" in result.output
    assert "Remedy: put the file back from a backup" in result.output


def test_setting_aside_leaves_a_log_that_can_be_read(home: Home) -> None:
    (part,) = home.path.glob(KINDS["part"])
    part.write_bytes(part.read_bytes()[:-100])  # the footer is gone, so no row group is readable
    assert set_damaged_parts_aside(home) == {part: 0}
    assert list(EventLog(home).read()) == []
    assert [error.file.parent.name for error in verify_home(home)] == ["damaged"]


def test_a_table_of_the_models_that_cannot_be_read_is_named(home: Home) -> None:
    table = home.artifacts / "1" / "users.parquet"
    table.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"user_id": ["u"] * 100}), table)
    table.write_bytes(table.read_bytes()[:-20])
    assert [error.file for error in verify_home(home)] == [table]


@pytest.mark.parametrize("name", ["events/manifest.jsonl", "warehouse.duckdb", "mlflow.db", "site.key"])
def test_a_command_that_meets_a_damaged_file_says_so_in_one_line(name: str, home: Home) -> None:
    file = home.path / name
    file.write_bytes(bytes(byte ^ 0xFF for byte in file.read_bytes()))
    result = CliRunner().invoke(app, ["materialize", "--home", str(home.path)])
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert str(file) in result.stderr
    assert "Remedy: " in result.stderr

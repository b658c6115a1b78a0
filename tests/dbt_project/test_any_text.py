"""Whatever text lies in a column of the log, a run builds all marts, and the odd value counts as unknown."""

import datetime as dt
import math

import duckdb
import pyarrow as pa
import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.events.contract import EVENT_SCHEMA
from orchestration.warehouse.warehouse import open_duckdb
from tests.dbt_project.built import START, Built, event, warehouse_in

ZONES = (
    *("Europe%2FLondon", "undefined", "Pacific Standard Time", "+02:00", "local", "UTC+2", "GMT+0530"),
    *("Europe/Lundon", "Europe/London/", " ", "null", "[object Object]"),
)
TEXTS = (
    *(
        "",
        " ",
        "null",
        "undefined",
        "NaN",
        "[object Object]",
        "'",
        '"',
        "\\",
        "%",
        "a\x00b",
        "\x00",
        "\ufffe",
        "😀",
    ),
    *("{", "[]", "[1", '"x"', "1e999", "-0", '{"a": ', '{"order_id": {"a": []}}', '{"page_view_id": [1]}'),
    *('{"engaged_delta_seconds": "x"}', '{"engaged_delta_seconds": -1e308}', '{"scroll_depth": {}}'),
    *("https://[::1", "http://%zz/?utm_campaign=%", "#", "?utm_campaign=a#b?utm_campaign=c", "x" * 70_000),
    *ZONES,
)
COLUMNS = [
    field.name
    for field in EVENT_SCHEMA
    if pa.types.is_string(field.type) and field.name not in ("event_id", "event_type", "authority")
]
TYPES = ("page_view", "page_ping", "purchase", "click", "search", "preference", "consent_withdrawn", "served")
COUNTS = len(TEXTS) * (len(COLUMNS) + 2)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """An event for each text in each column, put into the log as it is."""
    warehouse = warehouse_in(tmp_path_factory.mktemp("text") / "home", manifest)
    events = []
    for number, text in enumerate(TEXTS):
        who = {"user_id": f"u{number}", "anonymous_id": f"d{number}", "page_url": "https://site/a", "item_id": "i"}
        for place, column in enumerate(COLUMNS):
            kind = TYPES[(number + place) % len(TYPES)]
            events.append(event(place, kind, **who | {column: text, "event_id": f"{number} {column}"}))
        events.append(event(50, text, **who | {"event_id": f"{number} type"}))
        events.append(event(51, **who | {"consent": [text], "event_id": f"{number} consent", "value": math.nan}))
    zones = [event(60 * i, user_id=f"z{i}", page_url="/a", timezone=zone) for i, zone in enumerate(ZONES)]
    known = event(0, user_id="berlin", page_url="/a", timezone="Europe/Berlin")
    half = len(events) // 2
    warehouse.ingest(*events[:half])
    warehouse.build()
    warehouse.ingest(*events[half:], *zones, known)
    warehouse.build()
    return warehouse


def test_every_event_is_counted(built: Built) -> None:
    assert built.rows("select sum(events) from sessions") == [(COUNTS + len(ZONES) + 1,)]


def test_a_zone_that_is_none_counts_as_unknown(built: Built) -> None:
    odd = built.rows("select timezone, local_started_at, started_at from sessions where user_id like 'z%'")
    assert len(odd) == len(ZONES)
    assert all(zone is None and local == started for zone, local, started in odd)
    assert built.rows("select timezone, local_started_at from sessions where user_id = 'berlin'") == [
        ("Europe/Berlin", (START + dt.timedelta(hours=1)).replace(tzinfo=None))
    ]


def test_every_mart_can_be_read(built: Built) -> None:
    marts = [
        name
        for (name,) in built.rows("select table_name from information_schema.tables where table_schema = 'main'")
    ]
    assert {"sessions", "users", "preferences", "answers", "quarantine", "page_views"} <= set(marts)
    with open_duckdb(built.home.warehouse, read_only=True) as connection:
        for mart in marts:
            connection.sql(f"from {mart}").to_arrow_table()


def test_every_table_and_column_has_a_comment(built: Built) -> None:
    columns = "select schema_name, table_name, column_name, comment from duckdb_columns() where not internal"
    rows = built.rows(columns)
    assert {schema for schema, *_ in rows} == {"main", "staging", "intermediate", "state"}
    assert [row for row in rows if not row[-1]] == []
    tables = "select schema_name, table_name, comment from duckdb_tables() where not internal"
    assert [row for row in built.rows(tables) if not row[-1]] == []


def test_every_zone_that_the_engine_names_can_be_asked_for_its_clock() -> None:
    connection = duckdb.connect()
    connection.execute("create table zones as select distinct name from pg_timezone_names()")
    asked = "select count(timestamp '2026-03-02 09:00' at time zone 'UTC' at time zone name) from zones"
    assert connection.sql(asked).fetchall() == connection.sql("select count(*) from zones").fetchall()

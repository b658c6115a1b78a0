"""The layout of a home: written at creation, migrated when older, refused when newer."""

import json
import stat

import pytest

from ml.errors import DamagedFileError
from ml.events.live_log import OpenPartWriter
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.home import Home
from ml.integrity.checked_json import encode_checked
from ml.integrity.home_layout import LAYOUT, LayoutError, open_layout, read_layout

EVENT = {
    "event_id": "e",
    "event_type": "page_view",
    "occurred_at": "2026-05-04T12:00:00Z",
    "received_at": "2026-05-04T12:00:00Z",
    "user_id": "u",
}


def test_a_home_gets_its_layout_with_its_first_event(tmp_path):
    home = Home(tmp_path / "home")
    open_layout(home)
    assert not home.path.exists()
    writer = OpenPartWriter(EventLog(home), "test")
    writer.append(events_from_records([EVENT])[0].drop_columns("row"))
    assert json.loads((home.path / "layout.json").read_text())["layout"] == LAYOUT
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_an_older_home_is_closed_to_others_and_keeps_what_it_holds(tmp_path):
    home = Home(tmp_path / "home")
    (home.events / "received_date=2026-05-04").mkdir(parents=True, mode=0o755)
    part = home.events / "received_date=2026-05-04" / "a.parquet"
    part.write_bytes(b"content")
    script = home.path / "script"
    script.touch()
    part.chmod(0o644)
    script.chmod(0o755)
    open_layout(home)
    assert part.read_bytes() == b"content"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.path.rglob("*")} == {
        "events": 0o700,
        "received_date=2026-05-04": 0o700,
        "a.parquet": 0o600,
        "script": 0o700,
        "layout.json": 0o600,
    }
    assert read_layout(home) == LAYOUT


def test_a_newer_home_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "layout.json").write_text(encode_checked({"layout": LAYOUT + 1}))
    with pytest.raises(LayoutError, match="install the version that wrote it"):
        open_layout(Home(tmp_path))


def test_every_damaged_byte_of_the_layout_is_named(tmp_path):
    home = Home(tmp_path)
    (tmp_path / "file").touch()
    open_layout(home)
    file = tmp_path / "layout.json"
    content = file.read_bytes()
    for offset in range(len(content) - 1):
        file.write_bytes(content[:offset] + bytes([content[offset] ^ 0x41]) + content[offset + 1 :])
        with pytest.raises(DamagedFileError, match=r"layout\.json"):
            open_layout(home)

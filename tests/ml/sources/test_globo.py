import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.sources import SourceError, ingest, open_source
from ml.sources.catalogue import Catalogue
from ml.sources.globo import COLUMNS
from tests.shared_data import SHARED, needs_shared_data

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
GLOBO = SHARED / "data/globo"
#         user session           start          size article time           env dev os country region referrer
CLICKS = [
    (59, 1506826329267796, 1506826329000, 2, 234853, 1506826800026, 4, 3, 2, 1, 21, 1),
    (59, 1506826329267796, 1506826329000, 2, 900000, 1506826830026, 4, 3, 2, 1, 21, 1),
    (79, 1506826486139816, 1506826486000, 2, 159359, 1506826801702, 2, 4, 20, 8, 28, 2),
    (80, 1506826486139999, 1506826486000, 2, 159359, 1508284800000, 4, 1, 17, 1, 25, 5),
]


@pytest.fixture
def folder(tmp_path):
    columns = list(zip(*CLICKS, strict=True))
    pq.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), tmp_path / "clicks.parquet")
    (tmp_path / "articles_metadata.csv").write_text(
        "article_id,category_id,created_at_ts,publisher_id,words_count\n234853,281,1506796800000,0,120\n"
    )
    return tmp_path


def test_clicks_become_page_views_in_words(folder, tmp_path):
    home = Home(tmp_path / "home")
    report = ingest(open_source("globo"), folder, home, NOW)
    assert (report.rows, report.accepted, report.items) == (4, 3, 1)
    first, _, third = pa.Table.from_batches(EventLog(home).read()).to_pylist()
    assert first["event_id"] == "globo-1506826329267796-1506826800026-234853"
    assert first["event_type"] == "page_view"
    assert first["occurred_at"] == dt.datetime(2017, 10, 1, 3, 0, 0, 26_000, tzinfo=dt.UTC)
    assert (first["user_id"], first["session_id"], first["item_id"]) == ("59", "1506826329267796", "234853")
    assert (first["device_type"], first["os"]) == ("mobile", "Android")
    assert (first["country"], first["region"], first["timezone"]) == ("BR", "BR-RJ", "America/Sao_Paulo")
    assert json.loads(first["properties"]) == {
        "environment": "web", "channel": "internal", "referrer_code": 1, "device_group": 3, "session_size": 2,
    }  # fmt: skip
    assert (third["device_type"], third["os"], third["country"]) == ("tablet", "iOS", "JP")
    assert (third["region"], third["timezone"]) == (None, "Asia/Tokyo")


def test_clicks_after_the_last_day_are_dead_letters(folder, tmp_path):
    home = Home(tmp_path / "home")
    ingest(open_source("globo"), folder, home, NOW)
    (letter,) = DeadLetters(home).read().to_pylist()
    assert (letter["row"], letter["field"], letter["source"]) == (3, "click_timestamp", "globo")
    assert "after 2017-10-17" in letter["reason"]
    assert json.loads(letter["payload"])["user_id"] == 80


def test_articles_become_items(folder, tmp_path):
    home = Home(tmp_path / "home")
    ingest(open_source("globo"), folder, home, NOW)
    (item,) = Catalogue(home).read().to_pylist()
    assert (item["item_id"], item["category"], item["language"]) == ("234853", "281", "pt-BR")
    assert item["published_at"] == dt.datetime(2017, 9, 30, 18, 40, tzinfo=dt.UTC)
    assert item["features"] == ["category:281", "length:short"]


def test_a_folder_without_the_click_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"has no clicks\.parquet"):
        ingest(open_source("globo"), tmp_path, Home(tmp_path / "home"), NOW)


def test_a_missing_column_is_named(tmp_path):
    pq.write_table(pa.table({"user_id": [1]}), tmp_path / "clicks.parquet")
    with pytest.raises(SourceError, match="has no column 'session_id'"):
        ingest(open_source("globo"), tmp_path, Home(tmp_path / "home"), NOW)


@needs_shared_data(GLOBO)
def test_the_real_log_has_the_published_shape(tmp_path):
    home = Home(tmp_path / "home")
    until = dt.datetime(2017, 10, 1, 6, tzinfo=dt.UTC)
    report = ingest(open_source("globo"), GLOBO, home, NOW, until=until)
    assert report.rows == 2_988_181
    assert dict(report.rejected) == {
        "click_timestamp: lies after 2017-10-17, the last day of the log: an outlier": 712
    }
    assert report.items == 9_867
    assert report.accepted + report.outside == 2_987_469
    events = pa.Table.from_batches(EventLog(home).read(columns=["event_id", "occurred_at"]))
    assert len(events) == report.accepted == len(events["event_id"].unique())

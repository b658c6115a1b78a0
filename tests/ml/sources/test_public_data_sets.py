"""Files that anybody has, as they come: a few rows in the shape of each, with the numbers worked out by hand."""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest

from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from ml.sources import ingest, open_source
from ml.sources.catalogue import Catalogue
from tests.shared_data import SHARED, needs_shared_data

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RETAILROCKET = SHARED / "data/retailrocket/sample_events.csv.gz"
MOVIELENS = SHARED / "data/ml-100k/u.data"
RETAILROCKET_MAPPING = """
event_type: {column: event, words: {view: page_view, addtocart: add_to_cart, transaction: purchase}}
occurred_at: timestamp
anonymous_id: visitorid
item_id: itemid
properties: {order_id: transactionid}
"""
RATINGS = """
event_type: {value: rating}
occurred_at: time
user_id: user
item_id: film
value: stars
properties: drop
"""


def read(tmp_path, file: Path, mapping: str, source: str = "files"):
    """The report, and the events in order of time with their properties parsed and nulls left out."""
    home = Home(tmp_path / "home")
    rules = tmp_path / "mapping.yaml"
    rules.write_text(mapping)
    report = ingest(open_source(source, rules if mapping else None), file, home, NOW)
    table = pa.Table.from_batches(EventLog(home).read(), schema=EVENT_SCHEMA)
    rows = table.sort_by([("occurred_at", "ascending"), ("event_id", "ascending")]).to_pylist()
    events = [
        {k: json.loads(v) if k == "properties" else v for k, v in row.items() if v is not None} for row in rows
    ]
    return report, events


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_retailrocket(tmp_path):
    text = (
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433193132535,1134473,view,396045,\n"
        "1433193200000,1134473,addtocart,396045,\n"
        "1433193300000,1134473,transaction,396045,4000\n"
        "1433193300000,1134473,transaction,7,4000\n"
    )
    report, events = read(tmp_path, write(tmp_path / "events.csv", text), RETAILROCKET_MAPPING)
    assert report.accepted == 4
    assert events[0]["occurred_at"] == dt.datetime(2015, 6, 1, 21, 12, 12, 535_000, tzinfo=dt.UTC)
    assert [event["event_type"] for event in events] == ["page_view", "add_to_cart", "purchase", "purchase"]
    assert [event["properties"]["order_id"] for event in events[2:]] == ["4000", "4000"]
    assert "value" not in events[2]


@needs_shared_data(RETAILROCKET)
def test_the_sample_of_retailrocket(tmp_path):
    report, events = read(tmp_path, RETAILROCKET, RETAILROCKET_MAPPING)
    kinds = [event["event_type"] for event in events]
    assert (report.rows, report.accepted) == (9_385, 9_385)
    # three rows are exact repeats of others, which are the same events in the warehouse
    assert (kinds.count("page_view"), kinds.count("add_to_cart"), kinds.count("purchase")) == (9_076, 263, 46)
    assert len({event["event_id"] for event in events}) == 9_382


def test_cdnow(tmp_path):
    text = " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n 00002 19970112  5   77.00\n"
    mapping = """
file: {delimiter: whitespace, columns: [customer, date, discs, dollars]}
event_type: {value: purchase}
occurred_at: date
user_id: customer
value: dollars
properties: {quantity: discs}
"""
    _, events = read(tmp_path, write(tmp_path / "CDNOW_master.txt", text), mapping)
    assert [(event["user_id"], event["value"], event["properties"]["quantity"]) for event in events[1:]] in (
        [("00002", 12.0, "1"), ("00002", 77.0, "5")],
        [("00002", 77.0, "5"), ("00002", 12.0, "1")],
    )
    assert (events[0]["user_id"], events[0]["value"]) == ("00001", 11.77)
    assert events[0]["occurred_at"] == dt.datetime(1997, 1, 1, tzinfo=dt.UTC)


INVOICES = (
    ("536365", "85123A", "LANTERN £", "6", "2,55", "17850"),
    ("C536379", "85123A", "LANTERN £", "-1", "2,55", "14527"),
)


@pytest.mark.parametrize(
    ("names", "dates", "encoding"),
    [
        ("InvoiceNo;StockCode;Description;Quantity;InvoiceDate;UnitPrice;CustomerID;Country",
         ("12/1/2010 8:26", "12/13/2010 9:41"), "latin-1"),
        ("Invoice;StockCode;Description;Quantity;InvoiceDate;Price;Customer ID;Country",
         ("01.12.2010 08:26", "13.12.2010 09:41"), "utf-8-sig"),
        ("Invoice;StockCode;Description;Quantity;InvoiceDate;Price;Customer ID;Country",
         ("2010-12-01 08:26:00", "2010-12-13 09:41:00"), "utf-8"),
    ],
)  # fmt: skip
def test_online_retail_with_semicolons(tmp_path, names, dates, encoding):
    rows = [
        f"{invoice};{code};{title};{pieces};{date};{price};{customer};United Kingdom"
        for (invoice, code, title, pieces, price, customer), date in zip(INVOICES, dates, strict=True)
    ]
    file = write(tmp_path / "online_retail.csv", "\n".join([names, *rows, ""]), encoding)
    report, (bought, cancelled) = read(tmp_path, file, "", "online_retail")
    assert dict(report.rejected) == {}
    assert bought["occurred_at"] == dt.datetime(2010, 12, 1, 8, 26, tzinfo=dt.UTC)
    assert cancelled["occurred_at"] == dt.datetime(2010, 12, 13, 9, 41, tzinfo=dt.UTC)
    assert [(event["user_id"], round(event["value"], 2)) for event in (bought, cancelled)] == [
        ("17850", 15.3), ("14527", -2.55),
    ]  # fmt: skip
    assert cancelled["properties"]["order_id"] == "C536379"
    assert bought["properties"]["currency"] == "GBP"


def test_invoices_with_a_mapping(tmp_path):
    text = (
        "InvoiceNo;StockCode;Quantity;InvoiceDate;UnitPrice;CustomerID\n"
        "536365;85123A;6;01.12.2010 08:26;2,55;17850.0\n"
        "C536379;D;-1;01.12.2010 09:41;1.027,50;14527.0\n"
    )
    mapping = """
event_type: {value: purchase}
occurred_at: {column: InvoiceDate, format: "%d.%m.%Y %H:%M", timezone: Europe/London}
user_id: CustomerID
item_id: StockCode
value: {column: UnitPrice, times: Quantity, decimal: ","}
properties: {order_id: InvoiceNo, quantity: Quantity}
"""
    _, (bought, cancelled) = read(tmp_path, write(tmp_path / "invoices.csv", text), mapping)
    assert (bought["user_id"], round(bought["value"], 2)) == ("17850", 15.3)
    assert (cancelled["value"], cancelled["properties"]["order_id"]) == (-1027.5, "C536379")


@pytest.mark.parametrize(
    ("name", "text", "file"),
    [
        ("ratings.dat", "1::1193::5::978300760\n", '{delimiter: "::", columns: [user, film, stars, time]}'),
        ("u.data", "1\t1193\t5\t978300760\n", "{columns: [user, film, stars, time]}"),
        ("ratings.txt", "user|film|stars|time\n1|1193|5|978300760\n", "{}"),
        ("ratings.csv", "user,film,stars,time\n1,1193,5.0,978300760\n", "{}"),
        ("ratings", "user film stars time\n1 1193 5 978300760\n", "{delimiter: whitespace}"),
    ],
)
def test_movielens_in_every_edition(tmp_path, name, text, file):
    _, (event,) = read(tmp_path, write(tmp_path / name, text), f"file: {file}\n{RATINGS}")
    assert (event["event_type"], event["user_id"], event["item_id"], event["value"]) == (
        "rating",
        "1",
        "1193",
        5.0,
    )
    assert event["occurred_at"] == dt.datetime(2000, 12, 31, 22, 12, 40, tzinfo=dt.UTC)


@needs_shared_data(MOVIELENS)
def test_movielens_100k(tmp_path):
    mapping = f"file: {{columns: [user, film, stars, time]}}\n{RATINGS}"
    report, events = read(tmp_path, MOVIELENS, mapping)
    assert (report.rows, report.accepted) == (100_000, 100_000)
    assert len({event["user_id"] for event in events}) == 943
    assert len({event["item_id"] for event in events}) == 1_682


def test_films_become_items(tmp_path):
    text = "1|Amélie (2001)|25-Apr-2001|fr\n2|Alien (1979)||en\n"
    mapping = """
file: {columns: [film, title, released, language]}
event_type: {value: "custom:listed"}
occurred_at: {value: "2001-05-01"}
user_id: {value: importer}
items: {item_id: film, title: title, language: language, published_at: {column: released, format: "%d-%b-%Y"}}
"""
    _, events = read(tmp_path, write(tmp_path / "u.txt", text.replace("\n", "\r\n"), "latin-1"), mapping)
    assert {event["occurred_at"] for event in events} == {dt.datetime(2001, 5, 1, tzinfo=dt.UTC)}
    items = Catalogue(Home(tmp_path / "home")).read().to_pylist()
    assert [(item["item_id"], item["title"]) for item in items] == [("1", "Amélie (2001)"), ("2", "Alien (1979)")]


def test_last_fm(tmp_path):
    row = "user_000001\t2009-05-04T23:08:57Z\tf1b1cf71\tDeep Dish\t\tAlmost Famous (Pacha Ibiza)\n"
    mapping = """
file: {columns: [user, time, artist_id, artist, track_id, track]}
event_type: {value: "custom:listen"}
occurred_at: time
user_id: user
item_id: artist_id
"""
    file = write(tmp_path / "userid-timestamp-artid-artname-traid-traname.tsv", row)
    _, (event,) = read(tmp_path, file, mapping)
    assert (event["user_id"], event["item_id"]) == ("user_000001", "f1b1cf71")
    assert event["occurred_at"] == dt.datetime(2009, 5, 4, 23, 8, 57, tzinfo=dt.UTC)
    assert event["properties"] == {"artist": "Deep Dish", "track": "Almost Famous (Pacha Ibiza)"}


def test_google_analytics_4_as_bigquery_exports_json(tmp_path):
    # BigQuery writes 64-bit integers as text, and leaves out what is null
    row = {
        "event_date": "20231114", "event_timestamp": "1700000000123456", "event_name": "purchase",
        "event_params": [
            {"key": "ga_session_id", "value": {"int_value": "7"}},
            {"key": "value", "value": {"double_value": 80.0}},
            {"key": "currency", "value": {"string_value": "eur"}},
            {"key": "transaction_id", "value": {"string_value": "T1"}},
        ],
        "user_pseudo_id": "p.1", "user_id": "undefined", "device": {"category": "mobile", "language": "en-us"},
        "geo": {"country": "Germany", "region": "Berlin", "city": "Berlin"},
        "items": [
            {"item_id": "a", "price": 60.0, "quantity": "1"}, {"item_id": "b", "price": 10.0, "quantity": "4"},
        ],
    }  # fmt: skip
    file = write(tmp_path / "events-000000000000.json", json.dumps(row) + "\n")
    report, events = read(tmp_path, file, "", "google_analytics_4")
    assert sorted((event["item_id"], event["value"]) for event in events) == [("a", 48.0), ("b", 32.0)]
    event = events[0]
    assert (event["country"], event["language"], event["device_type"]) == ("DE", "en-US", "mobile")
    assert (event["anonymous_id"], event["session_id"], "user_id" in event) == ("p.1", "p.1-7", False)
    assert (event["properties"]["currency"], event["properties"]["order_id"]) == ("EUR", "T1")
    assert report.placeholders["user_id 'undefined'"] == 2

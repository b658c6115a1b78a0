import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.sources import ingest, open_source
from ml.sources.catalogue import Catalogue
from ml.sources.online_retail import COLUMNS, InvoiceLineNumbers
from tests.shared_data import SHARED, needs_shared_data

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ORDERS = SHARED / "data/online_retail/online_retail.parquet"
LINES = [
    ("536365", "85123A", "WHITE HEART", 6.0, dt.datetime(2010, 12, 1, 8, 26), 2.55, 17850.0, "United Kingdom"),
    ("536365", "POST", "POSTAGE", 1.0, dt.datetime(2010, 12, 1, 8, 26), 18.0, 17850.0, "United Kingdom"),
    ("C536379", "85123A", None, -1.0, dt.datetime(2011, 7, 1, 9, 41), 2.55, 14527.0, "France"),
    ("536414", "22139", None, 56.0, dt.datetime(2010, 12, 1, 11, 52), 0.0, None, "United Kingdom"),
    ("536414", "22727", "ALARM CLOCK", 12.0, dt.datetime(2010, 12, 1, 11, 52), 0.0, 12647.0, "Germany"),
    ("536544", "21773", "CAT BOWL", 1.0, dt.datetime(2010, 12, 1, 14, 32), 2.51, None, "Channel Islands"),
    ("A563186", "B", "Adjust bad debt", 1.0, dt.datetime(2011, 8, 12, 14, 51), -11062.06, None, "United Kingdom"),
    ("C537600", "AMAZONFEE", "AMAZON FEE", -1.0, dt.datetime(2010, 12, 7, 12, 41), 1.0, None, "United Kingdom"),
]


@pytest.fixture
def ingested(tmp_path):
    columns = list(zip(*LINES, strict=True))
    pq.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), tmp_path / "online_retail.parquet")
    home = Home(tmp_path / "home")
    report = ingest(open_source("online_retail"), tmp_path / "online_retail.parquet", home, NOW)
    return home, report, pa.Table.from_batches(EventLog(home).read()).to_pylist()


def test_a_line_is_a_purchase_worth_quantity_times_price(ingested):
    bought = ingested[2][0]
    assert (bought["event_type"], bought["user_id"], bought["item_id"]) == ("purchase", "17850", "85123A")
    assert bought["value"] == pytest.approx(15.30)
    assert bought["occurred_at"] == dt.datetime(2010, 12, 1, 8, 26, tzinfo=dt.UTC)
    assert bought["country"] == "GB"
    assert json.loads(bought["properties"]) == {
        "currency": "GBP", "quantity": 6, "unit_price": 2.55, "order_id": "536365", "invoice": "536365",
        "description": "WHITE HEART",
    }  # fmt: skip


def test_postage_is_paid_but_is_no_item(ingested):
    postage = ingested[2][1]
    assert (postage["event_type"], postage["item_id"], postage["value"]) == ("purchase", None, 18.0)
    assert json.loads(postage["properties"])["stock_code"] == "POST"


def test_a_cancellation_is_a_negative_purchase_in_british_summer_time(ingested):
    cancelled = ingested[2][2]
    assert (cancelled["event_type"], cancelled["value"]) == ("purchase", -2.55)
    assert cancelled["occurred_at"] == dt.datetime(2011, 7, 1, 8, 41, tzinfo=dt.UTC)


def test_a_line_without_customer_is_somebody_for_one_invoice(ingested):
    anonymous = ingested[2][5]
    assert (anonymous["user_id"], anonymous["anonymous_id"]) == (None, "invoice-536544")
    assert anonymous["country"] is None
    assert json.loads(anonymous["properties"])["country_name"] == "Channel Islands"


def test_the_shops_own_bookings_are_no_purchases(ingested):
    assert [event["event_type"] for event in ingested[2]][6:] == ["custom:booking"]


def test_a_free_line_is_a_purchase_of_no_money_and_a_correction_of_the_stock_a_booking(ingested):
    correction, free = ingested[2][3:5]
    assert (correction["event_type"], correction["item_id"], correction["value"]) == (
        "custom:booking",
        "22139",
        0.0,
    )
    assert (free["event_type"], free["user_id"], free["value"]) == ("purchase", "12647", 0.0)


def test_bad_prices_are_dead_letters(ingested):
    home, report, _ = ingested
    letters = DeadLetters(home).read().sort_by("row").to_pylist()
    assert [(row["row"], row["field"]) for row in letters] == [(6, "UnitPrice")]
    assert dict(report.rejected) == {"UnitPrice: is not a price of zero or more": 1}


def test_products_become_items_with_their_last_price_and_title(ingested):
    items = Catalogue(ingested[0]).read().to_pylist()
    assert [(item["item_id"], item["title"], item["price"], item["currency"]) for item in items] == [
        ("21773", "Cat bowl", 2.51, "GBP"),
        ("85123A", "White heart", 2.55, "GBP"),
    ]


def test_lines_are_numbered_across_chunks():
    lines = InvoiceLineNumbers()
    assert lines.number(pa.array(["1", "1", "2"])).tolist() == [0, 1, 0]
    assert lines.number(pa.array(["2", "2", "3"])).tolist() == [1, 2, 0]
    assert lines.number(pa.array(["3"])).tolist() == [1]
    assert lines.number(pa.array([], pa.string())).tolist() == np.arange(0).tolist()


@needs_shared_data(ORDERS)
def test_the_real_file_gives_every_line_once(tmp_path):
    home = Home(tmp_path / "home")
    report = ingest(open_source("online_retail"), ORDERS, home, NOW)
    assert (report.rows, report.accepted, sum(report.rejected.values())) == (541_909, 541_907, 2)
    events = pa.Table.from_batches(EventLog(home).read())
    assert pc.count_distinct(events["event_id"]).as_py() == 541_907
    assert events["user_id"].null_count == 135_080 - 2
    lines = pq.read_table(ORDERS).to_pandas()
    is_free = (lines["UnitPrice"] == 0) & lines["CustomerID"].notna()
    assert is_free.sum() == 40
    free = events.filter(pc.and_(pc.equal(events["event_type"], "purchase"), pc.equal(events["value"], 0.0)))
    assert sorted(free["user_id"].to_pylist()) == sorted(f"{n:.0f}" for n in lines.loc[is_free, "CustomerID"])

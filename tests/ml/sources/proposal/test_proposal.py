"""What is proposed for files with names, separators, dates and words of their own, and what comes of it."""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ml.events.log import EventLog
from ml.home import Home
from ml.sources import ingest, open_source
from ml.sources.catalogue import Catalogue
from ml.sources.mapping import load_mapping, parse_mapping
from ml.sources.proposal.proposal import propose_mapping
from ml.sources.proposal.sample import needs_mapping
from ml.sources.source import SourceError

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
COMMA = """\
id,time,visitor,article,action
c1,2026-03-02 08:00:00,ann,lamp-7,view
c2,2026-03-02 08:01:10,ann,lamp-7,basket
c3,yesterday,bob,desk-2,view
c4,2026-03-02 08:02:30,bob,lamp-7,bought
"""
SEMICOLON = """\
Nr;Zeitpunkt;Kunde;Artikel;Aktion;Betrag;Rubrik
1;02.03.2026 18:30;ann;lampe-7;ansehen;;Lampen
2;13.03.2026 09:05;bob;tisch-2;gekauft;1.249,90;Möbel
3;14.03.2026 10:00;bob;lampe-7;gekauft;49,90;Lampen
"""
ORDERS = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID
536365,85123A,WHITE HOLDER,6,12/1/2010 8:26,2.55,17850
536365,71053,LANTERN,2,12/13/2010 8:26,3.39,17850
"""
RATINGS = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,1029,3.0,1260759179\n"


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return file


def events_of(folder: Path, file: Path) -> tuple[list[dict[str, object]], Home]:
    """The events that come of a file by the mapping that is proposed for it."""
    folder.mkdir(exist_ok=True)
    mapping = folder / "mapping.yaml"
    mapping.write_text(propose_mapping(file).to_yaml(), encoding="utf-8")
    home = Home(folder / "home")
    ingest(open_source("files", mapping), file, home, NOW)
    events = pa.Table.from_batches(list(EventLog(home).read())).sort_by("occurred_at").to_pylist()
    return events, home


def test_a_file_with_commas_and_plain_times(tmp_path):
    file = written(tmp_path, "clicks.csv", COMMA)
    proposal = propose_mapping(file)
    assert {column.name: column.target for column in proposal.columns} == {
        "id": "event_id",
        "time": "occurred_at",
        "visitor": "user_id",
        "article": "item_id",
        "action": "event_type",
    }
    events, _ = events_of(tmp_path, file)
    assert [(row["event_id"], row["event_type"], row["user_id"]) for row in events] == [
        ("c1", "page_view", "ann"),
        ("c2", "add_to_cart", "ann"),
        ("c4", "purchase", "bob"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_german_file_with_semicolons_and_decimal_commas(tmp_path, encoding):
    file = written(tmp_path, "klicks.csv", SEMICOLON, encoding)
    assert "semicolon" in propose_mapping(file).layout
    events, home = events_of(tmp_path, file)
    assert [row["occurred_at"] for row in events] == [
        dt.datetime(2026, 3, 2, 18, 30, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 13, 9, 5, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 14, 10, 0, tzinfo=dt.UTC),
    ]
    assert [row["value"] for row in events] == [None, 1249.9, 49.9]
    assert [row["event_type"] for row in events] == ["page_view", "purchase", "purchase"]
    items = Catalogue(home).read().sort_by("item_id").select(["item_id", "category"]).to_pylist()
    assert items == [{"item_id": "lampe-7", "category": "Lampen"}, {"item_id": "tisch-2", "category": "Möbel"}]


def test_names_and_words_with_accents_are_those_without(tmp_path):
    text = "Horodatage,Utilisateur,Événement,Article,Catégorie\n2026-03-02,ann,Achat,a,x\n2026-03-03,bob,Vue,b,y\n"
    targets = {column.name: column.target for column in propose_mapping(written(tmp_path, "f.csv", text)).columns}
    assert targets["Événement"] == "event_type"
    assert targets["Catégorie"] == "items.category"
    events, _ = events_of(tmp_path, tmp_path / "f.csv")
    assert [row["event_type"] for row in events] == ["purchase", "page_view"]


def test_lines_of_orders_are_purchases_of_price_times_quantity(tmp_path):
    events, _ = events_of(tmp_path, written(tmp_path, "orders.csv", ORDERS))
    assert [row["event_type"] for row in events] == ["purchase", "purchase"]
    assert [row["value"] for row in events] == pytest.approx([15.3, 6.78])
    assert [row["occurred_at"].day for row in events] == [1, 13]


def test_lines_of_an_order_keep_its_number_as_order_id_and_all_else(tmp_path):
    text = "timestamp,visitorid,event,itemid,transactionid,campaign\n" + "".join(
        f"14332{n:08d},{n % 2},{kind},{n},{order},c{n}\n"
        for n, (kind, order) in enumerate([("view", ""), ("transaction", "77"), ("transaction", "77")])
    )
    file = written(tmp_path, "events.csv", text)
    assert "# Lines with the same transactionid are one order." in propose_mapping(file).to_yaml()
    events, _ = events_of(tmp_path, file)
    assert [json.loads(event["properties"]) for event in events] == [
        {"campaign": "c0"},
        {"campaign": "c1", "order_id": "77"},
        {"campaign": "c2", "order_id": "77"},
    ]
    events, _ = events_of(tmp_path / "shop", written(tmp_path, "orders.csv", ORDERS))
    properties = [json.loads(event["properties"]) for event in events]
    assert [row["order_id"] for row in properties] == ["536365", "536365"]
    assert [row["Description"] for row in properties] == ["WHITE HOLDER", "LANTERN"]


def test_ratings_with_seconds_since_1970(tmp_path):
    events, _ = events_of(tmp_path, written(tmp_path, "ratings.csv", RATINGS))
    assert [(row["event_type"], row["value"]) for row in events] == [("rating", 2.5), ("rating", 3.0)]
    assert events[0]["occurred_at"] == dt.datetime(2009, 12, 14, 2, 52, 24, tzinfo=dt.UTC)


def test_what_the_cells_leave_open_is_said(tmp_path):
    file = written(tmp_path, "open.csv", "when,user,what,item\n01/02/2026,a,frobnicate,x\n03/04/2026,b,view,y\n")
    remarks = " ".join(propose_mapping(file).remarks)
    assert "month/day" in remarks
    assert "frobnicate" in remarks
    words = propose_mapping(file).content["event_type"]["words"]
    assert words == {"frobnicate": "custom:frobnicate", "view": "page_view"}


def test_an_order_number_that_stands_in_several_lines_is_no_event_id(tmp_path):
    file = written(tmp_path, "lines.csv", "id,time,user,item\n7,2026-03-02,a,x\n7,2026-03-02,a,y\n")
    assert "event_id" not in propose_mapping(file).content


def test_a_proposal_is_a_mapping_file(tmp_path):
    file = written(tmp_path, "clicks.csv", COMMA)
    text = propose_mapping(file).to_yaml()
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(text, encoding="utf-8")
    assert set(load_mapping(mapping).fields) == {"event_id", "event_type", "occurred_at", "user_id", "item_id"}
    assert yaml.safe_load(text)["file"] == {"delimiter": ","}


def test_a_file_with_the_names_of_the_contract_needs_none(tmp_path):
    assert not needs_mapping(written(tmp_path, "a.csv", "event_type,occurred_at,user_id\nlike,2026-03-02,a\n"))
    assert needs_mapping(written(tmp_path, "b.csv", COMMA))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user,item\na,b\n", "no column holds dates or times"),
        ("user,time\na,122213\nb,5\n", "time holds 122213, 5. "),
        ("time,item\n2026-03-02,b\n", "called like a person"),
        ("1,2,3\n4,5,6\n", "the first line is a row"),
    ],
)
def test_a_file_for_which_nothing_can_be_proposed_says_what_to_do(tmp_path, text, words):
    with pytest.raises(SourceError, match=words):
        propose_mapping(written(tmp_path, "x.csv", text))


def test_dates_of_eight_digits_are_dates_and_a_column_with_the_time_is_named(tmp_path):
    text = "fullVisitorId,time,date,visitId,productSKU\n" + "".join(
        f"{visitor},{milliseconds},20160913,{seconds},shirt-{visitor}\n"
        for visitor, milliseconds, seconds in [(1, 0, 1473757371), (2, 122213, 1473760000)]
    )
    file = written(tmp_path, "sessions.csv", text)
    proposal = propose_mapping(file)
    assert proposal.content["occurred_at"] == {"column": "date", "format": "%Y%m%d"}
    assert "no time of day" in proposal.remarks[0]
    assert "`occurred_at: {column: visitId, unit: s}`" in proposal.remarks[0]
    events, _ = events_of(tmp_path, file)
    assert [row["occurred_at"] for row in events] == [dt.datetime(2016, 9, 13, tzinfo=dt.UTC)] * 2


def test_dates_of_eight_digits_in_a_column_of_numbers_are_read(tmp_path):
    table = pa.table({"date": [20160913, 20160914], "user": ["a", "b"], "item": ["x", "y"]})
    file = tmp_path / "days.parquet"
    pq.write_table(table, file)
    events, _ = events_of(tmp_path, file)
    assert [row["occurred_at"].day for row in events] == [13, 14]


@pytest.mark.parametrize(
    ("time", "is_local"),
    [
        ("2026-03-02 08:00:00", True),
        ("02.03.2026 18:30", True),
        ("2026-03-02T08:00:00Z", False),
        ("2026-03-02 08:00:00+01", False),
        ("1473757371", False),
    ],
)
def test_times_without_a_zone_are_pointed_out(tmp_path, time, is_local):
    file = written(tmp_path, "clicks.csv", f"time;user;item\n{time};a;x\n{time};b;y\n")
    assert ("timezone: Europe/Berlin" in " ".join(propose_mapping(file).remarks)) is is_local


def test_columns_of_a_news_site_are_known(tmp_path):
    file = written(
        tmp_path, "reading.csv", "when,reader,story,section,what\n10/13/2026 09:00 AM,r 1,a/b,Sport,read\n"
    )
    proposal = propose_mapping(file)
    assert {column.name: column.target for column in proposal.columns} == {
        "when": "occurred_at",
        "reader": "user_id",
        "story": "item_id",
        "section": "items.category",
        "what": "event_type",
    }


def test_german_columns_of_a_shop_are_known(tmp_path):
    header = "Zeitpunkt;Kunde;Artikel;Bezeichnung;Warengruppe;Gerät;Stadt"
    text = f"{header}\n02.03.2026 18:30;K-1;töp/1;Topf;Töpfe;Handy;Ulm\n"
    targets = {column.name: column.target for column in propose_mapping(written(tmp_path, "k.csv", text)).columns}
    assert targets["Warengruppe"] == "items.category"
    assert (targets["Gerät"], targets["Stadt"]) == ("device_type", "city")
    events, _ = events_of(tmp_path, tmp_path / "k.csv")
    assert (events[0]["device_type"], events[0]["item_id"]) == ("mobile", "töp/1")


def test_user_agents_say_device_system_and_browser_and_which_visitors_are_crawlers(tmp_path):
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile Safari"
    )
    header = "time,visitor,page,User-Agent"
    text = f"{header}\n2026-03-02 18:30:00,v1,/a,{phone}\n2026-03-02 18:31:00,v2,/a,Googlebot/2.1 (+http://x.y)\n"
    proposal = propose_mapping(written(tmp_path, "log.csv", text))
    (column,) = [column for column in proposal.columns if column.name == "User-Agent"]
    assert (column.target, column.reading) == (
        "device_type",
        "user agents: kind of device, operating system, browser",
    )
    events, _ = events_of(tmp_path, tmp_path / "log.csv")
    assert [(event["device_type"], event["os"]) for event in events] == [("mobile", "iOS"), ("bot", "Other")]
    assert events[1]["browser"] == "Googlebot"
    assert "Mozilla" not in str(events)


@pytest.mark.parametrize("words", [("view", "cart", "purchase"), ("page_view", "add_to_cart", "purchase")])
def test_the_price_of_a_row_is_the_amount_of_its_purchase_alone(tmp_path, words):
    rows = [(words[0], "9.5", "1"), (words[1], "9.5", "2"), (words[2], "9.5", "2"), (words[0], "n/a", "1")]
    text = "event_time,event_type,product_id,price,quantity,user_id\n" + "".join(
        f"2026-03-01 10:0{number}:00,{kind},p1,{price},{quantity},u1\n"
        for number, (kind, price, quantity) in enumerate(rows)
    )
    file = written(tmp_path, "shop.csv", text)
    assert (
        "# No column is the amount of a purchase, so price times quantity counts as that"
        in propose_mapping(file).to_yaml()
    )
    events, _ = events_of(tmp_path, file)
    assert [(row["event_type"], row["value"]) for row in events] == [
        ("page_view", None), ("add_to_cart", None), ("purchase", 19.0), ("page_view", None),
    ]  # fmt: skip


def test_a_column_of_amounts_is_preferred_to_prices(tmp_path):
    row = "2026-03-01 10:00:00,a,purchase,x,5"
    text = f"time,user,event,item,price,revenue\n{row},\n{row},8\n"
    events, _ = events_of(tmp_path, written(tmp_path, "shop.csv", text))
    assert [row["value"] for row in events] == [None, 8.0]


def test_what_every_event_needs_is_not_of_some_types(tmp_path):
    with pytest.raises(ValueError, match="user_id: every event needs it"):
        parse_mapping(
            {
                "event_type": {"value": "purchase"},
                "occurred_at": "time",
                "user_id": {"column": "user", "of_types": ["purchase"]},
            }
        )


def test_the_price_of_a_piece_with_its_currency_is_a_price(tmp_path):
    text = (
        "Zeit;Kundennr.;Artikelnr.;Vorgang;Menge;Einzelpreis (€)\n"
        "02.03.2026 18:30;K1;a;Ansicht;;\n02.03.2026 18:31;K1;a;Kauf;3;1.249,50\n"
    )
    events, home = events_of(tmp_path, written(tmp_path, "protokoll.csv", text))
    assert [(row["event_type"], row["value"]) for row in events] == [("page_view", None), ("purchase", 3748.5)]
    assert Catalogue(home).read()["price"].to_pylist() == [1249.5]


def test_purchases_without_any_amount_are_pointed_out(tmp_path):
    text = "time,user,item,event\n2026-03-02 10:00:00,a,x,{}\n"
    bought = propose_mapping(written(tmp_path, "bought.csv", text.format("order")))
    assert any("purchases count, but bring no revenue" in remark for remark in bought.remarks)
    seen = propose_mapping(written(tmp_path, "seen.csv", text.format("view")))
    assert not any("revenue" in remark for remark in seen.remarks)


def test_a_date_and_a_time_of_day_in_two_columns_are_one_time(tmp_path):
    text = "Datum;Uhrzeit;Kunde;Artikel\n13.08.2026;19:19:54;a;x\n14.08.2026;7:05:00;b;y\n"
    file = written(tmp_path, "zwei.csv", text)
    assert propose_mapping(file).content["occurred_at"]["columns"] == ["Datum", "Uhrzeit"]
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(propose_mapping(file).to_yaml(), encoding="utf-8")
    home = Home(tmp_path / "home")
    ingest(open_source("files", mapping), file, home, dt.datetime(2026, 9, 1, tzinfo=dt.UTC))
    events = pa.Table.from_batches(list(EventLog(home).read())).sort_by("occurred_at")
    assert events["occurred_at"].to_pylist() == [
        dt.datetime(2026, 8, 13, 19, 19, 54, tzinfo=dt.UTC),
        dt.datetime(2026, 8, 14, 7, 5, tzinfo=dt.UTC),
    ]


def test_a_wrong_time_of_day_is_rejected_by_the_names_of_both_columns(tmp_path):
    file = written(tmp_path, "two.csv", "day,hour,user\n2026-03-02,09:00,a\n2026-03-02,25:00,b\n")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "event_type: {value: page_view}\noccurred_at: {columns: [day, hour]}\nuser_id: user\n", encoding="utf-8"
    )
    report = ingest(open_source("files", mapping), file, Home(tmp_path / "home"), NOW)
    assert (report.accepted, list(report.rejected)) == (1, ["day, hour: is not a time"])


def test_events_of_a_tracker_are_read_below_their_properties(tmp_path):
    records = [
        {
            "$insert_id": f"x{number}",
            "event_type": kind,
            "event_time": 1_772_438_400_000 + number,
            "user_id": None,
            "device_id": "d1",
            "platform": "Web",
            "event_properties": {"product_id": "p1", "category": "lamps", **more},
        }
        for number, (kind, more) in enumerate([("product_view", {}), ("purchase", {"revenue": 12.5})])
    ]
    file = written(tmp_path, "tracker.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    events, home = events_of(tmp_path, file)
    assert [(row["event_id"], row["event_type"], row["item_id"], row["value"]) for row in events] == [
        ("x0", "page_view", "p1", None),
        ("x1", "purchase", "p1", 12.5),
    ]
    assert [json.loads(row["properties"])["platform"] for row in events] == ["Web", "Web"]
    assert Catalogue(home).read()["category"].to_pylist() == ["lamps"]


@pytest.mark.parametrize("repeated", [True, False])
def test_the_total_of_an_order_is_not_the_amount_of_each_of_its_lines(tmp_path, repeated):
    header = "Name,Email,Total,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Created at\n"
    lines = [
        ("#1001", "a@x.org", "35.00", 2, "Lamp", "10.00", "l1"),
        ("#1001", "a@x.org", "35.00" if repeated else "", 1, "Desk", "12.00", "d1"),
        ("#1002", "b@x.org", "13.00", 1, "Lamp", "10.00", "l1"),
    ]
    text = header + "".join(",".join(map(str, line)) + f",2026-03-02 10:00:0{n}\n" for n, line in enumerate(lines))
    file = written(tmp_path, "orders_export.csv", text)
    proposal = propose_mapping(file)
    assert {column.name: column.target for column in proposal.columns} == {
        "Name": "properties.order_id",
        "Email": "user_id",
        "Total": None,
        "Lineitem quantity": None,
        "Lineitem name": "items.title",
        "Lineitem price": "items.price",
        "Lineitem sku": "item_id",
        "Created at": "occurred_at",
    }
    events, home = events_of(tmp_path, file)
    assert [row["value"] for row in events] == [20.0, 12.0, 10.0]
    properties = [json.loads(row["properties"]) for row in events]
    assert [row["order_id"] for row in properties] == ["#1001", "#1001", "#1002"]
    assert properties[0]["Total"] == "35.00"
    assert sorted(Catalogue(home).read()["title"].to_pylist()) == ["Desk", "Lamp"]


def test_amounts_of_lines_stay_amounts_where_orders_have_several(tmp_path):
    text = "order_id,time,user,item,total\n" + "".join(
        f"{order},2026-03-02 10:00:0{n},a,i{n},{n + 1}\n" for n, order in enumerate([7, 7, 8, 8])
    )
    events, _ = events_of(tmp_path, written(tmp_path, "lines.csv", text))
    assert [row["value"] for row in events] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        ("product_id,title,price", "Lamp", "Desk"),
        ("id,title,price", "Lamp", "Desk"),
        ("sku,created_at,price", "2026-01-01", "2026-01-02"),
    ],
)
def test_a_table_of_items_alone_goes_into_the_catalogue(tmp_path, header, first, second):
    file = written(tmp_path, "items.csv", f"{header}\na,{first},5\nb,{second},7\n")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(propose_mapping(file).to_yaml(), encoding="utf-8")
    home = Home(tmp_path / "home")
    report = ingest(open_source("files", mapping), file, home, NOW)
    assert (report.rows, report.accepted, report.items, dict(report.rejected)) == (0, 0, 2, {})
    assert Catalogue(home).read().sort_by("item_id")["price"].to_pylist() == [5.0, 7.0]


def test_rows_that_repeat_an_item_are_no_table_of_items(tmp_path):
    with pytest.raises(SourceError, match="no column holds dates or times"):
        propose_mapping(written(tmp_path, "x.csv", "product_id,price\na,5\na,5\n"))


def test_files_of_different_kinds_in_a_folder_are_taken_in_one_by_one(tmp_path):
    folder = tmp_path / "two"
    folder.mkdir()
    written(folder, "events.csv", "time,customer_id,product_id\n2026-03-02,a,x\n2026-03-03,b,y\n")
    written(folder, "items.csv", "product_id,title\nx,Lamp\ny,Desk\n")
    with pytest.raises(SourceError, match=r"items\.csv has no column time, customer_id") as refusal:
        propose_mapping(folder)
    for name in ("items.csv", "events.csv"):
        assert f"`tessera ingest files --path {folder / name} --yes`" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Pages and screens\n# Start date: 20261001\n\nPage path,Views\n/a,3\n", "lines of remarks"),
        ("user,item\na,x\nb,y\n", "tessera fit --interactions"),
    ],
)
def test_a_file_of_another_kind_says_what_it_is_and_what_helps(tmp_path, text, words):
    with pytest.raises(SourceError, match=words):
        propose_mapping(written(tmp_path, "x.csv", text))


@pytest.mark.parametrize(
    ("word", "kind"),
    [("Product Viewed", "page_view"), ("Product Added", "add_to_cart"), ("Order Completed", "purchase"),
     ("Checkout Started", "checkout"), ("Products Searched", "search"), ("Quote Sent", "custom:quotesent")],
)  # fmt: skip
def test_words_of_trackers_for_shops_are_types(tmp_path, word, kind):
    file = written(tmp_path, "x.csv", f"time,user,item,event\n2026-03-02,a,x,{word}\n")
    assert propose_mapping(file).content["event_type"]["words"] == {word: kind}


def test_rows_that_repeat_are_pointed_out_where_nothing_numbers_them(tmp_path):
    rows = "time,visitor,url,ref\n" + 2 * "2026-03-02T08:00:00Z,ann,https://a.example/x,https://b.example/\n"
    file = written(tmp_path, "pages.csv", rows)
    proposal = propose_mapping(file)
    assert [remark for remark in proposal.remarks if "exactly alike" in remark]
    assert proposal.content["referrer"] == "ref"
    events, _ = events_of(tmp_path / "repeats", file)
    assert len({event["event_id"] for event in events}) == 1
    numbered = written(tmp_path, "numbered.csv", COMMA)
    assert not [remark for remark in propose_mapping(numbered).remarks if "exactly alike" in remark]

"""Money is summed in the currency of the site; what no rate converts counts as bought and stands apart."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.home import Home
from ml.site.exchange_rates import publish_exchange_rates
from tests.dbt_project.built import VARIABLES, Built, event, warehouse_in

DAY = 24 * 60
ITEMS = ("boots", "hat", "lamp", "sofa", "tent")
RATES = """day,currency,rate
2026-03-02,USD,0.90
2026-03-04,USD,0.80
2026-03-02,JPY,0.006
"""


def bought(
    day: float, value: float | None, currency: str | None, user: str = "ann", **fields: Any
) -> dict[str, Any]:
    properties = {} if currency is None else {"currency": currency}
    return event(
        day * DAY, "purchase", user_id=user, item_id="boots", value=value, properties=properties, **fields
    )


ORDERS = (
    bought(0, 50.0, "EUR"),
    bought(0.01, 10.0, None),  # in the currency of the site
    bought(0.02, 100.0, "USD"),  # 90 on Monday
    bought(1, 100.0, " usd "),  # Tuesday has no rate, Monday's holds: 90
    bought(2, 100.0, "USD"),  # 80 on Wednesday
    bought(2.01, -50.0, "USD"),  # given back: -40
    bought(3, 10_000.0, "JPY"),  # 60
    bought(12, 100.0, "USD"),  # 8 days after the last rate: none holds
    bought(12.01, -30.0, "USD"),
    bought(0, 200.0, "CHF", user="bea"),  # no rate
    bought(0.01, 0.0, "CHF", user="bea"),  # nothing is worth nothing
    bought(0.02, None, "CHF", user="bea"),
    bought(0.03, 7.0, "dollars", user="bea"),  # no code
    bought(0, 40.0, "USD", user="bot", device_type="bot"),
)


CORRECTED_RATES = RATES.replace("0.90", "1.00") + "2026-03-02,CHF,1.1\n2026-03-05,USD,1.20\n2026-03-05,SEK,1\n"
VIEWS = (
    *[event(5 * number, item_id=item, user_id="cid") for number, item in enumerate(ITEMS)],
    event(0, item_id="tent", user_id="dot"),
)
MARTS = ("users", "user_days", "sessions", "interactions", "daily_metrics", "items", "revenue_by_currency")


def publish(warehouse: Built, site: Path, rates: str | None, currency: str | None = "EUR") -> None:
    site.mkdir(exist_ok=True)
    file = site / "exchange_rates.csv"
    if rates is not None:
        file.write_text(rates)
    home = Home(warehouse.home.path, site=site)
    publish_exchange_rates(home, file.name, currency, 7)


def build_in_euro(warehouse: Built, *, full: bool = False) -> None:
    """Build what is read below for a site whose setting says that its currency is the euro."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIABLES, "currency", "EUR")
        warehouse.build(*MARTS, "training_users", full=full)


@pytest.fixture(scope="module")
def without_rates(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """Ann's and Bea's orders, and items that Cid and Dot view, before there is any rate."""
    warehouse = warehouse_in(tmp_path_factory.mktemp("money") / "home", manifest)
    warehouse.describe(
        boots={"price": 50.0, "currency": "EUR"},
        hat={"price": 30.0},  # in the currency of the site
        lamp={"price": 10_000.0, "currency": " jpy "},  # 60
        sofa={"price": 100.0, "currency": "USD"},  # 80 at the newest rate
        tent={"price": 900.0, "currency": "SEK"},  # no rate
    )
    warehouse.ingest(*ORDERS, *VIEWS)
    build_in_euro(warehouse)
    return warehouse


@pytest.fixture(scope="module")
def with_rates(tmp_path_factory: pytest.TempPathFactory, without_rates: Built) -> Built:
    """The same home once rates are published."""
    folder = tmp_path_factory.mktemp("rates")
    warehouse = without_rates.copy(folder / "home")
    publish(warehouse, folder / "site", RATES)
    build_in_euro(warehouse)
    return warehouse


@pytest.fixture(scope="module")
def with_corrected_rates(tmp_path_factory: pytest.TempPathFactory, with_rates: Built) -> Built:
    """The same home after a correction of a rate, and with rates of more currencies and days."""
    folder = tmp_path_factory.mktemp("corrected")
    warehouse = with_rates.copy(folder / "home")
    publish(warehouse, folder / "site", CORRECTED_RATES)
    build_in_euro(warehouse)
    return warehouse


def test_amounts_are_converted_by_the_rate_of_their_day(with_rates: Built) -> None:
    # 50 + 10 + 90 + 90 + 80 - 40 + 60
    buyers = "user_id in ('ann', 'bea')"
    for mart in ("users", "user_days", "sessions", "interactions"):
        sums = f"select user_id, sum(purchases)::int, sum(revenue) from {mart} where {buyers} group by all"
        assert sorted(with_rates.rows(sums)) == [("ann", 7, pytest.approx(340.0)), ("bea", 4, 0.0)], mart
    unconverted = f"select user_id, sum(unconverted_purchases)::int from {{}} where {buyers} group by all"
    for mart in ("users", "user_days", "sessions"):
        assert sorted(with_rates.rows(unconverted.format(mart))) == [("ann", 1), ("bea", 2)], mart
    totals = "select sum(purchases)::int, sum(unconverted_purchases)::int, sum(revenue) from daily_metrics"
    assert with_rates.rows(totals) == [(11, 3, pytest.approx(340.0))]
    assert with_rates.rows("select sum(purchases)::int, sum(revenue) from items") == [(11, pytest.approx(340.0))]
    assert with_rates.rows("select purchases, revenue from items where item_id = 'boots'") == [
        (11, pytest.approx(340.0))
    ]

    columns = "currency, purchases::int, refunds::int, original_amount, revenue, unconverted_amount"
    monday, wednesday, later = (dt.date(2026, 3, 2) + dt.timedelta(days=days) for days in (0, 2, 12))
    by_day = f"select {columns} from revenue_by_currency where date = '{{}}' order by 1"
    assert with_rates.rows(by_day.format(monday)) == [
        ("CHF", 3, 0, 200.0, 0.0, 200.0),
        ("EUR", 2, 0, 60.0, 60.0, 0.0),
        ("USD", 1, 0, 100.0, 90.0, 0.0),
        ("XXX", 1, 0, 7.0, 0.0, 7.0),
    ]
    assert with_rates.rows(by_day.format(wednesday)) == [("USD", 1, 1, 50.0, 40.0, 0.0)]
    assert with_rates.rows(by_day.format(later)) == [("USD", 1, 1, 70.0, 0.0, 70.0)]


def test_a_changed_rate_rebuilds_what_it_concerns(
    without_rates: Built, with_rates: Built, with_corrected_rates: Built, tmp_path: Path
) -> None:
    money = "select user_id, revenue, unconverted_purchases from users where user_id in ('ann', 'bea') order by 1"
    assert without_rates.rows(money) == [("ann", 60.0, 5), ("bea", 0.0, 2)]
    assert with_rates.rows(money) == [("ann", pytest.approx(340.0), 1), ("bea", 0.0, 2)]
    assert with_corrected_rates.rows(money) == [
        ("ann", pytest.approx(360.0), 1), ("bea", pytest.approx(220.0), 1)
    ]  # fmt: skip
    whole = with_corrected_rates.copy(tmp_path / "home")
    build_in_euro(whole, full=True)
    for mart in ("sessions", "daily_metrics"):
        assert with_corrected_rates.rows(f"from {mart} order by all") == whole.rows(f"from {mart} order by all")


def test_prices_are_compared_in_the_currency_of_the_site(with_rates: Built, with_corrected_rates: Built) -> None:
    prices = [("boots", 50.0), ("hat", 30.0), ("lamp", 60.0), ("sofa", 80.0), ("tent", None)]
    assert with_rates.rows("select item_id, site_price from items order by item_id") == prices
    seen = (
        "select user_id, mean_price_viewed, product_views from {} where user_id in ('cid', 'dot') order by user_id"
    )
    assert with_rates.rows(seen.format("users")) == [("cid", 55.0, 5), ("dot", None, 1)]

    assert with_corrected_rates.rows(seen.format("users")) == [("cid", 232.0, 5), ("dot", 900.0, 1)]
    # On Tuesday a dollar was still worth 1.00, and what a krona is worth was not known.
    frame = seen.format("training_users(timestamp '2026-03-03 12:00')")
    assert with_corrected_rates.rows(frame) == [("cid", 60.0, 5), ("dot", None, 1)]


def test_without_a_setting_the_commonest_currency_is_that_of_the_site(tmp_path: Path, manifest: Manifest) -> None:
    warehouse = warehouse_in(tmp_path / "home", manifest)
    pounds = [bought(number, 5.0, "GBP", user=f"user {number}") for number in range(3)]
    warehouse.ingest(*pounds, bought(0, 100.0, "USD"), bought(0, 10_000.0, "JPY"))
    warehouse.build("users", "revenue_by_currency")
    assert warehouse.rows(
        "select sum(revenue), sum(purchases)::int, sum(unconverted_purchases)::int from users"
    ) == [(15.0, 5, 2)]
    # more dollars come, and the currency of the site changes with them
    warehouse.ingest(*[bought(number, 1.0, "USD", user="cid") for number in range(9)])
    warehouse.build("users", "revenue_by_currency")
    assert warehouse.rows("select sum(revenue), sum(unconverted_purchases)::int from users") == [(109.0, 4)]
    assert warehouse.rows("select distinct site_currency from revenue_by_currency") == [("USD",)]


def test_a_log_that_names_no_currency_has_one_kind_of_money(warehouse: Built) -> None:
    warehouse.ingest(bought(0, 3.0, None), bought(1, 4.0, None))
    warehouse.build("users", "revenue_by_currency")
    assert warehouse.rows("select revenue, unconverted_purchases from users") == [(7.0, 0)]
    assert warehouse.rows("select currency, sum(revenue) from revenue_by_currency group by all") == [("", 7.0)]


def test_without_purchases_the_currency_of_most_prices_is_the_sites(warehouse: Built, tmp_path: Path) -> None:
    publish(warehouse, tmp_path / "site", None, None)
    warehouse.describe(
        boots={"price": 50.0, "currency": "USD"},
        hat={"price": 30.0, "currency": "USD"},
        lamp={"price": 10_000.0, "currency": "JPY"},
    )
    warehouse.ingest(event(0, item_id="boots", user_id="ann"), event(5, item_id="lamp", user_id="ann"))
    warehouse.build("users", "items")
    assert warehouse.rows("select item_id, site_price from items order by item_id") == [
        ("boots", 50.0), ("hat", 30.0), ("lamp", None),
    ]  # fmt: skip
    assert warehouse.rows("select mean_price_viewed from users") == [(50.0,)]

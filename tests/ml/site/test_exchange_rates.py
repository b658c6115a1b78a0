"""The site's table of exchange rates, as it is read and refused."""

import datetime as dt

import pyarrow.parquet as pq
import pytest

from ml.home import Home
from ml.site.exchange_rates import ExchangeRateError, publish_exchange_rates, read_exchange_rates


def day(number):
    return dt.date(2026, 3, number)


def test_a_rate_holds_until_the_next_and_not_for_ever(tmp_path):
    file = tmp_path / "rates.csv"
    file.write_text(
        "currency,rate,day,source\nusd,0.9,2026-03-02,bank\nUSD,0.8,2026-03-20,bank\nJPY,0.006,2026-03-03,\n"
    )
    assert [tuple(row.values()) for row in read_exchange_rates(file, 7).to_pylist()] == [
        ("JPY", day(3), day(10), 0.006),
        ("USD", day(2), day(9), 0.9),
        ("USD", day(20), day(27), 0.8),
    ]
    assert [row["valid_until"] for row in read_exchange_rates(file, 30).to_pylist()[1:]] == [
        day(20),
        dt.date(2026, 4, 19),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day,currency\n", "the column 'rate' is missing; the columns are day, currency, rate"),
        ("day,currency,rate\nyesterday,USD,1\n", "line 2: day is 'yesterday', not a day such as"),
        ("day,currency,rate\n2026-03-02,$,1\n", r"line 2: currency is '\$', not a code of ISO 4217"),
        ("day,currency,rate\n2026-03-02,XYZ,1\n", "line 2: currency is 'XYZ'"),
        ("day,currency,rate\n2026-03-02,USD,\n", "line 2: rate is '', not a number"),
        ("day,currency,rate\n2026-03-02,USD,0\n", "line 2: rate is 0, not above zero"),
        ("day,currency,rate\n2026-03-02,USD,inf\n", "line 2: rate is inf, not above zero"),
        ("day,currency,rate\n2026-03-02,USD,1\n2026-03-02,usd,2\n", "line 3: USD has two rates on 2026-03-02"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path, text, message):
    file = tmp_path / "rates.csv"
    file.write_text(text)
    with pytest.raises(ExchangeRateError, match=message):
        read_exchange_rates(file, 7)


def test_rates_need_a_currency_and_leave_the_home_with_the_file(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    home, file = Home(tmp_path / "home", site=site), site / "rates.csv"
    file.write_text("day,currency,rate\n2026-03-02,USD,0.9\n")
    with pytest.raises(ExchangeRateError, match=r"set `warehouse\.currency`"):
        publish_exchange_rates(home, file.name, None, 7)
    publish_exchange_rates(home, file.name, "EUR", 7)
    (written,) = home.exchange_rates.iterdir()
    assert pq.read_table(written).num_rows == 1
    file.unlink()
    publish_exchange_rates(home, file.name, "EUR", 7)
    assert list(home.exchange_rates.iterdir()) == []

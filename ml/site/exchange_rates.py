"""The site's table of exchange rates: what one unit of a currency is worth in the currency of the site, by day."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from babel.numbers import list_currencies

from ml.errors import TesseraError
from ml.home import Home, replace_file
from ml.site.definition_files import definition_file

COLUMNS = ("day", "currency", "rate")
RATE_SCHEMA = pa.schema(
    [
        ("currency", pa.string()),
        ("valid_from", pa.date32()),
        ("valid_until", pa.date32()),  # the first day on which it does not hold any more
        ("rate", pa.float64()),
    ]
)


class ExchangeRateError(TesseraError, ValueError):
    """The table of rates is not usable; the message names the file and the line."""


def read_exchange_rates(file: Path, max_age_days: int) -> pa.Table:
    """Read a CSV file with the columns `day` (ISO 8601), `currency` (ISO 4217) and `rate`, in any order of rows.

    A rate holds from its day on until the next day that has one, for `max_age_days` days at most.

    Returns:
        A table of RATE_SCHEMA; per currency, the days of its rows do not overlap.

    Raises:
        ExchangeRateError: A column is missing, or a value is no day, currency or number above zero, or a day has
            two rates.
    """
    try:
        reader = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise ExchangeRateError(f"{file}: {error}") from error
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ExchangeRateError(
            f"{file}: the column {missing[0]!r} is missing; the columns are {', '.join(COLUMNS)}"
        )
    currencies = list_currencies()
    rates: dict[str, dict[dt.date, float]] = {}
    for row in reader:
        where = f"{file}, line {reader.line_num}"
        day, currency, rate = _read_row(row, where, currencies)
        if day in rates.setdefault(currency, {}):
            raise ExchangeRateError(f"{where}: {currency} has two rates on {day}")
        rates[currency][day] = rate
    rows = []
    for currency, by_day in sorted(rates.items()):
        days = sorted(by_day)
        for day, following in zip(days, [*days[1:], dt.date.max], strict=True):
            until = day + dt.timedelta(days=min(max_age_days, (dt.date.max - day).days))
            rows.append((currency, day, min(following, until), by_day[day]))
    return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 4, schema=RATE_SCHEMA)


def publish_exchange_rates(home: Home, name: str, currency: str | None, max_age_days: int) -> None:
    """Write the site's rates into the home, where the warehouse reads them; without a file there are none.

    Args:
        home: The home, which knows its site.
        name: Name of the file in the site's folder.
        currency: Currency of the site.
        max_age_days: How many days a rate holds.

    Raises:
        ExchangeRateError: The file is not usable, or nothing says which currency its rates convert to.
    """
    file, target = definition_file(home, name), home.exchange_rates / "rates.parquet"
    if not file.exists():
        target.unlink(missing_ok=True)
        return
    rates = read_exchange_rates(file, max_age_days)
    if rates.num_rows and currency is None:
        raise ExchangeRateError(f"{file}: set `warehouse.currency`, the currency to which these rates convert")
    content = io.BytesIO()
    pq.write_table(rates, content)
    replace_file(target, content.getvalue())


def _read_row(row: dict[str, str | None], where: str, currencies: Collection[str]) -> tuple[dt.date, str, float]:
    day, currency, rate = ((row[name] or "").strip() for name in COLUMNS)
    try:
        date = dt.date.fromisoformat(day)
    except ValueError as error:
        raise ExchangeRateError(f"{where}: day is {day!r}, not a day such as 2026-03-01") from error
    if currency.upper() not in currencies:
        raise ExchangeRateError(f"{where}: currency is {currency!r}, not a code of ISO 4217 such as USD")
    try:
        number = float(rate)
    except ValueError as error:
        raise ExchangeRateError(f"{where}: rate is {rate!r}, not a number") from error
    if not (math.isfinite(number) and number > 0):
        raise ExchangeRateError(f"{where}: rate is {rate}, not above zero")
    return date, currency.upper(), number

"""UCI Online Retail: every invoice line of a shop, with cancellations, anonymous buyers and bad prices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64, Bools
from ml.events.contract import TIMESTAMP
from ml.sources.source import SourceBatch, reject
from ml.tables.chunks import Chunk
from ml.tables.conversion import as_number, as_text, as_timestamp, flatten, json_objects, translate_codes
from ml.tables.input_checks import check_columns, check_input_file
from ml.tables.readers import count_rows, read_chunks

COLUMNS = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
# What the second edition of the data set calls them.
SECOND_EDITION = {"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}
YEARS = (dt.datetime(2009, 12, 1, tzinfo=dt.UTC), dt.datetime(2011, 12, 31, tzinfo=dt.UTC))
CURRENCY = "GBP"
SHOP_TIMEZONE = "Europe/London"
# Stock codes of postage, manual corrections and discounts: money of a purchase, but nothing to recommend.
NOT_PRODUCTS = ("POST", "DOT", "C2", "M", "m", "D", "PADS")
# Bank charges, marketplace fees, charity commission, samples, bad debt: the shop's own bookings, bought by nobody.
BOOKINGS = ("BANK CHARGES", "AMAZONFEE", "CRUK", "S", "B")
COUNTRIES = {
    "United Kingdom": "GB", "France": "FR", "Australia": "AU", "Netherlands": "NL", "Germany": "DE",
    "Norway": "NO", "EIRE": "IE", "Switzerland": "CH", "Spain": "ES", "Poland": "PL", "Portugal": "PT",
    "Italy": "IT", "Belgium": "BE", "Lithuania": "LT", "Japan": "JP", "Iceland": "IS", "Denmark": "DK",
    "Cyprus": "CY", "Sweden": "SE", "Austria": "AT", "Israel": "IL", "Finland": "FI", "Bahrain": "BH",
    "Greece": "GR", "Hong Kong": "HK", "Singapore": "SG", "Lebanon": "LB", "United Arab Emirates": "AE",
    "Saudi Arabia": "SA", "Czech Republic": "CZ", "Canada": "CA", "Brazil": "BR", "USA": "US",
    "Malta": "MT", "RSA": "ZA",
}  # fmt: skip


class OnlineRetail:
    """The invoice lines as one Parquet or CSV file."""

    name = "online_retail"
    description = "UCI Online Retail: invoice lines as one Parquet or CSV file"

    def files(self, path: Path) -> Sequence[Path]:
        """The file of invoice lines."""
        return [check_input_file(self._path(path))]

    def count(self, path: Path) -> int | None:
        """Lines, from the file's footer."""
        return count_rows(self._path(path))

    def batches(self, path: Path) -> Iterator[SourceBatch]:
        """One purchase a line, negative where cancelled, and of no money where it was free.

        A line without price and customer is a correction of the stock, which is a booking of the shop's own. Lines
        without a price, or with a negative one, are rejected.
        """
        lines = InvoiceLineNumbers()
        for chunk in _chunks(self._path(path)):
            yield _purchases(chunk, lines.number(as_text(chunk.table["InvoiceNo"])))

    def items(self, path: Path) -> Iterator[pa.Table]:
        """Products with the last description and price seen."""
        seen: dict[str, tuple[str | None, float]] = {}
        for chunk in _chunks(self._path(path)):
            price, _ = as_number(chunk.table["UnitPrice"])
            titles = as_text(chunk.table["Description"]).to_pylist()
            codes = as_text(chunk.table["StockCode"]).to_pylist()
            for code, title, cost in zip(codes, titles, price.to_pylist(), strict=True):
                if code and cost and cost > 0 and code not in NOT_PRODUCTS + BOOKINGS:
                    seen[code] = (title or seen.get(code, (None, 0.0))[0], cost)
        yield pa.table(
            {
                "item_id": pa.array(list(seen), pa.string()),
                "title": pa.array([title and title.capitalize() for title, _ in seen.values()], pa.string()),
                "price": pa.array([price for _, price in seen.values()], pa.float64()),
                "currency": pa.repeat(CURRENCY, len(seen)),
                "language": pa.repeat("en", len(seen)),
            }
        )

    def _path(self, path: Path) -> Path:
        return path / "online_retail.parquet" if path.is_dir() else path


class InvoiceLineNumbers:
    """Numbers the lines of each invoice from 0, over the chunks of a file in which invoices are contiguous."""

    def __init__(self) -> None:
        self._invoice: str | None = None
        self._next = 0

    def number(self, invoices: pa.Array) -> I64:
        """Line numbers (int64, one a row) of the next chunk's invoice numbers."""
        if not len(invoices):
            return np.arange(0)
        codes = np.asarray(pc.fill_null(pc.dictionary_encode(invoices).indices, -1))
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
        begin = np.repeat(starts, np.diff(np.r_[starts, len(codes)]))
        numbers = np.arange(len(codes)) - begin
        if invoices[0].as_py() == self._invoice:
            numbers[begin == 0] += self._next
        self._invoice = invoices[-1].as_py()
        self._next = int(numbers[-1]) + 1
        return numbers


def _chunks(path: Path) -> Iterator[Chunk]:
    """The chunks of the file, with the columns of the first edition whichever edition it is."""
    for chunk in read_chunks(path):
        names = [SECOND_EDITION.get(name, name) for name in chunk.table.column_names]
        check_columns(path, names, COLUMNS)
        yield Chunk(chunk.table.rename_columns(names), chunk.numbers, chunk.rejected)


def _dates(column: pa.ChunkedArray) -> tuple[pa.Array, Bools]:
    """Times of invoices: ISO 8601, or the day or the month first, whichever lies within the years of the shop."""
    times, bad = as_timestamp(column, timezone=SHOP_TIMEZONE)
    if not bad.any():
        return times, bad
    text = pc.replace_substring_regex(as_text(column), r"[/.]", "-")
    unread = pc.if_else(pa.array(bad), text, pa.scalar(None, pa.string()))
    for form in ("%m-%d-%Y %H:%M", "%d-%m-%Y %H:%M"):
        dates, wrong = as_timestamp(unread, form=form, timezone=SHOP_TIMEZONE)
        first, last = (pa.scalar(moment, TIMESTAMP) for moment in YEARS)
        is_sane = pc.all(pc.and_(pc.greater_equal(dates, first), pc.less(dates, last))).as_py()
        if not (wrong & bad).any() and is_sane is not False:
            return pc.coalesce(times, dates), np.zeros(len(bad), dtype=bool)
    return times, bad


def _purchases(chunk: Chunk, lines: I64) -> SourceBatch:
    table = chunk.table
    price, bad_price = as_number(table["UnitPrice"])
    quantity, bad_quantity = as_number(table["Quantity"])
    occurred_at, bad_time = _dates(table["InvoiceDate"])
    no_price = bad_price | ~np.asarray(pc.fill_null(pc.greater_equal(price, 0), False))
    no_quantity = bad_quantity | ~np.asarray(pc.fill_null(pc.not_equal(quantity, 0), False))
    no_time = bad_time | np.asarray(pc.is_null(occurred_at))
    rejects = [
        chunk.rejected,
        reject(chunk, no_price, "UnitPrice", "is not a price of zero or more"),
        reject(chunk, no_quantity & ~no_price, "Quantity", "is not a number of pieces"),
        reject(chunk, no_time & ~no_quantity & ~no_price, "InvoiceDate", "is not a time"),
    ]
    good = ~(no_price | no_quantity | no_time)
    invoice, stock = as_text(table["InvoiceNo"]), as_text(table["StockCode"])
    customer = as_text(table["CustomerID"])
    country = translate_codes(table["Country"], COUNTRIES)
    is_correction = pc.and_(pc.is_null(customer), pc.equal(price, 0))
    booking = pc.or_(pc.is_in(stock, pa.array(BOOKINGS)), pc.fill_null(is_correction, False))
    is_product = pc.invert(pc.is_in(stock, pa.array(NOT_PRODUCTS + BOOKINGS)))
    nothing = pa.scalar(None, pa.string())
    unmapped = pc.if_else(pc.is_null(country), as_text(table["Country"]), nothing)
    properties = json_objects(
        {
            "currency": pa.repeat(CURRENCY, len(table)),
            "quantity": pc.cast(quantity, pa.int64(), safe=False),
            "unit_price": price,
            "order_id": invoice,
            "invoice": invoice,
            "stock_code": pc.if_else(is_product, nothing, stock),
            "description": as_text(table["Description"]),
            "country_name": unmapped,
        }
    )
    events = pa.table(
        {
            "event_id": pc.binary_join_element_wise(
                "retail", invoice, stock, pc.cast(pa.array(lines), pa.string()), "-"
            ),
            "event_type": pc.if_else(booking, "custom:booking", "purchase"),
            "occurred_at": occurred_at,
            "user_id": customer,
            # a buyer without an account is somebody for as long as one invoice
            "anonymous_id": pc.if_else(
                pc.is_null(customer), pc.binary_join_element_wise("invoice", invoice, "-"), nothing
            ),
            "session_id": invoice,
            "item_id": pc.if_else(is_product, stock, nothing),
            "value": pc.multiply(quantity, price),
            "properties": properties,
            "timezone": pc.if_else(pc.equal(country, "GB"), SHOP_TIMEZONE, nothing),
            "country": flatten(country),
            "row": pa.array(chunk.numbers),
        }
    ).filter(pa.array(good))
    return SourceBatch(events, pa.concat_tables(rejects), len(table) + len(chunk.rejected))

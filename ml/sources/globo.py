"""The click log of the G1 news portal (Globo.com, October 2017) and its article metadata.

The log comes without a legend. Countries, states, systems and devices are numbered in alphabetical order, which
the shares and the hours of their clicks confirm; the referrer's words are read off behaviour and are less sure,
so the code is kept beside the word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import TIMESTAMP
from ml.sources.source import SourceBatch, SourceError, reject
from ml.tables.chunks import Chunk
from ml.tables.conversion import as_number, as_text, as_timestamp, flatten, translate_codes
from ml.tables.csv_tables import read_csv
from ml.tables.input_checks import check_input_file
from ml.tables.readers import count_rows, read_parquet

CLICKS = "clicks.parquet"
ARTICLES = "articles_metadata.csv"
COLUMNS = (
    "user_id", "session_id", "session_start", "session_size", "click_article_id", "click_timestamp",
    "click_environment", "click_deviceGroup", "click_os", "click_country", "click_region", "click_referrer_type",
)  # fmt: skip
# 712 clicks up to a month after the log's last full day: outliers.
END_OF_LOG = dt.datetime(2017, 10, 18, tzinfo=dt.UTC)

ENVIRONMENTS = {1: "instant_article", 2: "app", 4: "web"}
DEVICES = {"1": "desktop", "2": "other", "3": "mobile", "4": "tablet", "5": "tv"}
SYSTEMS = {
    "2": "Android", "3": "BlackBerry OS", "5": "Chrome OS", "12": "Mac OS X", "13": "Linux",
    "17": "Windows", "19": "Windows Phone", "20": "iOS",
}  # fmt: skip
COUNTRIES = {
    "1": "BR", "2": "CA", "3": "DE", "4": "ES", "5": "FR", "6": "GB", "7": "IT", "8": "JP", "9": "PT", "10": "US",
}  # fmt: skip
BY_ENGLISH_NAME = "AC AL AP AM BA CE ES DF GO MA MT MS MG PA PB PR PE PI RN RS RJ RO RR SC SP SE TO"
STATES = {str(code): state for code, state in enumerate(BY_ENGLISH_NAME.split(), start=1)}
REFERRERS = {1: "internal", 2: "direct", 3: "referral", 4: "referral", 5: "search", 6: "referral", 7: "social"}

ZONES_OF_STATES = {
    "AC": "America/Rio_Branco", "AL": "America/Maceio", "AM": "America/Manaus", "AP": "America/Belem",
    "BA": "America/Bahia", "CE": "America/Fortaleza", "MA": "America/Fortaleza", "MS": "America/Campo_Grande",
    "MT": "America/Cuiaba", "PA": "America/Belem", "PB": "America/Fortaleza", "PE": "America/Recife",
    "PI": "America/Fortaleza", "RN": "America/Fortaleza", "RO": "America/Porto_Velho", "RR": "America/Boa_Vista",
    "SE": "America/Maceio", "TO": "America/Araguaina",
}  # fmt: skip
ZONES_OF_COUNTRIES = {
    "BR": "America/Sao_Paulo", "DE": "Europe/Berlin", "ES": "Europe/Madrid", "FR": "Europe/Paris",
    "GB": "Europe/London", "IT": "Europe/Rome", "JP": "Asia/Tokyo", "PT": "Europe/Lisbon",
}  # fmt: skip
SHORT_WORDS, LONG_WORDS = 150, 250


class Globo:
    """A folder with `clicks.parquet` and, if there, `articles_metadata.csv`; or the click file itself."""

    name = "globo"
    description = "click log of the G1 news portal: a folder with clicks.parquet and articles_metadata.csv"

    def files(self, path: Path) -> Sequence[Path]:
        """The click log, and the metadata where it lies beside it."""
        clicks, articles = self._paths(path)
        return [check_input_file(clicks), *([check_input_file(articles)] if articles.exists() else [])]

    def count(self, path: Path) -> int | None:
        """Clicks, from the file's footer."""
        return count_rows(self._paths(path)[0])

    def batches(self, path: Path) -> Iterator[SourceBatch]:
        """One page_view a click; clicks after the log's last day are rejected."""
        for chunk in read_parquet(self._paths(path)[0], COLUMNS):
            yield _page_views(chunk)

    def items(self, path: Path) -> Iterator[pa.Table]:
        """Articles with metadata. The log gives no titles or texts."""
        articles = self._paths(path)[1]
        if articles.exists():
            required = ("article_id", "category_id", "created_at_ts", "publisher_id", "words_count")
            for chunk in read_csv(check_input_file(articles), required):
                yield _articles(chunk.table)

    def _paths(self, path: Path) -> tuple[Path, Path]:
        if path.is_dir():
            if not (path / CLICKS).exists():
                raise SourceError(f"{path}: has no {CLICKS}. Give the folder of the Globo log, or the click file")
            return path / CLICKS, path / ARTICLES
        return path, path.parent / ARTICLES


def _page_views(chunk: Chunk) -> SourceBatch:
    occurred_at = pc.cast(chunk.table["click_timestamp"], pa.timestamp("ms", tz="UTC"))
    outlier = np.asarray(pc.greater_equal(occurred_at, pa.scalar(END_OF_LOG, occurred_at.type)))
    rejected = reject(
        chunk, outlier, "click_timestamp", "lies after 2017-10-17, the last day of the log: an outlier"
    )
    keep = pa.array(~outlier)
    table = chunk.table.filter(keep)
    country = translate_codes(table["click_country"], COUNTRIES)
    region, zone = _places(table["click_region"], country)
    session = as_text(table["session_id"])
    article = as_text(table["click_article_id"])
    stamp = as_text(table["click_timestamp"])
    events = pa.table(
        {
            "event_id": pc.binary_join_element_wise("globo", session, stamp, article, "-"),
            "event_type": pa.repeat("page_view", len(table)),
            "occurred_at": pc.cast(occurred_at.filter(keep), TIMESTAMP),
            "user_id": as_text(table["user_id"]),
            "session_id": session,
            "item_id": article,
            "properties": _properties(table),
            "device_type": translate_codes(table["click_deviceGroup"], DEVICES),
            "os": translate_codes(table["click_os"], SYSTEMS),
            "timezone": zone,
            "country": country,
            "region": region,
            "row": pa.array(chunk.numbers[~outlier]),
        }
    )
    return SourceBatch(events, rejected, len(chunk.table))


def _places(regions: pa.ChunkedArray, country: pa.Array) -> tuple[pa.Array, pa.Array]:
    """ISO 3166-2 codes and IANA zones; code 28 stands for every place outside Brazil."""
    by_state = {code: ZONES_OF_STATES.get(state, "America/Sao_Paulo") for code, state in STATES.items()}
    in_brazil = pc.fill_null(pc.equal(country, "BR"), False)
    nothing = pa.scalar(None, pa.string())
    region = translate_codes(regions, {code: f"BR-{state}" for code, state in STATES.items()})
    zone = translate_codes(regions, by_state)
    abroad = translate_codes(country, ZONES_OF_COUNTRIES)
    region = pc.if_else(in_brazil, region, nothing)
    return region, pc.coalesce(pc.if_else(in_brazil, zone, nothing), abroad)


def _properties(table: pa.Table) -> pa.Array:
    """Return the properties as JSON text; there are few distinct objects, so each is written once.

    `session_start` is left out, because the session_id begins with it.
    """
    names = ("click_environment", "click_referrer_type", "click_deviceGroup", "session_size")
    key = pc.binary_join_element_wise(*(pc.cast(table[name], pa.string()) for name in names), " ")
    encoded = flatten(key).dictionary_encode()
    texts = []
    for distinct in encoded.dictionary.to_pylist():
        environment, referrer, device, size = (int(code) for code in distinct.split(" "))
        facts = {
            "environment": ENVIRONMENTS.get(environment, str(environment)),
            "channel": REFERRERS.get(referrer, "other"),
            "referrer_code": referrer,
            "device_group": device,
            "session_size": size,
        }
        texts.append(orjson.dumps(facts).decode())
    return pa.array(texts, pa.string()).take(encoded.indices)


def _articles(table: pa.Table) -> pa.Table:
    length, _ = as_number(table["words_count"])
    category = as_text(table["category_id"])
    published_at, _ = as_timestamp(table["created_at_ts"], unit="ms")
    bucket = pc.if_else(
        pc.less(length, SHORT_WORDS), "short", pc.if_else(pc.less(length, LONG_WORDS), "medium", "long")
    )
    features = [
        [f"category:{name}", f"length:{size}"]
        for name, size in zip(category.to_pylist(), bucket.to_pylist(), strict=True)
    ]
    return pa.table(
        {
            "item_id": as_text(table["article_id"]),
            "category": category,
            "language": pa.repeat("pt-BR", len(table)),
            "published_at": published_at,
            "features": pa.array(features, pa.list_(pa.string())),
        }
    )

"""Rows that broke the contract, kept with field and reason: nothing is lost."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import uuid
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.events.contract import TIMESTAMP
from ml.events.records import REJECTED_SCHEMA
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds

DEAD_LETTER_SCHEMA = pa.schema(
    [pa.field("source", pa.string()), *REJECTED_SCHEMA, pa.field("received_at", TIMESTAMP)]
)


class DeadLetters:
    """Parquet files below `home.dead_letters`, partitioned by date."""

    def __init__(self, home: Home) -> None:
        self.folder = home.dead_letters
        self._erased = ErasedIds(home)

    def write(self, rejected: pa.Table, source: str, now: dt.datetime, batch_id: str | None = None) -> None:
        """Keep rejected rows (REJECTED_SCHEMA). The same `batch_id` on the same day overwrites itself."""
        if not len(rejected):
            return
        table = self._without_erased(rejected.select(REJECTED_SCHEMA.names))
        table = table.add_column(0, "source", pa.array([source] * len(table), pa.string()))
        table = table.append_column("received_at", pa.array([now] * len(table), TIMESTAMP))
        folder = self.folder / f"received_date={now.date().isoformat()}"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{batch_id or uuid.uuid4().hex}.parquet"
        draft = target.with_suffix(".draft")
        pq.write_table(table.cast(DEAD_LETTER_SCHEMA), draft, compression="zstd")
        os.replace(draft, target)

    def _without_erased(self, rejected: pa.Table) -> pa.Table:
        self._erased.refresh()
        if not self._erased:
            return rejected
        texts = zip(rejected["payload"].to_pylist(), rejected["reason"].to_pylist(), strict=True)
        return rejected.filter(
            pa.array([not self._erased.names(f"{one} {two}") for one, two in texts], pa.bool_())
        )

    def read(self) -> pa.Table:
        """All dead letters, DEAD_LETTER_SCHEMA."""
        import pyarrow.dataset as ds  # noqa: PLC0415  (it brings pandas along, a second that a collector can spare)

        files = sorted(self.folder.glob("received_date=*/*.parquet"))
        return (
            ds.dataset(files, schema=DEAD_LETTER_SCHEMA).to_table() if files else DEAD_LETTER_SCHEMA.empty_table()
        )

    def drop_before(self, day: dt.date) -> int:
        """Remove the dead letters received before a day; returns how many rows went."""
        removed = 0
        for folder in sorted(self.folder.glob("received_date=*")):
            if dt.date.fromisoformat(folder.name.partition("=")[2]) < day:
                for file in folder.glob("*.parquet"):
                    removed += pq.read_metadata(file).num_rows
                shutil.rmtree(folder)
        return removed

    def counts(self) -> Mapping[str, int]:
        """Number of dead letters by "field reason", most frequent first, quoted values left out."""
        table = self.read()
        reason = pc.replace_substring_regex(table["reason"], "^'.*' ", "")
        label = pc.binary_join_element_wise(table["field"], reason, " ")
        found = pc.value_counts(label.combine_chunks() if isinstance(label, pa.ChunkedArray) else label)
        rows = [(entry["values"], entry["counts"]) for entry in found.to_pylist()]
        return dict(sorted(rows, key=lambda row: -row[1]))

"""Dead letters: rows that broke the contract, kept with the field and the reason, so that nothing is lost."""

from __future__ import annotations

import datetime as dt
import shutil
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml.events.contract import TIMESTAMP
from ml.events.records import REJECTED_SCHEMA
from ml.home import Home, make_folder
from ml.integrity.checked_tables import read_checked_table, write_named_by_content
from ml.integrity.digests import stem_of
from ml.privacy.erased_ids import ErasedIds

DEAD_LETTER_SCHEMA = pa.schema(
    [pa.field("source", pa.string()), *REJECTED_SCHEMA, pa.field("received_at", TIMESTAMP)]
)


class DeadLetters:
    """Parquet files below `home.dead_letters`, partitioned by the date of receipt."""

    def __init__(self, home: Home) -> None:
        self.folder = home.dead_letters
        self._erased = ErasedIds(home)

    def write(self, rejected: pa.Table, source: str, now: dt.datetime, batch_id: str | None = None) -> None:
        """Store rejected rows. A second call with the same `batch_id` on the same day replaces the first.

        Args:
            rejected: Rows with REJECTED_SCHEMA's columns.
            source: The tracker or file source that brought them.
            now: When they were received.
            batch_id: Name of the batch; a random name if absent.
        """
        if not len(rejected):
            return
        table = self._without_erased(rejected.select(REJECTED_SCHEMA.names))
        table = table.add_column(0, "source", pa.array([source] * len(table), pa.string()))
        table = table.append_column("received_at", pa.array([now] * len(table), TIMESTAMP))
        folder = make_folder(self.folder / f"received_date={now.date().isoformat()}")
        write_named_by_content(table.cast(DEAD_LETTER_SCHEMA), folder, batch_id or uuid.uuid4().hex)

    def _without_erased(self, rejected: pa.Table) -> pa.Table:
        self._erased.refresh()
        if not self._erased:
            return rejected
        texts = zip(rejected["payload"].to_pylist(), rejected["reason"].to_pylist(), strict=True)
        kept = [not self._erased.is_named_in(f"{payload} {reason}") for payload, reason in texts]
        return rejected.filter(pa.array(kept, pa.bool_()))

    def rewrite(self, file: Path, kept: pa.Table) -> None:
        """Replace the rows of a sealed file by those that are kept."""
        write_named_by_content(kept.cast(DEAD_LETTER_SCHEMA), file.parent, stem_of(file))

    def read(self) -> pa.Table:
        """Read all dead letters, in DEAD_LETTER_SCHEMA.

        Raises:
            DamagedFileError: A file is damaged.
        """
        tables = [self.read_file(file) for file in self.files()]
        return pa.concat_tables(tables) if tables else DEAD_LETTER_SCHEMA.empty_table()

    def read_file(self, file: Path) -> pa.Table:
        """Read one sealed file, in DEAD_LETTER_SCHEMA.

        Raises:
            DamagedFileError: The file is damaged.
        """
        return read_checked_table(file).cast(DEAD_LETTER_SCHEMA)

    def files(self) -> list[Path]:
        """Return the files of sealed dead letters."""
        return sorted(self.folder.glob("received_date=*/*.parquet"))

    def drop_before(self, day: dt.date) -> int:
        """Remove the dead letters that were received before a day, and return the number of rows removed."""
        removed = 0
        for folder in sorted(self.folder.glob("received_date=*")):
            if dt.date.fromisoformat(folder.name.partition("=")[2]) < day:
                for file in folder.glob("*.parquet"):
                    removed += pq.read_metadata(file).num_rows
                shutil.rmtree(folder)
        return removed

    def counts(self) -> Mapping[str, int]:
        """Count the dead letters by "field reason" without quoted values, most frequent first."""
        rows = self.read().select(["field", "reason"]).to_pylist()
        counted = Counter(f"{row['field']} {reason_without_value(row['reason'])}" for row in rows)
        return dict(counted.most_common())


def reason_without_value(reason: str) -> str:
    """Return the reason of a dead letter without the bad value in quotes at its beginning."""
    return reason.rsplit(f"{reason[0]} ", 1)[-1] if reason[:1] in ("'", '"') else reason

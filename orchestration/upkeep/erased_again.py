"""Erases again, after a backup was restored, the people who were erased since it was made."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from ml.erasure.receipts import ErasureReceipts
from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.home import Home

IDS = ("user_id", "anonymous_id")


def begin_erasures_again(home: Home) -> int:
    """Open a receipt for each erased id that the event log still names.

    Returns:
        The number of receipts.
    """
    log, receipts = EventLog(home), ErasureReceipts(home)
    pending = {person for ids in receipts.pending().values() for person in ids}
    erased: set[str] = set()
    for batch in [*log.read(columns=IDS), *read_open_parts(log)]:
        for name in IDS:
            erased.update(log.erased.select(pa.chunked_array([batch[name]])).to_pylist())
    for person in sorted(erased - pending):
        receipts.open([person], dt.datetime.now(dt.UTC))
    return len(erased - pending)

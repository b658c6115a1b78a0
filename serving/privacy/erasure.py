"""Erases a person from the service at once, and opens a receipt for all other places."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool

from ml.erasure.log import count_open
from ml.erasure.people import find_person_ids
from ml.erasure.receipts import ONLINE_STATE, ErasureReceipts
from ml.events.log import EventLog
from ml.privacy.person_key import possible_person_keys
from serving.tessera import Tessera

OPEN_PLACES = ("event log", "dead letters")  # have open files, which sealing takes the person out of


async def erase(tessera: Tessera, desk: ErasureReceipts, user: str) -> dict[str, Any]:
    """Clear the online state, log the erasure, and open a receipt for all other places.

    From here on the person is a stranger to this service, and the log accepts no event of theirs.

    Returns:
        The receipt.

    Raises:
        StoreUnavailableError: The online state cannot be reached; nothing was done yet.
    """
    tessera.state.require_store()
    now, home = tessera.clock(), tessera.config.home
    # Every worker compares each write with the erased ids, so from here on none writes anything new of the person.
    tessera.erased.add([user])
    ids = await run_in_threadpool(find_person_ids, EventLog(home), user, tessera.pseudonyms)
    tessera.erased.add(person for person in ids if person != user)
    receipt = await run_in_threadpool(desk.open, ids, now)
    receipt_id = receipt["receipt_id"]
    for place, count in zip(OPEN_PLACES, await run_in_threadpool(count_open, home, ids), strict=True):
        desk.record_removed(receipt_id, place, count)
    for person in ids:
        for key in possible_person_keys(person):
            desk.record_removed(receipt_id, ONLINE_STATE, tessera.state.forget(key))
    desk.record_verified(receipt_id, ONLINE_STATE, "no change or profile of the person is left in store or memory")
    erased = {"event_type": "erased", "anonymous_id": receipt["subject"], "occurred_at": now.timestamp()}
    # Sealing takes the person out, so that a job that starts after the answer meets nothing of them in open files.
    await tessera.collector.record([{**erased, "properties": {"receipt_id": receipt_id}}], seal_after=True)
    return desk.receipt(receipt_id) or receipt

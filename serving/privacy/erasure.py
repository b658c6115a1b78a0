"""Erases a person from the service at once, and opens a receipt for all other places."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool

from ml.erasure.erased_again import begin_erasures_again
from ml.erasure.log import count_open
from ml.erasure.people import find_person_ids
from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ONLINE_STATE, ErasureReceipts
from ml.events.log import EventLog
from ml.privacy.person_key import ANONYMOUS, possible_person_keys
from serving.tessera import Tessera

OPEN_PLACES = ("event log", "dead letters")  # have open files, which sealing takes the person out of


async def erase(
    tessera: Tessera, desk: ErasureReceipts, person: str, *, is_device: bool = False
) -> dict[str, Any]:
    """Clear the online state, log the erasure, and open a receipt for all other places.

    From here on the person is a stranger to this service, and the log accepts no event of theirs.

    Args:
        tessera: The service.
        desk: The receipts.
        person: The id. It is erased as that of a user, with the user's devices, and as that of a device.
        is_device: Whether the id is erased as that of a device alone.

    Returns:
        The receipt.

    Raises:
        StoreUnavailableError: The online state cannot be reached; nothing was done yet.
    """
    tessera.state.require_store()
    now, home = tessera.clock(), tessera.config.home
    # Every worker compares each write with the erased ids, so from here on none writes anything new of the person.
    if is_device:
        ids = PersonIds((), (person,))
        tessera.erased.add((), ids.devices)
    else:
        tessera.erased.add([person])
        ids = await run_in_threadpool(find_person_ids, EventLog(home), person, tessera.pseudonyms)
        tessera.erased.add(ids.users[1:], ids.devices)
    receipt = await run_in_threadpool(desk.open, ids, now)
    tessera.share_erasures()
    receipt_id = receipt["receipt_id"]
    await _forget(tessera, desk, receipt_id, ids)
    erased = {"event_type": "erased", "anonymous_id": receipt["subject"], "occurred_at": now.timestamp()}
    # Sealing takes the person out, so that a job that starts after the answer meets nothing of them in open files.
    await tessera.collector.record([{**erased, "properties": {"receipt_id": receipt_id}}], seal_after=True)
    return desk.receipt(receipt_id) or receipt


async def follow_erasures(tessera: Tessera, desk: ErasureReceipts) -> None:
    """Erase from this home, too, whom services of other homes have erased.

    Receipts whose online state an earlier call could not clear are finished as well.

    Raises:
        StoreUnavailableError: The online state cannot be reached; the next call goes on.
    """
    await run_in_threadpool(begin_erasures_again, tessera.config.home)
    tessera.share_erasures()  # devices that only this home knew
    unfinished = await run_in_threadpool(desk.pending, ONLINE_STATE)
    for receipt_id, ids in unfinished.items():
        await _forget(tessera, desk, receipt_id, ids)


async def _forget(tessera: Tessera, desk: ErasureReceipts, receipt_id: str, ids: PersonIds) -> None:
    """Clear the online state of a person, and count what open files hold of them.

    A call that the store cuts short has counted nothing yet, so that the next one counts nothing twice.

    Raises:
        StoreUnavailableError: The online state cannot be reached.
    """
    keys = [key for person in ids.users for key in possible_person_keys(person)]
    for key in [*keys, *(ANONYMOUS + device for device in ids.devices)]:
        desk.record_removed(receipt_id, ONLINE_STATE, tessera.state.forget(key))
    desk.record_verified(receipt_id, ONLINE_STATE, "no change or profile of the person is left in store or memory")
    counts = await run_in_threadpool(count_open, tessera.config.home, ids)
    for place, count in zip(OPEN_PLACES, counts, strict=True):
        desk.record_removed(receipt_id, place, count)

"""Erases people whose ids are known to be erased and who are still in the log of this home.

A backup that was restored may hold people who were erased since, and a home beside others may hold people who were
erased in another one.
"""

from __future__ import annotations

import datetime as dt

from ml.erasure.people import find_person_ids
from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.home import Home, locked, make_folder
from ml.privacy.pseudonyms import Pseudonyms

IDS = ("user_id", "anonymous_id")


def begin_erasures_again(home: Home) -> dict[str, PersonIds]:
    """Open a receipt for each erased id that the event log still names, and for the devices of that person.

    Several workers may call it at once; the first one opens the receipts.

    Returns:
        The ids of each person, by receipt id.
    """
    with locked(make_folder(home.path / "erasures") / ".again.lock"):
        return _begin(home)


def _begin(home: Home) -> dict[str, PersonIds]:
    log, receipts, pseudonyms = EventLog(home), ErasureReceipts(home), Pseudonyms(home.path)
    log.erased.refresh()
    begun: dict[str, PersonIds] = {}
    covered = {person for ids in receipts.pending().values() for person in ids.all}
    users, devices = (set[str](), set[str]())
    for batch in read_all_events(log, IDS):
        users.update(log.erased.select_users(batch["user_id"]).to_pylist())
        devices.update(log.erased.select_devices(batch["anonymous_id"]).to_pylist())
    for person in [*sorted(users), *sorted(devices - users)]:  # the receipts of users cover their devices
        if person in covered:
            continue
        is_user = person in log.erased
        ids = find_person_ids(log, person, pseudonyms) if is_user else PersonIds((), (person,))
        log.erased.add(
            [user for user in ids.users if user not in log.erased],
            [device for device in ids.devices if not log.erased.has_device(device)],
        )
        receipt = receipts.open(ids, dt.datetime.now(dt.UTC))
        begun[receipt["receipt_id"]] = ids
        covered.update(ids.all)
    return begun

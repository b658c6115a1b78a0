"""Finds the ids that belong to a person: the user's id, and those of devices that nobody else used.

A site names its users, but everybody can name a device, also as another user, an item or a word of the event
contract is named. Erasing a person must change nothing of what else bears the name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ml.erasure.person_ids import PersonIds
from ml.events.contract import EVENT_SCHEMA
from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.privacy.id_matcher import looks_random
from ml.privacy.person_key import ANONYMOUS
from ml.privacy.pseudonyms import Pseudonyms

COLUMNS = ("user_id", "anonymous_id")
TEXTS = tuple(field.name for field in EVENT_SCHEMA if pa.types.is_string(field.type))
OTHER_TEXTS = tuple(name for name in TEXTS if name not in (*COLUMNS, "event_id", "properties"))


def find_person_ids(log: EventLog, user: str, pseudonyms: Pseudonyms) -> PersonIds:
    """Find the ids of a person.

    A device that another person used too is left out: its anonymous events may belong to either of them.

    Args:
        log: The event log.
        user: The user's id.
        pseudonyms: The pseudonyms of the site.
    """
    user_ids = [user, pseudonyms.pseudonymize(user)] if "@" in user else [user]
    people = pa.array(user_ids, pa.string())
    devices: set[str] = set()
    for batch in read_all_events(log, COLUMNS):
        used = batch["anonymous_id"].filter(pc.fill_null(pc.is_in(batch["user_id"], value_set=people), False))
        devices.update(used.drop_null().unique().to_pylist())
    if devices:
        names = pa.array(sorted(devices), pa.string())
        for batch in read_all_events(log, COLUMNS):
            others = pc.and_(
                pc.is_valid(batch["user_id"]), pc.invert(pc.is_in(batch["user_id"], value_set=people))
            )
            shared = batch["anonymous_id"].filter(
                pc.and_(others, pc.is_in(batch["anonymous_id"], value_set=names))
            )
            devices.difference_update(shared.unique().to_pylist())
    return PersonIds(tuple(user_ids), tuple(sorted(devices - set(user_ids))))


def names_to_erase(log: EventLog, people: Mapping[str, PersonIds]) -> dict[str, list[str]]:
    """Return the names under which everything but the log holds people, by receipt.

    They are the ids; of a device that is named as a user is, the key of the device, which differs from the user's.

    Args:
        log: The event log.
        people: The ids of each person, by receipt.
    """
    users = _find_users(log, {device for ids in people.values() for device in ids.devices})
    return {
        receipt: [*ids.users, *(ANONYMOUS + device if device in users else device for device in ids.devices)]
        for receipt, ids in people.items()
    }


def find_common_names(log: EventLog, people: Iterable[PersonIds]) -> frozenset[str]:
    """Find the ids of people that name something else as well, such as an item, a type of event or a property.

    An erasure takes such an id out of the columns that hold people, and out of no other. So it does with a device
    whose id is no random one or is that of a user.

    Args:
        log: The event log.
        people: The ids of each person.
    """
    every = list(people)
    ids = pa.array(sorted({person for person_ids in every for person in person_ids.all}), pa.string())
    devices = {device for person_ids in every for device in person_ids.devices}
    common = {device for device in devices if not looks_random(device)} | _find_users(log, devices)
    keys = {f"{json.dumps(person)}:": person for person in ids.to_pylist()}
    for batch in read_all_events(log, (*COLUMNS, *OTHER_TEXTS, "properties")):
        is_theirs = pc.or_(*(pc.fill_null(pc.is_in(batch[name], value_set=ids), False) for name in COLUMNS))
        of_others = batch.filter(pc.invert(is_theirs))
        for name in OTHER_TEXTS:
            values = of_others[name].unique()
            common.update(values.filter(pc.is_in(values, value_set=ids)).drop_null().to_pylist())
        for key in [key for key, person in keys.items() if person not in common]:
            if pc.any(pc.match_substring(of_others["properties"], key)).as_py():
                common.add(keys[key])
    return frozenset(common)


def find_longer_ids(log: EventLog, ids: Iterable[str]) -> list[str]:
    """Find the ids in the log that contain one of the given ids and are none of them."""
    people = list(ids)
    longer: set[str] = set()
    for batch in read_all_events(log, COLUMNS):
        for name in COLUMNS:
            distinct = batch[name].unique().drop_null()
            for person in people:
                longer.update(distinct.filter(pc.match_substring(distinct, person)).to_pylist())
    return sorted(longer - set(people))


def _find_users(log: EventLog, names: set[str]) -> set[str]:
    """Return those of the names that are ids of users."""
    if not names:
        return set()
    values, users = pa.array(sorted(names), pa.string()), set()
    for batch in read_all_events(log, COLUMNS):
        users.update(batch["user_id"].filter(pc.is_in(batch["user_id"], value_set=values)).unique().to_pylist())
    return users

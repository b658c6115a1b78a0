"""What people consent to, as their events say it under the keys of the user and of the devices."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Mapping

from ml.decisions.activity.state_change import CONSENTS, StateChange
from ml.decisions.activity.visitors import Visitor
from ml.events.personalization_consent import LOCATION, PERSONALIZATION, PersonalizationConsent


class Consents:
    """Folds what events say about consent into visitors, and knows whose device is whose.

    Args:
        visitors: People and devices by their keys, as they are added and dropped.
        most_devices: Number of devices whose owners are kept.
    """

    def __init__(self, visitors: Mapping[str, Visitor], most_devices: int) -> None:
        self._visitors = visitors
        self._most_devices = most_devices
        self._owners: OrderedDict[str, str] = OrderedDict()

    def fold(self, change: StateChange, visitor: Visitor) -> None:
        """Take in who is signed in on the device of an event, and what the event says about consent."""
        if change.device_key is not None:
            self._link(change.device_key, change.user, visitor)
        purposes = json.loads(change.detail) if change.detail and change.event_type in CONSENTS else ()
        self._fold_personalization(change, visitor, purposes)
        self._fold_location(change, visitor, purposes)

    def owner_of(self, device: str) -> str | None:
        """Return the key of the user who was last signed in on a device; None without one."""
        return self._owners.get(device)

    def find(self, *users: str | None) -> PersonalizationConsent:
        """Return what is known of the consent of a person under all of their keys; do not change the result.

        The user who was last signed in on a device counts as the device's person, too.

        Args:
            users: Keys of the person: of the user, of the device, or both.
        """
        keys = dict.fromkeys(key for user in users if user for key in (user, self._owners.get(user)) if key)
        records = [visitor.consent for key in keys if (visitor := self._visitors.get(key)) is not None]
        if len(records) == 1:
            return records[0]
        merged = PersonalizationConsent()
        for record in records:
            merged.merge(record)
        return merged

    def forget(self, user: str) -> None:
        """Drop the devices of a user, or a device."""
        for device in [device for device, owner in self._owners.items() if user in (device, owner)]:
            del self._owners[device]

    def _fold_personalization(self, change: StateChange, visitor: Visitor, purposes: Collection[str]) -> None:
        """Take in what an event says about personalization, for the person and for the owner of the device."""
        is_decision = PERSONALIZATION in purposes
        if change.event_type in CONSENTS and not change.detail:
            is_decision = change.event_type != "preference"
        owner = self._visitors.get(self._owners.get(change.user, ""))
        for record in (visitor.consent,) if owner is None else (visitor.consent, owner.consent):
            if change.lists_personalization is not None:
                record.state(change.at, bool(change.lists_personalization))
            if is_decision:
                record.decide(change.at, change.event_type == "consent_granted", change.authority)

    @staticmethod
    def _fold_location(change: StateChange, visitor: Visitor, purposes: Collection[str]) -> None:
        """Take in what an event says about the use of the location; a withdrawal stands above its own list."""
        says = change.lists_location
        if change.event_type == "consent_withdrawn" and LOCATION in purposes:
            says = False
        if says is not None and change.at >= visitor.located_at:
            visitor.located_at, visitor.may_locate = change.at, bool(says)

    def _link(self, device: str, user: str, visitor: Visitor) -> None:
        """Note that a user is signed in on a device, whose events say what the user consents to."""
        if self._owners.get(device) == user:
            return
        self._owners[device] = user
        if len(self._owners) > self._most_devices:
            self._owners.popitem(last=False)
        if device in self._visitors:
            visitor.consent.merge(self._visitors[device].consent)

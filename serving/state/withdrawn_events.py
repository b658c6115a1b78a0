"""Follows `tessera log quarantine`: what was taken out of the log by hand leaves the online state, too."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ml.decisions.activity.profiles import read_profiles
from ml.events.log import EventLog
from ml.events.quarantine import BY_HAND, Quarantine
from ml.home import FileVersion, file_version
from ml.privacy.person_key import person_key
from serving.state.online import SERVICE, OnlineState

PREFERENCE = "preference"


class WithdrawnEvents:
    """Takes events out of the online state of one worker once their lines stand in the quarantine.

    Args:
        state: The online state.
        quarantine: The quarantine.
        log: The event log, from which a profile is read anew.
    """

    def __init__(self, state: OnlineState, quarantine: Quarantine, log: EventLog) -> None:
        self._state = state
        self._quarantine = quarantine
        self._log = log
        self._version: FileVersion | None = None
        self._followed: set[tuple[str, str]] = set()

    async def follow(self) -> int:
        """Take out the events of lines that are new to this worker.

        Returns:
            Their number.

        Raises:
            StoreUnavailableError: The store cannot be reached; the next call tries again.
        """
        version = file_version(self._quarantine.path)
        if version is None or version == self._version:
            return 0
        entries = [entry for entry in self._quarantine.entries() if entry.where == BY_HAND and entry.event]
        listed = {(entry.event_id, entry.at): entry.event for entry in entries}
        new = {key: event for key, event in listed.items() if key not in self._followed}
        events = {}
        for event in filter(None, new.values()):
            user = person_key(event.get("user_id"), event.get("anonymous_id"))
            if user is not None:
                events[str(event["event_id"]), user] = str(event["event_type"])
        if events:
            await self._take_out(events)
        self._followed, self._version = set(listed), version
        return len(new)

    async def _take_out(self, events: Mapping[tuple[str, str], str]) -> None:
        """Take events out of memory and store, and read anew what their people had set by them.

        Args:
            events: The type of each event by its id and the key of its person.
        """
        users = {user for (_, user), event_type in events.items() if event_type == PREFERENCE}
        if users:
            # The log may still hold the events, which their lines in the quarantine precede.
            profiles = await asyncio.to_thread(read_profiles, self._log, self._quarantine, SERVICE, events.keys())
            for user in users:
                self._state.store.put_profile(user, profiles.get(user, {}))
        self._state.take_out(events)

"""People under pseudonyms, as addresses of the console name them, and the log of who looked at whom."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import OrderedDict
from collections.abc import Iterable

from ml.home import Home
from ml.privacy.person_key import ids_of_key, possible_person_keys
from ml.privacy.pseudonyms import Pseudonyms
from serving.console.line_log import LineLog
from serving.console.sign_in.roles import Reader
from serving.errors import ApiError
from serving.privacy.person_ids import clean_person, find_person_key
from serving.routes.bodies import check_person
from serving.tessera import Tessera

DIGITS = 24
MOST_KEPT = 10_000
RECENT = 20
ID_TYPES = {"": "Find out", "user": "User", "anonymous": "Browser"}


class PeopleDirectory:
    """Finds people by pseudonym.

    A pseudonym is a keyed hash with the key of the site. It stands in addresses, histories and logs in place of
    an id, and says nothing to who does not have the key.

    Args:
        tessera: The service, whose state and bundle hold the people.
    """

    def __init__(self, tessera: Tessera) -> None:
        self._tessera = tessera
        self._keys: OrderedDict[str, str] = OrderedDict()
        self._follows_erasures = False

    def pseudonym_of(self, key: str) -> str:
        """Return the pseudonym of a person, who is then found by it."""
        self._follow_erasures()
        pseudonym = make_pseudonym(self._tessera.pseudonyms, key)
        self._keys[pseudonym] = key
        self._keys.move_to_end(pseudonym)
        if len(self._keys) > MOST_KEPT:
            self._keys.popitem(last=False)
        return pseudonym

    def look_up(self, person: str, id_type: str = "") -> str:
        """Return the pseudonym of the person with an id.

        Args:
            person: The id.
            id_type: Whether it names a `user` or an `anonymous` browser; empty to find out.

        Raises:
            ApiError: 422, it is no id, or the type is none.
        """
        if id_type not in ID_TYPES:
            raise ApiError(422, f"id_type is {id_type[:40]!r}; it may be user, anonymous or empty", "id_type")
        person = clean_person(self._tessera, check_person(person.strip()))
        if id_type:
            return self.pseudonym_of(possible_person_keys(person)[id_type == "anonymous"])
        return self.pseudonym_of(find_person_key(self._tessera, person))

    async def find_key(self, pseudonym: str) -> str:
        """Return the key of the person with a pseudonym: of those looked up lately, in memory or in the bundle.

        Raises:
            ApiError: 404, nobody has it.
        """
        if pseudonym not in self._keys:
            index = self._tessera.champion.index
            people = [*self._tessera.state.activity.visitors, *(index.user_rows if index is not None else ())]
            key = await asyncio.to_thread(_find, self._tessera.pseudonyms, people, pseudonym)
            if key is None:
                raise ApiError(404, "nobody has this pseudonym here; find the person by their id", "person")
            self.pseudonym_of(key)
        return self._keys[pseudonym]

    def recent(self) -> list[tuple[str, float]]:
        """Return the pseudonyms of the latest visitors with the time of their last event, the newest first."""
        visitors = self._tessera.state.activity.visitors
        newest = []
        for key in reversed(visitors):
            newest.append((key, visitors[key].last_at))
            if len(newest) == 10 * RECENT:
                break
        newest.sort(key=lambda visitor: -visitor[1])
        return [(self.pseudonym_of(key), at) for key, at in newest[:RECENT]]

    def _follow_erasures(self) -> None:
        """Forget who is erased, from the first use on."""
        if not self._follows_erasures:
            self._tessera.state.subscribe_to_erasures(self._forget)
            self._follows_erasures = True

    def _forget(self, key: str) -> None:
        self._keys.pop(make_pseudonym(self._tessera.pseudonyms, key), None)


class LookLog(LineLog):
    """The log of who looked at whom, `console/looks.jsonl`, which names people by pseudonym.

    Args:
        home: The home.
    """

    def __init__(self, home: Home) -> None:
        super().__init__(home.path / "console" / "looks.jsonl")

    def record(self, reader: Reader, what: str, pseudonym: str, now: dt.datetime) -> None:
        """Write a line, which is on disk when the call returns."""
        self.append(
            {
                "at": now.isoformat(),
                "reader": reader.key_id,
                "role": reader.role,
                "what": what,
                "person": pseudonym,
            }
        )


def make_pseudonym(pseudonyms: Pseudonyms, key: str) -> str:
    """Return the pseudonym of the person with a key."""
    return pseudonyms.digest(f"console:{key}")[:DIGITS]


def describe_id(key: str) -> str:
    """Return an id with the word for what it names."""
    user_id, anonymous_id = ids_of_key(key)
    return f"user {user_id}" if user_id is not None else f"browser {anonymous_id}"


def _find(pseudonyms: Pseudonyms, people: Iterable[str], pseudonym: str) -> str | None:
    return next((key for key in people if make_pseudonym(pseudonyms, key) == pseudonym), None)

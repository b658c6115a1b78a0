"""Decides whether a person's data may be used for personalization: the rule that every reader of events follows.

A refusal stands until somebody of the same or a higher authority grants again (`CONSENT_RANKS`). Without a
standing refusal, the newest event that lists purposes decides, whatever its type. Without such an event the answer
is no. `dbt_project/macros/shared/consent.sql` holds the same rule for the marts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ml.events.contract import CONSENT_PURPOSES, CONSENT_RANKS

PERSONALIZATION = "personalization"
LOCATION = "location"
NEVER = -math.inf
_RANKS = max(CONSENT_RANKS.values())


def read_decided_purposes(
    event_type: str, consent: Sequence[str] | None, properties: Mapping[str, Any]
) -> Sequence[str]:
    """Return the purposes that an event grants, if it is a `consent_granted`, or else refuses.

    A withdrawal that names no purposes withdraws all of them. A preference refuses personalization if it opts out.

    Args:
        event_type: Type of the event.
        consent: The purposes that the event lists; None without a list.
        properties: The properties of the event.
    """
    if event_type == "consent_granted":
        return consent or ()
    if event_type == "consent_withdrawn":
        purposes = properties.get("purposes")
        return purposes if isinstance(purposes, list) else CONSENT_PURPOSES
    return (PERSONALIZATION,) if event_type == "preference" and properties.get("opt_out") is True else ()


class PersonalizationConsent:
    """What the events of one person say about personalization. Events may arrive in any order.

    Attributes:
        stated_at: Time of the newest event that lists purposes, Unix seconds; -inf before the first.
        is_stated: Whether that event lists personalization.
    """

    __slots__ = ("_granted_at", "_refused_at", "is_stated", "stated_at")

    def __init__(self) -> None:
        self.stated_at = NEVER
        self.is_stated = False
        # By rank, the lowest first; None until somebody refuses or grants, as most people never do.
        self._refused_at: list[float] | None = None
        self._granted_at: list[float] | None = None

    @property
    def is_granted(self) -> bool:
        """Whether personalization is granted now."""
        return self.is_stated and not self.has_refused

    @property
    def has_statement(self) -> bool:
        """Whether any event listed purposes."""
        return self.stated_at != NEVER

    @property
    def has_refused(self) -> bool:
        """Whether a refusal stands."""
        if self._refused_at is None:
            return False
        granted = self._granted_at or [NEVER] * _RANKS
        return any(at != NEVER and at >= max(granted[rank:]) for rank, at in enumerate(self._refused_at))

    def state(self, at: float, is_listed: bool) -> None:
        """Take in an event that lists purposes. Of two events of one moment, the stricter counts.

        Args:
            at: Time of the event, Unix seconds.
            is_listed: Whether personalization is among the purposes.
        """
        if at > self.stated_at:
            self.stated_at, self.is_stated = at, is_listed
        elif at == self.stated_at:
            self.is_stated = self.is_stated and is_listed

    def decide(self, at: float, is_grant: bool, authority: str | None) -> None:
        """Take in a grant or a refusal.

        Args:
            at: Time of the event, Unix seconds.
            is_grant: Whether it grants.
            authority: Who vouches for the event; None for the site's server.
        """
        rank = CONSENT_RANKS.get(authority or "server", CONSENT_RANKS["browser"]) - 1
        if is_grant:
            self._granted_at = self._granted_at or [NEVER] * _RANKS
            self._granted_at[rank] = max(self._granted_at[rank], at)
        else:
            self._refused_at = self._refused_at or [NEVER] * _RANKS
            self._refused_at[rank] = max(self._refused_at[rank], at)

    def merge(self, other: PersonalizationConsent) -> None:
        """Take in everything that another record holds of the same person, such as that of their device."""
        if other.stated_at != NEVER:
            self.state(other.stated_at, other.is_stated)
        if other._refused_at is not None:
            self._refused_at = _later(self._refused_at, other._refused_at)
        if other._granted_at is not None:
            self._granted_at = _later(self._granted_at, other._granted_at)


def _later(mine: list[float] | None, others: list[float]) -> list[float]:
    return list(others) if mine is None else [max(pair) for pair in zip(mine, others, strict=True)]

"""The bodies of requests as the API documents and checks them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from ml.privacy.id_matcher import MAX_ID_CHARS, find_id_fault
from ml.privacy.person_key import person_key

Identifier = Annotated[str, Field(min_length=1, max_length=256)]


def _integer_to_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_id(person: str) -> str:
    fault = find_id_fault(person)
    if fault is not None:
        raise ValueError(fault)
    return person


ItemId = Annotated[Identifier, BeforeValidator(_integer_to_text)]
PersonId = Annotated[
    str,
    BeforeValidator(_integer_to_text),
    AfterValidator(_check_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS}),
]


class Body(BaseModel):
    """The body of a request. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Filter(Body):
    """Which items may be shown. A list that is left out allows everything; prices are in the site's currency."""

    category: list[str] | None = None
    tags: list[str] | None = None
    language: list[str] | None = None
    item_ids: list[ItemId] | None = None
    max_price: float | None = Field(default=None, ge=0)


class RecommendationRequest(Body):
    """A request for items: for whom, how many, in which slot and in what situation."""

    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    session_id: PersonId | None = None
    k: int | None = Field(default=None, ge=1, strict=True)
    slot: Identifier | None = None
    context: dict[str, Any] = Field(default_factory=dict)
    exclude: list[ItemId] = Field(default_factory=list, max_length=10_000)
    filter: Filter | None = None
    at: AwareDatetime | None = None
    identity_token: str | None = None

    @model_validator(mode="after")
    def _check_year(self) -> RecommendationRequest:
        if self.at is not None and not 2000 <= self.at.year < 2100:
            raise ValueError("at must lie between the years 2000 and 2100")
        return self

    _counted_as: str | None = PrivateAttr(default=None)
    _is_trusted: bool = PrivateAttr(default=True)

    @property
    def is_trusted(self) -> bool:
        """Whether the caller holds a secret key, or the service has no keys."""
        return self._is_trusted

    _is_suspected: bool = PrivateAttr(default=False)

    @property
    def is_suspected(self) -> bool:
        """Whether its network brings more visitors than people could be; it is answered, and nothing follows."""
        return self._is_suspected

    def mark_as_suspected(self) -> None:
        """Note that the network of the caller brings more visitors than people could be."""
        self._is_suspected = True

    def mark_as_of_browser(self) -> None:
        """Note that the caller holds a browser key."""
        self._is_trusted = False

    @property
    def person(self) -> str | None:
        """Key of the person: of the user, or of the device of a visitor who is not signed in."""
        return person_key(self.user_id, self.anonymous_id)

    @property
    def keys(self) -> tuple[str | None, str | None]:
        """Keys of the user and of the device."""
        return person_key(self.user_id, None), person_key(None, self.anonymous_id)

    @property
    def counted_person(self) -> str | None:
        """Key under which answers count towards caps: of the person, or of the caller and the person."""
        return self.person if self.person is None else self._counted_as or self.person

    def count_as(self, key: str | None) -> None:
        """Count what is answered under another key than the person's."""
        self._counted_as = key

    def resolve_time(self, now: dt.datetime) -> dt.datetime:
        """Return the time of this request: the one that it sets, or now."""
        return self.at or now


class DecisionRequest(RecommendationRequest):
    """A request for the decision about one slot. The other fields are those of a recommendation."""

    slot: Identifier


class Revert(Body):
    """How far to revert: 0 goes back to the newest snapshot, 1 to the one before, and so on."""

    steps: int = Field(default=1, ge=0, le=1000, strict=True)


class QuietHours(Body):
    """Local hours in which a person wants no campaigns. They may span midnight."""

    start: float = Field(alias="from", ge=0, le=24)
    end: float = Field(alias="to", ge=0, le=24)


class Preferences(Body):
    """What a person may set. A field that is left out stays as it is, and null removes it."""

    interests: list[Identifier] | None = Field(default=None, max_length=200)
    muted: list[Identifier] | None = Field(default=None, max_length=200)
    opt_out: bool | None = Field(default=None, strict=True)
    item_impressions_per_day: int | None = Field(default=None, ge=1, le=1000, strict=True)
    quiet_hours: QuietHours | None = None

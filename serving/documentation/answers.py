"""The bodies of answers as the API documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Answer(BaseModel):
    """The body of an answer. Later versions may add fields."""


class RecommendedItem(Answer):
    """An item of an answer, with what brought it there."""

    item_id: str
    rank: int = Field(ge=1, description="1 is the best.")
    score: float = Field(description="Comparable within one answer only.")
    source: str = Field(description="What brought the item, such as `personal`, `trending` or `popular`.")
    reason: str = Field(description="The reason in words, to be shown to the person.")


class RecommendedItems(Answer):
    """Items for a person, best first."""

    recommendation_id: str = Field(description="Send it with the events that react to these items.")
    items: list[RecommendedItem]
    model_version: str | None = Field(description="Version of the model in use; null before the first training.")
    personalized: bool = Field(description="Whether something known about the person brought an item.")
    notice: str | None = Field(None, description="Why there are fewer items than requested, if there are.")
    segment: str | None = Field(None, description="Name of the person's segment, if the person has one.")
    experiments: dict[str, str] | None = Field(None, description="Variant by experiment, if one applies.")


class Boost(Answer):
    """What a rule adds to the rank of items."""

    model_config = {"extra": "allow"}

    by: float = Field(description="Factor by which the rule raises or lowers the items.")
    rule: str = Field(description="The rule that says so.")


class SlotContent(Answer):
    """What a slot shows, and which rules decided it."""

    decision_id: str = Field(description="Send it as `recommendation_id` with events that react to the content.")
    slot: str
    content: str | None = Field(description="The content to show; null if no rule chose one.")
    rule: str | None = Field(description="The rule that chose the content.")
    campaign: str | None = Field(description="The campaign of that rule.")
    actions: dict[str, Any] = Field(description="Every action that applies, by kind.")
    chosen_by: dict[str, str] = Field(description="The rule that chose each action, by kind.")
    matched: list[str] = Field(description="All rules whose conditions held.")
    boosts: list[Boost] = Field(description="Categories, tags or items that rules raise or lower.")
    propensity: float = Field(ge=0, le=1, description="Probability with which this content was chosen.")
    model_version: str | None
    experiments: dict[str, str] | None = Field(None, description="Variant by experiment, if one applies.")


class RejectedEvent(Answer):
    """An event that was not taken."""

    index: int = Field(ge=0, description="Position in the request, from 0.")
    error: str = Field(description="The field at fault and the reason.")


class EventsTaken(Answer):
    """What became of the events of a request. What is accepted is on disk."""

    accepted: int = Field(ge=0)
    rejected: list[RejectedEvent]
    withheld: int | None = Field(
        None, ge=0, description="Events that were counted and not stored, because consent is missing."
    )
    warnings: list[str] | None = Field(
        None, description="What was accepted with a reservation, and what to do about it."
    )


class SegmentCallTaken(EventsTaken):
    """What became of the calls of a Segment library."""

    success: bool


class CallTaken(Answer):
    """The request was taken."""

    success: bool


class RecentItem(Answer):
    """An item that a person opened."""

    item_id: str
    at: str = Field(description="When, as ISO 8601 in UTC.")


class PersonDescription(Answer):
    """What the service holds about a person, to be shown to the person."""

    user_id: str
    segment: str | None
    persona: str | None = Field(
        description="The segment in a paragraph; null while it is no more likely than all others together."
    )
    memberships: dict[str, float] = Field(description="Probability of each segment, by name.")
    daypart: str | None = Field(description="The part of the day in which the person mostly visits.")
    facts: dict[str, Any] = Field(description="Facts from the last training.")
    intent: dict[str, float] = Field(
        description="Chances that the current visit converts (`convert`), that it ends at this page (`leave`), and"
        " that another follows within a week (`return`); empty without a running visit or consent."
    )
    recent: list[RecentItem]
    rejected: list[str] = Field(description="Items that the person does not want.")
    is_personalized: bool
    preferences: dict[str, Any] = Field(description="What the person set.")
    items: list[RecommendedItem] = Field(description="What the person would be recommended now.")


class StoredPreferences(Answer):
    """The preferences of a person; a preview also has the items before and after."""

    user_id: str
    preferences: dict[str, Any]
    before: list[RecommendedItem] | None = None
    after: list[RecommendedItem] | None = None


class PersonExport(Answer):
    """Everything that is held about a person."""

    user_id: str
    other_ids: list[str] = Field(description="Devices that only this person used.")
    description: PersonDescription | None = Field(alias="known")
    known_by_other_ids: dict[str, PersonDescription]
    events: list[dict[str, Any]] = Field(description="Events of the log, oldest first.")


class ErasedPlace(Answer):
    """The state of an erasure in one place."""

    place: str
    status: Literal["pending", "verified"]
    removed: int | None = Field(None, ge=0, description="Records that were removed.")
    verified_by: str | None = None
    at: str | None = None
    left: str | None = Field(None, description="What is still there; the next run tries again.")


class ErasureState(Answer):
    """The receipt of an erasure."""

    receipt_id: str
    subject: str = Field(description="The erased id as a keyed hash.")
    devices: int = Field(ge=0, description="Devices that were erased with the person.")
    requested_at: str
    places: list[ErasedPlace]


class SimilarItem(Answer):
    """An item that is similar to another one."""

    item_id: str
    rank: int = Field(ge=1)
    score: float
    source: Literal["similar", "follows"] = Field(description="Similar in the model, or often opened next.")


class SimilarItems(Answer):
    """Items that are similar to one item, best first."""

    item_id: str
    items: list[SimilarItem]
    model_version: str | None


class OnboardingQuestion(Answer):
    """A question about the site, an item, or the segment of a person."""

    id: str
    question: str
    choices: list[str | bool]
    used_for: str = Field(description="What the answer is used for, to be shown with the question.")
    answer_with: str = Field(description="The call that takes the answer.")
    item_id: str | None = Field(None, description="The item that the question is about.")
    segment: str | None = Field(None, description="The segment that the question is about.")


class NextPrompt(Answer):
    """The next thing to ask a person."""

    field: str = Field(description="Id of a question, or a purpose of consent.")
    question: str
    used_for: str = Field(description="What the answer is used for, to be shown with the question.")
    benefit: str = Field(description="What the person gets from answering, in words.")
    incentive: str | None
    gain: float = Field(description="Expected gain in NDCG@10 for this person.")
    is_consent: bool
    answer_with: str = Field(description="The call that takes the answer.")


class OnboardingQuestions(Answer):
    """The most informative questions, and the next one for a person if the request names one."""

    questions: list[OnboardingQuestion]
    next: NextPrompt | None = None


class AssignedVariant(Answer):
    """The variant of a unit."""

    experiment_id: str
    unit_type: str
    unit_id: str
    variant: str | None = Field(description="Null for a unit that does not take part.")
    reason: str
    payload: dict[str, Any] = Field(description="What the variant changes.")
    exposed: bool = Field(description="Whether the exposure was logged.")


class OnlineLearningState(Answer):
    """What was learned since the bundle was published."""

    enabled: bool
    is_refitted: bool
    updates: int = Field(ge=0)
    weights: dict[str, float]
    biases: int = Field(ge=0, description="Items with a bias of their own.")
    snapshots: list[int] = Field(description="Updates at each snapshot.")


class ModelInUse(Answer):
    """A bundle that answers."""

    bundle: str
    model_version: str | None
    as_of: str
    items: int
    users: int
    search: str
    why: dict[str, Any] = Field(description="Why the model was promoted.")
    since: str | None = None


class PromotionEntry(Answer):
    """A takeover or a refusal of a bundle."""

    event: Literal["taken", "refused"]
    bundle: str
    at: str
    model_version: str | None = None
    as_of: str | None = None
    why: dict[str, Any]


class ModelsInUse(Answer):
    """The models that answer, and the log of bundles, newest first."""

    champion: ModelInUse | None
    challenger: ModelInUse | None
    canary: ModelInUse | None
    log: list[PromotionEntry]


class AliveState(Answer):
    """The process is alive."""

    alive: bool


class ReadyState(Answer):
    """There is a bundle to answer from."""

    ready: bool
    bundle: str | None
    model_version: str | None


class ErrorDetails(Answer):
    """What is wrong and what to do."""

    message: str
    field: str | None = Field(None, description="The part of the request that is at fault.")


class ErrorAnswer(Answer):
    """The body of every error."""

    error: ErrorDetails

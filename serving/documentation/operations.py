"""The operations of the API, grouped by task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serving.collector.request_schemas import EVENTS
from serving.documentation import answers
from serving.documentation.answers import Answer
from serving.documentation.event_types import event_type_table
from serving.requests import Body, DecisionRequest, Preferences, RecommendationRequest, Revert

BODY_ERRORS = (400, 422)


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query.

    Attributes:
        name: Its name.
        description: One sentence.
        kind: Its JSON type.
        maximum: The largest legal number.
        has_example: Whether its example is shown; whoever tries the call without a change sends it.
    """

    name: str
    description: str
    kind: str = "string"
    maximum: int | None = None
    has_example: bool = False


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Attributes:
        method: HTTP method in lower case.
        path: Path with its parameters in braces.
        task: The group that it stands in.
        name: Unique name, of which generated clients make the name of a function.
        summary: One sentence.
        answer: Model of the answer, or its media type where it is no JSON.
        status: Status of success.
        body: Model or JSON schema of the body; None without a body.
        query: Parameters of the query.
        keys: Which keys may call it: "browser" for all, "secret", or "none" where no key is needed.
        errors: Statuses of errors, beside those that its keys and its body bring along.
        details: More about it, in Markdown.
    """

    method: str
    path: str
    task: str
    name: str
    summary: str
    answer: type[Answer] | str
    status: int = 200
    body: type[Body] | dict[str, Any] | None = None
    query: tuple[Parameter, ...] = ()
    keys: str = "secret"
    errors: tuple[int, ...] = ()
    details: str = ""


ID_TYPE = Parameter(
    "id_type",
    "What the id names: `user` or `anonymous`, a device. Without it, preferences are those of a user, an erasure "
    "erases both, and the description is that of a device if only such a device is known.",
)
TASKS = {
    "Recommend": "Items for a person or a stranger, the content of a slot, and what is similar to an item.",
    "Send events": f"What people do. Everything is learned from these events.\n\n{event_type_table()}",
    "People": "What is known of a person, what the person set, export and erasure.",
    "Experiments": "The variant that a person sees.",
    "Operate": "Health, metrics, and the models that answer.",
    "Snowplow trackers": "Where trackers of Snowplow send their events.",
    "Segment libraries": "Where libraries of the Segment specification send their events.",
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/recommendations",
        "Recommend",
        "recommend",
        "Recommend items to a person or to a stranger.",
        answers.RecommendedItems,
        body=RecommendationRequest,
        keys="browser",
        errors=BODY_ERRORS,
        details="Everybody gets an answer: people who are unknown or opted out get what is trending and popular. "
        "A browser key asks for an `anonymous_id`; a `user_id` needs an identity token.",
    ),
    Operation(
        "post",
        "/v1/decisions",
        "Recommend",
        "decide",
        "Decide what a slot shows, and name the rule that chose it.",
        answers.SlotContent,
        body=DecisionRequest,
        keys="browser",
        errors=BODY_ERRORS,
    ),
    Operation(
        "get",
        "/v1/items/{item_id}/similar",
        "Recommend",
        "list_similar_items",
        "Return items that are similar to an item.",
        answers.SimilarItems,
        query=(Parameter("k", "Number of items.", "integer", 200),),
        errors=(404, 422),
    ),
    Operation(
        "post",
        "/v1/events",
        "Send events",
        "send_events",
        "Accept events, and answer once they are safely on disk.",
        answers.EventsTaken,
        202,
        EVENTS,
        keys="browser",
        errors=(400, 503),
        details="Each event is accepted or rejected by itself. An event that is sent again with the same"
        " `event_id` counts once. With a browser key, an event is stored if its `consent` grants `analytics`; "
        "others are counted as `withheld`.",
    ),
    Operation(
        "get",
        "/v1/users/{user_id}",
        "People",
        "describe_person",
        "Return what the service holds about a person, to be shown to the person.",
        answers.PersonDescription,
        query=(ID_TYPE,),
        errors=(404, 422),
    ),
    Operation(
        "put",
        "/v1/users/{user_id}/preferences",
        "People",
        "set_preferences",
        "Set interests, mutes, opt-out, caps and quiet hours.",
        answers.StoredPreferences,
        body=Preferences,
        query=(ID_TYPE, Parameter("preview", "Set it to true to see the effect without a change.", "boolean")),
        errors=(400, 404, 422),
    ),
    Operation(
        "get",
        "/v1/users/{user_id}/export",
        "People",
        "export_person",
        "Export everything that is held about a person.",
        answers.PersonExport,
        errors=(404, 422),
    ),
    Operation(
        "delete",
        "/v1/users/{user_id}",
        "People",
        "erase_person",
        "Erase a person, and return a receipt.",
        answers.ErasureState,
        202,
        query=(ID_TYPE,),
        errors=(422,),
    ),
    Operation(
        "get",
        "/v1/erasures/{receipt_id}",
        "People",
        "read_erasure",
        "Return the state of an erasure for each place.",
        answers.ErasureState,
        errors=(404,),
    ),
    Operation(
        "get",
        "/v1/onboarding",
        "People",
        "list_questions",
        "Return the most informative questions for newcomers, and the next thing to ask a person.",
        answers.OnboardingQuestions,
        query=(
            Parameter("user_id", "Person whose segment and next question are asked about. It needs a secret key."),
            Parameter("item_id", "Item about which a question is returned."),
        ),
        keys="browser",
        errors=(404, 422),
    ),
    Operation(
        "get",
        "/v1/experiments/{experiment_id}/assignment",
        "Experiments",
        "assign_variant",
        "Return the variant of a unit, which is the same every time, and log the exposure.",
        answers.AssignedVariant,
        query=(
            Parameter("user_id", "Id of a user.", has_example=True),
            Parameter("anonymous_id", "Id of a browser."),
            Parameter("session_id", "Id of a session."),
            Parameter("expose", "Whether the unit sees the variant now; false logs nothing.", "boolean"),
        ),
        keys="browser",
        errors=(400, 404, 422),
    ),
    Operation(
        "get",
        "/livez",
        "Operate",
        "check_alive",
        "Return whether the process is alive.",
        answers.AliveState,
        keys="none",
    ),
    Operation(
        "get",
        "/readyz",
        "Operate",
        "check_ready",
        "Return whether there is a bundle to answer from, or else what to do.",
        answers.ReadyState,
        keys="none",
        errors=(503,),
    ),
    Operation(
        "get",
        "/metrics",
        "Operate",
        "read_metrics",
        "Return metrics for Prometheus.",
        "text/plain",
        keys="none",
    ),
    Operation(
        "get",
        "/v1/models",
        "Operate",
        "describe_models",
        "Return which model answers, since when and why, and which bundles came before or were refused.",
        answers.ModelsInUse,
    ),
    Operation(
        "get",
        "/v1/online-learning",
        "Operate",
        "describe_online_learning",
        "Return what was learned since the bundle was published.",
        answers.OnlineLearningState,
    ),
    Operation(
        "post",
        "/v1/online-learning/revert",
        "Operate",
        "revert_online_learning",
        "Revert online learning to an earlier snapshot.",
        answers.OnlineLearningState,
        body=Revert,
        errors=BODY_ERRORS,
    ),
    Operation(
        "get",
        "/openapi.json",
        "Operate",
        "read_description",
        "Return this description.",
        "application/json",
        keys="none",
    ),
    Operation(
        "get",
        "/docs",
        "Operate",
        "read_documentation",
        "Return this description as a page.",
        "text/html",
        keys="none",
    ),
)

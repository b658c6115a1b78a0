"""The description of the API: one table of operations, rendered as OpenAPI 3.1 and as a page."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Any

from serving.collector.protocols.segment import PIXEL_PATHS
from serving.collector.request_schemas import POSTS
from serving.requests import Body, DecisionRequest, Preferences, RecommendationRequest, Revert

ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"message": {"type": "string"}, "field": {"type": ["string", "null"]}},
            "required": ["message"],
        }
    },
    "required": ["error"],
}


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Attributes:
        method: HTTP method in lower case.
        path: Path with its parameters in braces.
        summary: One sentence.
        status: Status of success.
        body: Model or JSON schema of the body; None without a body.
        query: Name and description of each query parameter.
        needs_key: Whether a key is needed on a service that has keys.
        errors: Statuses of errors.
    """

    method: str
    path: str
    summary: str
    status: int = 200
    body: type[Body] | dict[str, Any] | None = None
    query: tuple[tuple[str, str], ...] = ()
    needs_key: bool = True
    errors: tuple[int, ...] = (401, 403, 422)


OPERATIONS: tuple[Operation, ...] = (
    *(
        Operation("post", path, summary, status, body, errors=(400, 401, 403, 413, 415, 429, 503))
        for path, (summary, status, body) in POSTS.items()
    ),
    Operation(
        "get",
        "/i",
        "Take one event of a Snowplow tracker from the query, and answer with a pixel.",
        query=(("e", "Kind of event: pv, pp, se, ue, tr or ti."),),
        errors=(400, 401, 403, 413, 429, 503),
    ),
    *(
        Operation(
            "get",
            path,
            f"Take one Segment `{call}` call from the query, and answer with a pixel.",
            query=(("data", "The message as JSON in base64, with the browser key as its `writeKey`."),),
            errors=(400, 401, 403, 413, 429, 503),
        )
        for path, call in PIXEL_PATHS.items()
    ),
    Operation(
        "post",
        "/v1/recommendations",
        "Recommend items to a person or to a stranger.",
        body=RecommendationRequest,
        errors=(400, 401, 403, 413, 422, 429),
    ),
    Operation(
        "post",
        "/v1/decisions",
        "Decide what a slot shows, and name the rule that chose it.",
        body=DecisionRequest,
        errors=(400, 401, 403, 413, 422, 429),
    ),
    Operation(
        "get",
        "/v1/users/{user_id}",
        "Return what the service holds about a person, to be shown to the person.",
        errors=(401, 403, 404, 422),
    ),
    Operation(
        "get",
        "/v1/items/{item_id}/similar",
        "Return items that are similar to an item.",
        query=(("k", "Number of items."),),
        errors=(401, 403, 404, 422),
    ),
    Operation(
        "delete", "/v1/users/{user_id}", "Erase a person, and return a receipt.", 202, errors=(401, 403, 422)
    ),
    Operation(
        "put",
        "/v1/users/{user_id}/preferences",
        "Set interests, mutes, opt-out, caps and quiet hours. `preview=true` only shows the effect.",
        body=Preferences,
        query=(("preview", "Set to true to preview a change."),),
        errors=(400, 401, 403, 404, 413, 422),
    ),
    Operation(
        "get",
        "/v1/users/{user_id}/export",
        "Export everything that is held about a person.",
        errors=(401, 403, 404, 422),
    ),
    Operation(
        "get",
        "/v1/erasures/{receipt_id}",
        "Return the state of an erasure for each place.",
        errors=(401, 403, 404),
    ),
    Operation(
        "get", "/v1/online-learning", "Return what was learned since the bundle was published.", errors=(401, 403)
    ),
    Operation(
        "post",
        "/v1/online-learning/revert",
        "Revert online learning to an earlier snapshot.",
        body=Revert,
        errors=(400, 401, 403, 413, 422),
    ),
    Operation(
        "get",
        "/v1/models",
        "Return which champion answers, since when and why, and which bundles came before or were refused.",
        errors=(401, 403),
    ),
    Operation(
        "get",
        "/v1/onboarding",
        "Return the most informative questions for newcomers, and the next thing to ask a person.",
        query=(("user_id", "Person for whom the next question is returned. It needs a secret key."),),
        errors=(401, 403, 422),
    ),
    Operation(
        "get",
        "/v1/experiments/{experiment_id}/assignment",
        "Return the variant of a unit, which is the same every time, and log the exposure.",
        query=(
            ("user_id", "Id of a user."),
            ("anonymous_id", "Id of a browser."),
            ("session_id", "Id of a session."),
            (
                "expose",
                "Whether the unit is going to see the variant, which is true by default; false logs nothing.",
            ),
        ),
        errors=(400, 401, 403, 404, 422),
    ),
    Operation("get", "/livez", "Return whether the process is alive.", needs_key=False, errors=()),
    Operation(
        "get",
        "/readyz",
        "Return whether there is a bundle to answer from, or else what to do.",
        needs_key=False,
        errors=(503,),
    ),
    Operation("get", "/metrics", "Return metrics for Prometheus.", needs_key=False, errors=()),
    Operation("get", "/openapi.json", "Return this description.", needs_key=False, errors=()),
    Operation("get", "/docs", "Return this description as a page.", needs_key=False, errors=()),
)


def openapi() -> dict[str, Any]:
    """Return the description of the API as OpenAPI 3.1."""
    schemas: dict[str, Any] = {"Error": ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe_operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tessera",
            "version": "1",
            "summary": "Recommendations and decisions from behavioural events.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def render_page(description: dict[str, Any]) -> str:
    """Render the description as one HTML page that loads nothing from elsewhere."""
    parts = []
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody")
            schema = ""
            if body:
                reference = body["content"]["application/json"]["schema"]
                name = reference.get("$ref", "").rsplit("/", 1)[-1]
                shown = description["components"]["schemas"].get(name, reference)
                schema = f"<pre>{html.escape(json.dumps(shown, indent=1))}</pre>"
            answers = ", ".join(sorted(operation["responses"]))
            parts.append(
                f"<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code> "
                f"{html.escape(operation['summary'])}</summary><p>Answers: {answers}</p>{schema}</details>"
            )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Tessera API</title>"
        "<style>body{font:16px system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}"
        "summary{cursor:pointer;padding:.4rem 0}pre{background:#f4f4f4;padding:1rem;overflow:auto}</style>"
        '<h1>Tessera API</h1><p>Machine-readable: <a href="/openapi.json">/openapi.json</a>.</p>' + "".join(parts)
    )


def _describe_operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {
            str(operation.status): {"description": "done"},
            **{
                str(status): {
                    "description": "an error",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
                for status in sorted(_error_statuses(operation))
            },
        },
        "parameters": [
            *(
                {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                for part in operation.path.split("/")
                if part.startswith("{")
            ),
            *(
                {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
                for name, text in operation.query
            ),
        ],
    }
    if operation.needs_key:
        described["security"] = [{"key": []}, {}]
    if operation.body is not None:
        schema = operation.body if isinstance(operation.body, dict) else _register_schema(operation.body, schemas)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _error_statuses(operation: Operation) -> set[int]:
    """Return the statuses of errors: those of the operation, and those that a request may get before its route."""
    before_route = {403, 429} | ({401} if operation.needs_key else set())
    return {*operation.errors, *before_route, *((413, 415) if operation.body is not None else ())}


def _register_schema(model: type[Body], schemas: dict[str, Any]) -> dict[str, str]:
    """Add the schema of a body to the components and return a reference to it."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}

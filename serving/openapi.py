"""The API's description: one table of operations, rendered as OpenAPI 3.1 and as a page."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Any

from serving.collector.description import POSTS
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
    """One call of the API. `query` maps a parameter's name to its description."""

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
        "Take one event of a Snowplow tracker, in the query; answers with a pixel.",
        query=(("e", "Kind of event: pv, pp, se, ue, tr or ti."),),
        errors=(400, 401, 403, 413, 429, 503),
    ),
    Operation(
        "post",
        "/v1/recommendations",
        "Items for a person, or for a stranger, here and now.",
        body=RecommendationRequest,
        errors=(400, 401, 403, 413, 422, 429),
    ),
    Operation(
        "post",
        "/v1/decisions",
        "What a slot shows, and the rule that chose it.",
        body=DecisionRequest,
        errors=(400, 401, 403, 413, 422, 429),
    ),
    Operation("get", "/v1/users/{user_id}", "What is known of a person, for the person.", errors=(401, 403, 404)),
    Operation(
        "get",
        "/v1/items/{item_id}/similar",
        "Items like one item.",
        query=(("k", "items to answer"),),
        errors=(401, 403, 404, 422),
    ),
    Operation("delete", "/v1/users/{user_id}", "Erase a person; answers with a receipt.", 202, errors=(401, 403)),
    Operation(
        "put",
        "/v1/users/{user_id}/preferences",
        "Interests, mutes, opt-out, caps, quiet hours; `preview=true` changes nothing and shows the effect.",
        body=Preferences,
        query=(("preview", "true to try a change"),),
        errors=(400, 401, 403, 413, 422),
    ),
    Operation("get", "/v1/users/{user_id}/export", "Everything that is held of a person.", errors=(401, 403, 404)),
    Operation(
        "get", "/v1/erasures/{receipt_id}", "What became of an erasure, place by place.", errors=(401, 403, 404)
    ),
    Operation("get", "/v1/online-learning", "What was learned between two trainings.", errors=(401, 403)),
    Operation(
        "post",
        "/v1/online-learning/revert",
        "Go back to an earlier snapshot of it.",
        body=Revert,
        errors=(400, 401, 403, 413, 422),
    ),
    Operation(
        "get",
        "/v1/models",
        "Which champion answers, since when and why; which bundles came before and which were refused.",
        errors=(401, 403),
    ),
    Operation(
        "get",
        "/v1/onboarding",
        "The questions that tell most, and the one next thing to ask a person.",
        query=(("user_id", "also answer what to ask this person next; needs a secret key"),),
        errors=(401, 403, 422),
    ),
    Operation(
        "get",
        "/v1/experiments/{experiment_id}/assignment",
        "The variant of a unit, the same every time.",
        query=(("user_id", "known user"), ("anonymous_id", "browser"), ("session_id", "session")),
        errors=(400, 401, 403, 404),
    ),
    Operation("get", "/livez", "Whether the process lives.", needs_key=False, errors=()),
    Operation(
        "get",
        "/readyz",
        "Whether there is a bundle to answer from; if not, what to do.",
        needs_key=False,
        errors=(503,),
    ),
    Operation("get", "/metrics", "Figures for Prometheus.", needs_key=False, errors=()),
    Operation("get", "/openapi.json", "This description.", needs_key=False, errors=()),
    Operation("get", "/docs", "This description as a page.", needs_key=False, errors=()),
)


def openapi() -> dict[str, Any]:
    """The description of the API, OpenAPI 3.1."""
    schemas: dict[str, Any] = {"Error": ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schemas)
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


def page(description: dict[str, Any]) -> str:
    """The description as one HTML page that loads nothing from elsewhere."""
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


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {
            str(operation.status): {"description": "done"},
            **{
                str(status): {
                    "description": "an error",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
                for status in operation.errors
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
        schema = operation.body if isinstance(operation.body, dict) else _reference(operation.body, schemas)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _reference(model: type[Body], schemas: dict[str, Any]) -> dict[str, str]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}

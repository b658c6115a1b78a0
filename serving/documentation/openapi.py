"""The description of the API as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from serving.documentation.answers import Answer, ErrorAnswer
from serving.documentation.examples import Samples, body_examples, parameter_examples
from serving.documentation.operations import OPERATIONS, TASKS, Operation
from serving.documentation.tracker_operations import SEGMENT, SNOWPLOW

REFERENCE = "#/components/schemas/{model}"
ALL_OPERATIONS = (*OPERATIONS, *SNOWPLOW, *SEGMENT)
STATUS_MEANINGS = {
    400: "The body is not JSON, or the query lacks what is needed.",
    401: "The key is missing, unknown, expired or revoked.",
    403: "The key may not do this, or the request comes from a page or machine that may not.",
    404: "There is nothing under this id.",
    413: "The body is too large.",
    415: "The content type is not accepted; send application/json.",
    422: "A field has a wrong value; `field` names it.",
    429: "Too many requests; `Retry-After` says when to come back.",
    503: "Not possible now; send it again later.",
}
KEY_NOTES = {
    "browser": "A browser key or a secret key.",
    "secret": "A secret key.",
    "none": "No key.",
}


def openapi(samples: Samples | None = None) -> dict[str, Any]:
    """Return the description.

    Args:
        samples: Ids for the examples.
    """
    samples = samples or Samples()
    schemas: dict[str, Any] = {}
    _register_schema(ErrorAnswer, schemas)
    paths: dict[str, dict[str, Any]] = {}
    for operation in ALL_OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe_operation(operation, schemas, samples)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tessera",
            "version": "1",
            "summary": "Recommendations and decisions from behavioural events.",
            "description": (
                "Send what people do to `POST /v1/events`, and ask `POST /v1/recommendations` what to show them. "
                "On a service with keys, send one as `Authorization: Bearer KEY`. Errors are JSON and name the "
                "field at fault."
            ),
        },
        "tags": [{"name": task, "description": text} for task, text in TASKS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "`tessera keys create` makes one."}
            },
        },
    }


def _describe_operation(operation: Operation, schemas: dict[str, Any], samples: Samples) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [operation.task],
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.details}\n\nKey: {KEY_NOTES[operation.keys]}".strip(),
        "parameters": _describe_parameters(operation, samples),
        "responses": {
            str(operation.status): {
                "description": _meaning_of_success(operation),
                "content": _describe_answer(operation, schemas),
            },
            **{
                str(status): {
                    "description": STATUS_MEANINGS[status],
                    "content": {"application/json": {"schema": {"$ref": REFERENCE.format(model="ErrorAnswer")}}},
                }
                for status in sorted(_error_statuses(operation))
            },
        },
    }
    if operation.keys != "none":
        described["security"] = [{"key": []}, {}]
    if operation.body is not None:
        is_schema = isinstance(operation.body, dict)
        schema = operation.body if is_schema else _register_schema(operation.body, schemas)  # type: ignore[arg-type]
        content: dict[str, Any] = {"schema": schema}
        examples = body_examples(samples).get(operation.name)
        if examples:
            content["examples"] = examples
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def _describe_parameters(operation: Operation, samples: Samples) -> list[dict[str, Any]]:
    examples = parameter_examples(samples)
    in_path = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    described: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in in_path
    ]
    for parameter in operation.query:
        schema: dict[str, Any] = {"type": parameter.kind}
        if parameter.maximum is not None:
            schema |= {"minimum": 1, "maximum": parameter.maximum}
        described.append(
            {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}
        )
    shown = {*in_path, *(parameter.name for parameter in operation.query if parameter.has_example)}
    for parameter_description in described:
        name = parameter_description["name"]
        if name in shown and name in examples:
            parameter_description["example"] = examples[name]
    return described


def _describe_answer(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    if isinstance(operation.answer, str):
        is_binary = operation.answer.startswith("image/")
        kind = {"type": "object"} if operation.answer == "application/json" else {"type": "string"}
        return {operation.answer: {"schema": kind | ({"format": "binary"} if is_binary else {})}}
    return {"application/json": {"schema": _register_schema(operation.answer, schemas)}}


def _meaning_of_success(operation: Operation) -> str:
    if isinstance(operation.answer, str):
        return operation.answer
    return (operation.answer.__doc__ or "").split("\n", 1)[0]


def _error_statuses(operation: Operation) -> set[int]:
    """Return the statuses of errors: those of the operation, and those that a request may get before its route."""
    before_route = {403, 429} | ({401} if operation.keys != "none" else set())
    return {*operation.errors, *before_route, *((413, 415) if operation.body is not None else ())}


def _register_schema(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    """Add the schema of a body to the components and return a reference to it."""
    mode: Literal["serialization", "validation"] = "serialization" if issubclass(model, Answer) else "validation"
    schema = model.model_json_schema(ref_template=REFERENCE, mode=mode)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": REFERENCE.format(model=model.__name__)}

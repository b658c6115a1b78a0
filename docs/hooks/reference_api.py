"""The page of the API, from the OpenAPI description that the service itself gives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from markdown_tables import code, table

from serving.documentation.openapi import openapi

INTRODUCTION = """\
# API

The service answers JSON over HTTP. A running service describes itself at `/openapi.json`, and `/docs` lets you try
each call in the browser. [Recommendations](../recommendations.md) shows the calls by example, and
[Operation](../operation.md#keys) explains the keys. Without keys the service answers on loopback only.

An error is JSON too, and names the field at fault where there is one:

```json
{"error": {"message": "Input should be greater than or equal to 1", "field": "k"}}
```
"""


def api_page() -> str:
    """The whole page, one heading a call."""
    description = openapi()
    parts = [INTRODUCTION]
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            parts += [f"## {method.upper()} {path}", *_operation(operation, description)]
    return "\n\n".join(parts)


def _operation(operation: Mapping[str, Any], description: Mapping[str, Any]) -> Iterator[str]:
    yield str(operation.get("description") or operation.get("summary", ""))
    parameters = [
        (code(each["name"]), each["in"], each.get("description", "")) for each in operation.get("parameters", ())
    ]
    if parameters:
        yield table(("Parameter", "In", "Meaning"), parameters)
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield from _body(media, description)
    answers = [(code(status), answer.get("description", "")) for status, answer in operation["responses"].items()]
    yield table(("Status", "Answer"), answers)


def _body(media: Mapping[str, Any], description: Mapping[str, Any]) -> Iterator[str]:
    schema = _resolved(media.get("schema", {}), description)
    required = set(schema.get("required", ()))
    rows = [
        (code(name) + (" (required)" if name in required else ""), _kind(field, description), _meaning(field))
        for name, field in schema.get("properties", {}).items()
    ]
    if rows:
        yield table(("Field of the body", "Type", "Meaning"), rows)
    examples = [example["value"] for example in media.get("examples", {}).values() if "value" in example]
    for example in [*([media["example"]] if "example" in media else []), *examples][:1]:
        yield f"```json\n{json.dumps(example, indent=1, ensure_ascii=False)}\n```"


def _resolved(schema: Mapping[str, Any], description: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference stands for."""
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _kind(field: Mapping[str, Any], description: Mapping[str, Any]) -> str:
    """The type of a field in words."""
    field = _resolved(field, description)
    choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        return " or ".join(dict.fromkeys(_kind(choice, description) for choice in choices))
    if field.get("enum"):
        return ", ".join(code(str(value)) for value in field["enum"])
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {_kind(field.get('items', {}), description)}s"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _meaning(field: Mapping[str, Any]) -> str:
    bounds = {"minimum": "at least", "maximum": "at most", "maxLength": "at most"}
    limits = [f"{words} {field[name]}" for name, words in bounds.items() if name in field]
    return " ".join(filter(None, [str(field.get("description", "")), f"({', '.join(limits)})" if limits else ""]))

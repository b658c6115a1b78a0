"""Tables for pages about the files of a site: mappings, rules and targeting, and the models by name."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
from markdown_tables import code, table

from ml.decisions.rules.rules import FIELDS as RULE_FIELDS
from ml.experiments.definition.targeting import TARGETING_FIELDS
from ml.recommenders.model_names import MODELS
from ml.sources.catalogue import ITEM_SCHEMA
from ml.sources.mapping import ITEM_FIELDS, Rule


def mapping_rules() -> str:
    """The keys of a mapping's rule, from the model that checks them."""
    rows = ((code(name), _sentence(field.description or "")) for name, field in Rule.model_fields.items())
    return table(("Key", "What it says"), rows)


def item_fields() -> str:
    """The fields of an item, from the schema of the catalogue."""
    fields = [ITEM_SCHEMA.field(name) for name in ITEM_FIELDS]
    rows = ((code(field.name), _type(field.type), field.metadata[b"description"].decode()) for field in fields)
    return table(("Field", "Type", "Meaning"), rows)


def rule_facts() -> str:
    """What the condition of a rule may ask about."""
    return table(("Fact", "Type"), ((code(name), kind.value) for name, kind in RULE_FIELDS.items()))


def targeting_fields() -> str:
    """What the targeting of an experiment may ask about."""
    return table(("Field", "Type"), ((code(name), kind.value) for name, kind in TARGETING_FIELDS.items()))


def models() -> str:
    """The recommenders by name, each with the first line of its documentation.

    The text of a module is read and not imported, because some of them need an optional library.
    """
    rows = ((code(name), _summary(module, class_name)) for name, (module, class_name, _) in MODELS.items())
    return table(("`--model`", "What it is"), rows)


def _summary(module: str, class_name: str) -> str:
    module_spec = find_spec(f"ml.recommenders.models.{module}")
    if module_spec is None or module_spec.origin is None:
        raise ModuleNotFoundError(f"the zoo names {module}, which is no module of ml.recommenders.models")
    tree = ast.parse(Path(module_spec.origin).read_text(encoding="utf-8"))
    definition = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    return (ast.get_docstring(definition) or "").split("\n\n", maxsplit=1)[0]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "list of strings"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return "number" if pa.types.is_floating(kind) else "string"

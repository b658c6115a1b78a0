"""The expression language of user-defined segments, rules and targeting: a checked subset of Google's CEL.

`compile_expression(text, fields)` parses a text with cel-python's grammar and checks every name and type against
the allowed fields. The resulting `Expression` evaluates a mapping in microseconds, and an Arrow table column by
column. The library's own evaluator walks the tree for each mapping and knows no types before it runs.

    country in ["DE", "AT"] && recency_days < 30 && category_shares["sport"] > 0.4 && !("vip" in tags)

Operators: `&& || !`, `== != < <= > >=`, `in`, `+ - * /`, `c ? a : b`, `map["key"]`; functions: `has(field)`,
`size(list or text)`, `text.contains("…")`, `.startsWith("…")`, `.endsWith("…")`,
`timestamp("2026-01-31T00:00:00Z")`.

Missing values: a field that is absent, null or NaN is missing, and so is a division by zero. A value that is
computed from a missing one is missing, with two exceptions: `false && x` is false and `true || x` is true whatever
x is, and `has` returns whether a field is present. An expression whose value is missing does not match, and
neither does its negation.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from celpy.celparser import CELParseError, CELParser

from ml.errors import InvalidInputError, TesseraError
from ml.expressions.fields import (
    FieldType,
    Node,
    constant,
    field_node,
    has_node,
    key_node,
    microseconds,
    size_node,
)
from ml.expressions.operators import BINARY, METHODS, UNARY, conditional, in_list_field, in_values

__all__ = ["Expression", "ExpressionError", "FieldType", "compile_expression", "fields_of"]

LONGEST_TEXT = 4_000  # characters
DEEPEST_NESTING = 200  # levels of operators and brackets; Python's recursion limit allows four times as many
_LEVELS = ("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member")
_PASSED = frozenset({*_LEVELS, "primary", "paren_expr"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)


class ExpressionError(TesseraError, ValueError):
    """An expression cannot be used. `line` and `column` count from 1."""

    def __init__(self, problem: str, text: str, line: int = 1, column: int = 1) -> None:
        shown = (text.splitlines() or [""])[min(line, max(1, len(text.splitlines()))) - 1]
        super().__init__(f"{problem} (line {line}, column {column})\n  {shown}\n  {' ' * (column - 1)}^")
        self.problem, self.line, self.column = problem, line, column


@dataclass(frozen=True)
class Expression:
    """A checked expression. `fields` are the names that it reads."""

    text: str
    type: FieldType
    fields: frozenset[str]
    _node: Node

    def value(self, context: Mapping[str, Any]) -> Any:
        """Return the value for one context, or None if it is missing.

        Raises:
            FieldTypeError: A field does not have the declared type.
        """
        return self._node.scalar(context)

    def matches(self, context: Mapping[str, Any]) -> bool:
        """Return whether one context satisfies a condition. A missing value does not."""
        return self._node.scalar(context) is True

    def evaluate(self, table: pa.Table) -> pa.ChunkedArray:
        """Return the value of every row, null where it is missing.

        Raises:
            InvalidInputError: A column that the expression reads is not in the table.
        """
        absent = sorted(self.fields - set(table.column_names))
        if absent:
            raise InvalidInputError(f"the table lacks {', '.join(absent)}; it has {', '.join(table.column_names)}")
        values = self._node.vector(table)
        if isinstance(values, pa.Scalar):
            values = pa.repeat(values, table.num_rows)
        return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """Return whether each row satisfies a condition, without nulls."""
        return pc.fill_null(self.evaluate(table), False)


def fields_of(schema: pa.Schema) -> dict[str, FieldType]:
    """Return the fields that an expression may use on tables of a schema. Columns of other types are left out."""
    types = {field.name: FieldType.of(field.type) for field in schema}
    return {name: type_ for name, type_ in types.items() if type_ is not None}


def compile_expression(
    text: str, fields: Mapping[str, FieldType], expects: FieldType = FieldType.BOOLEAN
) -> Expression:
    """Parse and check an expression.

    Args:
        text: The expression, at most `LONGEST_TEXT` characters.
        fields: The legal names, which may be dotted (`context.device`), and their types.
        expects: The type that the whole expression must have.

    Raises:
        ExpressionError: The expression is not legal. The message has the position and, for an unknown name, the
            legal names.
    """
    if len(text) > LONGEST_TEXT:
        raise ExpressionError(f"{len(text)} characters; at most {LONGEST_TEXT} are allowed", text[:80])
    try:
        tree = CELParser().parse(text)
    except CELParseError as error:
        problem = "an expression is expected here" if not text.strip() else "this is not understood here"
        line, column = error.line or 1, error.column or 1
        if line < 1 or column < 1:  # by this the parser means the end of the text
            line, column = max(1, len(text.splitlines())), len((text.splitlines() or [""])[-1]) + 1
        raise ExpressionError(problem, text, line, column) from None
    compiler = _Compiler(text, fields)
    node = compiler.build(tree, 0)
    if node.type is not expects:
        raise ExpressionError(f"a {expects.value} is expected, this is a {node.type.value}", text)
    return Expression(text, node.type, frozenset(compiler.used), node)


class _Compiler:
    """Turns cel-python's tree into nodes and checks them."""

    def __init__(self, text: str, fields: Mapping[str, FieldType]) -> None:
        self.text = text
        self.fields = fields
        self.used: set[str] = set()

    def fail(self, problem: str, tree: Any) -> ExpressionError:
        place = tree if hasattr(tree, "column") and not hasattr(tree, "meta") else tree.meta
        return ExpressionError(problem, self.text, getattr(place, "line", 1), getattr(place, "column", 1))

    def build(self, tree: Any, depth: int) -> Node:
        tree = _unwrapped(tree)
        if depth > DEEPEST_NESTING:
            raise self.fail(f"nested deeper than {DEEPEST_NESTING} levels", tree)
        make = {
            "expr": self.choice,
            "conditionalor": self.logical,
            "conditionaland": self.logical,
            "relation": self.infix,
            "addition": self.infix,
            "multiplication": self.infix,
            "unary": self.prefix,
            "ident": self.field,
            "member_dot": self.field,
            "literal": self.literal,
            "member_index": self.key,
            "ident_arg": self.function,
            "member_dot_arg": self.method,
            "list_lit": self.loose_list,
        }.get(tree.data)
        if make is None:
            raise self.fail("CEL has this, but expressions here do not", tree)
        return make(tree, depth + 1)

    def logical(self, tree: Any, depth: int) -> Node:
        symbol = "||" if tree.data == "conditionalor" else "&&"
        left, right = tree.children
        return self.binary(symbol, tree, self.build(left, depth), self.build(right, depth))

    def infix(self, tree: Any, depth: int) -> Node:
        operator, right = tree.children
        left, symbol = operator.children[0], operator.data.split("_")[1]
        if symbol == "in":
            return self.membership(left, right, depth)
        return self.binary(symbol, tree, self.build(left, depth), self.build(right, depth))

    def binary(self, symbol: str, tree: Any, left: Node, right: Node) -> Node:
        operator = BINARY[symbol]
        if (left.type, right.type) not in operator.types:
            legal = ", ".join(f"{a.value} {operator.sign} {b.value}" for a, b in operator.types)
            raise self.fail(
                f"{left.type.value} {operator.sign} {right.type.value} makes no sense; legal: {legal}", tree
            )
        return operator.node(left, right)

    def prefix(self, tree: Any, depth: int) -> Node:
        operator, operand = tree.children
        sign, type_, make = UNARY[operator.data.split("_")[1]]
        node = self.build(operand, depth)
        if node.type is not type_:
            raise self.fail(f"{sign} needs a {type_.value}, this is a {node.type.value}", tree)
        return make(node)

    def choice(self, tree: Any, depth: int) -> Node:
        condition, yes, no = (self.build(child, depth) for child in tree.children)
        if condition.type is not FieldType.BOOLEAN or yes.type is not no.type:
            raise self.fail("c ? a : b needs a condition, and a and b of one type", tree)
        return conditional(condition, yes, no)

    def loose_list(self, tree: Any, depth: int) -> Node:
        raise self.fail("a list stands only at the right of `in`", tree)

    def membership(self, left: Any, right: Any, depth: int) -> Node:
        element, right = self.build(left, depth), _unwrapped(right)
        if right.data == "list_lit":
            elements = right.children[0].children if right.children else []
            values = [self.build(item, depth) for item in elements]
            if any(value.literal is None or value.type is not element.type for value in values):
                raise self.fail(f"the list may hold only {element.type.value} literals", right)
            return in_values(element, [value.literal for value in values])
        container = self.build(right, depth)
        if container.type is not FieldType.LIST or element.type is not FieldType.TEXT or element.literal is None:
            raise self.fail('`in` takes a list of literals, or "text" in a field that is a list', right)
        return in_list_field(element.literal, container)

    def name(self, tree: Any) -> str | None:
        """Dotted name that a tree spells, None if it is something else."""
        tree = _unwrapped(tree)
        if tree.data == "ident":
            return str(tree.children[0])
        if tree.data == "member_dot":
            start = self.name(tree.children[0])
            return f"{start}.{tree.children[1]}" if start else None
        return None

    def field(self, tree: Any, depth: int) -> Node:
        name = self.name(tree)
        if name is None:
            raise self.fail("only fields have parts", tree)
        if name not in self.fields:
            near = difflib.get_close_matches(name, self.fields, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.fail(f"unknown name {name!r}{hint} Legal: {', '.join(sorted(self.fields))}", tree)
        self.used.add(name)
        return field_node(name, self.fields[name])

    def literal(self, tree: Any, depth: int) -> Node:
        token = tree.children[0]
        match token.type:
            case "BOOL_LIT":
                return constant(FieldType.BOOLEAN, str(token) == "true")
            case "INT_LIT" | "FLOAT_LIT":
                return constant(FieldType.NUMBER, float(int(token, 0)) if "x" in token else float(token))
            case "STRING_LIT" | "MLSTRING_LIT":
                return constant(FieldType.TEXT, _unquoted(str(token)))
            case "NULL_LIT":
                raise self.fail("there is no null; ask `has(field)`", tree)
            case _:
                raise self.fail(f"{token} is not a literal of this language", tree)

    def key(self, tree: Any, depth: int) -> Node:
        container, index = self.build(tree.children[0], depth), self.build(tree.children[1], depth)
        if container.type is not FieldType.MAP or index.type is not FieldType.TEXT or index.literal is None:
            raise self.fail('only a map is indexed, by "text"', tree)
        return key_node(container, index.literal)

    def arguments(self, tree: Any, count: int, usage: str) -> list[Any]:
        arguments = tree.children[-1].children if hasattr(tree.children[-1], "data") else []
        if len(arguments) != count:
            raise self.fail(f"usage: {usage}", tree)
        return list(arguments)

    def function(self, tree: Any, depth: int) -> Node:
        name = str(tree.children[0])
        match name:
            case "has":
                return has_node(self.build(self.arguments(tree, 1, "has(field)")[0], depth))
            case "size":
                node = self.build(self.arguments(tree, 1, "size(list or text)")[0], depth)
                if node.type not in (FieldType.LIST, FieldType.TEXT):
                    raise self.fail(f"size needs a list or a text, this is a {node.type.value}", tree)
                return size_node(node)
            case "timestamp":
                node = self.build(self.arguments(tree, 1, 'timestamp("2026-01-31T00:00:00Z")')[0], depth)
                try:
                    return constant(FieldType.TIME, microseconds(np.datetime64(_utc(node.literal), "us")))
                except (ValueError, TypeError):
                    raise self.fail('usage: timestamp("2026-01-31T00:00:00Z")', tree) from None
            case _:
                raise self.fail(f"unknown function {name!r}; legal: has, size, timestamp", tree)

    def method(self, tree: Any, depth: int) -> Node:
        name = str(tree.children[1])
        if name not in METHODS:
            raise self.fail(f"unknown method {name!r}; legal: {', '.join(METHODS)}", tree)
        subject = self.build(tree.children[0], depth)
        argument = self.build(self.arguments(tree, 1, f'text.{name}("…")')[0], depth)
        if subject.type is not FieldType.TEXT or argument.type is not FieldType.TEXT or argument.literal is None:
            raise self.fail(f'usage: text.{name}("…")', tree)
        return METHODS[name](subject, argument.literal)


def _unwrapped(tree: Any) -> Any:
    """Return the first meaningful tree below. The grammar wraps every operand in all levels of precedence."""
    while tree.data in _PASSED and len(tree.children) == 1 and hasattr(tree.children[0], "data"):
        tree = tree.children[0]
    return tree


def _unquoted(token: str) -> str:
    raw = token[0] in "rR"
    body = token[1:] if raw else token
    quotes = 3 if body[:3] in ('"""', "'''") and len(body) >= 6 else 1
    body = body[quotes:-quotes]
    return body if raw else _ESCAPE.sub(_unescaped, body)


def _unescaped(escape: re.Match[str]) -> str:
    code = escape.group(1) or escape.group(2) or escape.group(3)
    return chr(int(code, 16)) if code else _ESCAPES.get(escape.group(4), escape.group(4))


def _utc(literal: Any) -> str:
    """Return ISO 8601 without its zone, which must be Z, +00:00 or absent, since numpy's dates have none."""
    if not isinstance(literal, str):
        raise TypeError(f"{literal!r} is not a text")
    return literal.removesuffix("Z").removesuffix("+00:00")

"""The operators of the expression language, each for a mapping and for a table."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.expressions.fields import FieldType, Node, numbers


def in_values(element: Node, values: Sequence[Any]) -> Node:
    """Build the node that is true where an element equals one of the literals."""
    legal = frozenset(values)
    arrow = pa.array(values, type=pa.scalar(values[0]).type if values else pa.null())

    def scalar(context: Mapping[str, Any]) -> Any:
        value = element.scalar(context)
        return None if value is None else value in legal

    def vector(table: pa.Table) -> Any:
        elements = element.vector(table)
        missing = pa.scalar(None, pa.bool_())
        if not values:
            return pc.if_else(pc.is_valid(elements), pa.scalar(False), missing)
        if element.type is FieldType.NUMBER:
            elements = pc.add(elements, 0.0)  # turns -0 into 0, since Arrow looks numbers up by their bits
        return pc.if_else(pc.is_valid(elements), pc.is_in(elements, value_set=arrow), missing)

    return Node(FieldType.BOOLEAN, scalar, vector)


def in_list_field(text: str, container: Node) -> Node:
    """Build the node that is true where a list field holds a text."""

    def scalar(context: Mapping[str, Any]) -> Any:
        value = container.scalar(context)
        return None if value is None else text in value

    def vector(table: pa.Table) -> Any:
        lists = container.vector(table)
        parents = pc.list_parent_indices(lists)
        equal = pc.fill_null(pc.equal(pc.cast(pc.list_flatten(lists), pa.string()), pa.scalar(text)), False)
        holds = np.zeros(len(lists), dtype=bool)
        holds[np.asarray(parents.filter(equal))] = True
        return pa.array(holds, mask=np.asarray(lists.is_null()))

    return Node(FieldType.BOOLEAN, scalar, vector)


def conditional(condition: Node, yes: Node, no: Node) -> Node:
    """Build the node of `c ? a : b`. It is missing if the condition is."""

    def scalar(context: Mapping[str, Any]) -> Any:
        value = condition.scalar(context)
        return None if value is None else (yes if value else no).scalar(context)

    def vector(table: pa.Table) -> Any:
        return pc.if_else(condition.vector(table), yes.vector(table), no.vector(table))

    return Node(yes.type, scalar, vector)


@dataclass(frozen=True)
class Operator:
    """A binary operator: its sign, the pairs of types that it accepts and the function that makes its node."""

    sign: str
    types: tuple[tuple[FieldType, FieldType], ...]
    node: Callable[[Node, Node], Node]


def _and(left: Node, right: Node) -> Node:
    def scalar(context: Mapping[str, Any]) -> Any:
        a = left.scalar(context)
        if a is False:
            return False
        b = right.scalar(context)
        return False if b is False else (None if a is None or b is None else True)

    return Node(FieldType.BOOLEAN, scalar, lambda table: pc.and_kleene(left.vector(table), right.vector(table)))


def _or(left: Node, right: Node) -> Node:
    def scalar(context: Mapping[str, Any]) -> Any:
        a = left.scalar(context)
        if a is True:
            return True
        b = right.scalar(context)
        return True if b is True else (None if a is None or b is None else False)

    return Node(FieldType.BOOLEAN, scalar, lambda table: pc.or_kleene(left.vector(table), right.vector(table)))


def _strict(
    result: FieldType, of_values: Callable[[Any, Any], Any], of_columns: Callable[[Any, Any], Any]
) -> Callable[[Node, Node], Node]:
    """Return an operator whose value is missing if one side is, or if the result is not a number."""

    def make(left: Node, right: Node) -> Node:
        def scalar(context: Mapping[str, Any]) -> Any:
            a = left.scalar(context)
            if a is None:
                return None
            b = right.scalar(context)
            if b is None:
                return None
            value = of_values(a, b)
            return None if isinstance(value, float) and math.isnan(value) else value

        def vector(table: pa.Table) -> Any:
            values = of_columns(left.vector(table), right.vector(table))
            return numbers(values) if result is FieldType.NUMBER else values

        return Node(result, scalar, vector)

    return make


def _divide_values(a: float, b: float) -> float:
    return a / b if b else float("nan")


def _divide_columns(a: Any, b: Any) -> Any:
    divisor = pc.if_else(pc.equal(b, pa.scalar(0.0)), pa.scalar(None, pa.float64()), b)
    return pc.divide(a, divisor)


_B, _N, _T, _D = FieldType.BOOLEAN, FieldType.NUMBER, FieldType.TEXT, FieldType.TIME
_ORDERED = ((_N, _N), (_T, _T), (_D, _D))
_EQUAL = (*_ORDERED, (_B, _B))

BINARY: Mapping[str, Operator] = {
    "&&": Operator("&&", ((_B, _B),), _and),
    "||": Operator("||", ((_B, _B),), _or),
    "eq": Operator("==", _EQUAL, _strict(_B, operator.eq, pc.equal)),
    "ne": Operator("!=", _EQUAL, _strict(_B, operator.ne, pc.not_equal)),
    "lt": Operator("<", _ORDERED, _strict(_B, operator.lt, pc.less)),
    "le": Operator("<=", _ORDERED, _strict(_B, operator.le, pc.less_equal)),
    "gt": Operator(">", _ORDERED, _strict(_B, operator.gt, pc.greater)),
    "ge": Operator(">=", _ORDERED, _strict(_B, operator.ge, pc.greater_equal)),
    "add": Operator("+", ((_N, _N),), _strict(_N, operator.add, pc.add)),
    "sub": Operator("-", ((_N, _N),), _strict(_N, operator.sub, pc.subtract)),
    "mul": Operator("*", ((_N, _N),), _strict(_N, operator.mul, pc.multiply)),
    "div": Operator("/", ((_N, _N),), _strict(_N, _divide_values, _divide_columns)),
}


def _lifted(
    result: FieldType, of_value: Callable[[Any], Any], of_column: Callable[[Any], Any]
) -> Callable[[Node], Node]:
    def make(operand: Node) -> Node:
        def scalar(context: Mapping[str, Any]) -> Any:
            value = operand.scalar(context)
            return None if value is None else of_value(value)

        return Node(result, scalar, lambda table: of_column(operand.vector(table)))

    return make


UNARY: Mapping[str, tuple[str, FieldType, Callable[[Node], Node]]] = {
    "not": ("!", _B, _lifted(_B, operator.not_, pc.invert)),
    "neg": ("-", _N, _lifted(_N, operator.neg, pc.negate)),
}


def _text_method(
    of_value: Callable[[str, str], bool], of_column: Callable[..., Any]
) -> Callable[[Node, str], Node]:
    def make(subject: Node, pattern: str) -> Node:
        return _lifted(
            _B, lambda value: of_value(value, pattern), lambda values: of_column(values, pattern=pattern)
        )(subject)

    return make


METHODS: Mapping[str, Callable[[Node, str], Node]] = {
    "contains": _text_method(operator.contains, pc.match_substring),
    "startsWith": _text_method(str.startswith, pc.starts_with),
    "endsWith": _text_method(str.endswith, pc.ends_with),
}

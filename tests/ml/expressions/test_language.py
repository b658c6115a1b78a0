"""The expression language: what it accepts, what it says about mistakes, and that rows and tables agree."""

from __future__ import annotations

import datetime as dt
import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.expressions.language import ExpressionError, FieldType, compile_expression, fields_of

SHARES = pa.map_(pa.string(), pa.float64())
SCHEMA = pa.schema(
    [
        ("country", pa.string()),
        ("recency_days", pa.float64()),
        ("visits", pa.int64()),
        ("is_member", pa.bool_()),
        ("seen_at", pa.timestamp("us", tz="UTC")),
        ("tags", pa.list_(pa.string())),
        ("shares", SHARES),
    ]
)
FIELDS = fields_of(SCHEMA)


def matches(text: str, **context: object) -> bool:
    return compile_expression(text, FIELDS).matches(context)


def test_conditions_read_as_they_are_written() -> None:
    text = 'country in ["DE", "AT"] && recency_days < 30 && shares["sport"] > 0.4 && !("vip" in tags)'
    person = {"country": "DE", "recency_days": 3, "shares": {"sport": 0.5}, "tags": ["new"]}
    assert matches(text, **person)
    assert not matches(text, **{**person, "tags": ["vip"]})
    assert not matches(text, **{**person, "country": "FR"})


def test_arithmetic_binds_as_in_school() -> None:
    value = compile_expression("2 + 3 * visits - 4 / 2", FIELDS, FieldType.NUMBER).value({"visits": 5})
    assert value == 15.0


def test_a_choice_takes_one_of_two_values() -> None:
    text = compile_expression('is_member ? "loyal" : "guest"', FIELDS, FieldType.TEXT)
    assert text.value({"is_member": True}) == "loyal"
    assert text.value({"is_member": False}) == "guest"
    assert text.value({}) is None


def test_a_missing_value_matches_neither_a_condition_nor_its_negation() -> None:
    assert not matches('country == "DE"')
    assert not matches('!(country == "DE")')
    assert not matches('country != "DE"')
    assert not matches("recency_days < 30", recency_days=math.nan)


def test_and_and_or_decide_without_what_is_missing_where_they_can() -> None:
    assert matches('country == "DE" || visits > 1', visits=2)
    assert not matches('country == "DE" && visits > 1', visits=2)
    assert matches('!(country == "DE" && visits > 1)', visits=0)


def test_has_tells_whether_a_value_is_there() -> None:
    assert matches("!has(country)")
    assert matches("has(country)", country="DE")
    assert matches('has(shares["sport"])', shares={"sport": 0.0})
    assert not matches('has(shares["sport"])', shares={"culture": 1.0})


def test_a_division_by_zero_is_missing() -> None:
    assert not matches("visits / 0 > 1 || visits / 0 <= 1", visits=3)


def test_times_compare_with_timestamps_in_utc() -> None:
    seen = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert matches('seen_at == timestamp("2026-03-01T10:00:00Z")', seen_at=seen)
    assert matches('seen_at < timestamp("2026-03-01T10:00:01")', seen_at=seen)


def test_text_methods_and_sizes() -> None:
    assert matches('country.startsWith("D") && country.endsWith("E") && country.contains("DE")', country="DE")
    assert matches("size(country) == 2 && size(tags) == 0", country="ÖÄ", tags=[])


def test_escapes_and_raw_texts_are_read_as_in_cel() -> None:
    assert matches(r'country == "a\"b\\n\u00e9"', country='a"b\\n' + "é")
    assert matches(r'country == r"\d"', country=r"\d")


def test_dotted_names_are_found_flat_and_nested() -> None:
    expression = compile_expression('context.device == "mobile"', {"context.device": FieldType.TEXT})
    assert expression.matches({"context.device": "mobile"})
    assert expression.matches({"context": {"device": "mobile"}})
    assert not expression.matches({"context": "mobile"})


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ('visits > 1 && contry == "DE"', 1, 15, "did you mean 'country'? Legal: country, is_member, recency_days"),
        ("visits > 1 &&\n country > 3", 2, 2, "text > number makes no sense; legal: number > number"),
        ("visits >", 1, 8, "not understood here"),
        ("", 1, 1, "an expression is expected"),
        ("visits", 1, 1, "a boolean is expected, this is a number"),
        ("country == null", 1, 12, "ask `has(field)`"),
        ("matches(country)", 1, 1, "unknown function 'matches'; legal: has, size, timestamp"),
        ('country.matches("a")', 1, 1, "unknown method 'matches'; legal: contains, startsWith, endsWith"),
        ("country in tags", 1, 12, "`in` takes a list of literals"),
        ('visits in [1, "a"]', 1, 11, "only number literals"),
        ("[1] == [1]", 1, 1, "a list stands only at the right of `in`"),
        ("is_member ? 1 : country", 1, 1, "a and b of one type"),
        ('seen_at > timestamp("soon")', 1, 11, "usage: timestamp"),
        ("tags.map(x, x)", 1, 1, "unknown method 'map'"),
        ('country == b"x"', 1, 12, "not a literal of this language"),
        ("has(country, tags)", 1, 1, "usage: has(field)"),
        ("!" * 300 + "is_member", 1, 202, "nested deeper than 200"),
    ],
)
def test_mistakes_are_told_with_their_position(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_expression(text, FIELDS)
    assert said in str(raised.value)
    assert (raised.value.line, raised.value.column) == (line, column)


def test_a_text_of_unbounded_length_is_refused() -> None:
    with pytest.raises(ExpressionError, match="at most 4000"):
        compile_expression("true || " * 1000 + "true", FIELDS)


def test_a_field_of_another_type_than_declared_is_an_error_not_an_answer() -> None:
    with pytest.raises(TypeError, match="'visits' must be a number, not 'many'"):
        matches("visits > 1", visits="many")


def test_a_table_without_the_column_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="lacks country; it has visits"):
        compile_expression('country == "DE"', FIELDS).mask(pa.table({"visits": [1]}))


def test_a_constant_holds_for_every_row() -> None:
    assert compile_expression("1 + 1 == 2", FIELDS).mask(pa.table({"visits": [1, 2]})).to_pylist() == [True, True]


def test_encoded_and_sliced_columns_give_the_same_answers() -> None:
    table = pa.table(
        {
            "country": pa.array(["FR", "DE", None, "DE"]).dictionary_encode(),
            "tags": pa.array([["a"], ["vip"], None, ["x", "vip"]]),
            "shares": pa.array([[("s", 1.0)], [("s", 0.2)], None, []], SHARES),
        }
    ).slice(1)
    assert compile_expression('country == "DE"', FIELDS).mask(table).to_pylist() == [True, False, True]
    assert compile_expression('"vip" in tags', FIELDS).mask(table).to_pylist() == [True, False, True]
    assert compile_expression('shares["s"] < 1', FIELDS).mask(table).to_pylist() == [True, False, False]


def test_a_negative_zero_is_found_among_numbers_in_rows_and_tables() -> None:
    expression = compile_expression("recency_days in [0, 2.5]", FIELDS)
    assert expression.matches({"recency_days": -0.0})
    assert expression.mask(pa.table({"recency_days": [-0.0, 1.0]})).to_pylist() == [True, False]


# Rows and tables agree on any expression -------------------------------------------------------------------------

_numbers = st.sampled_from(
    ["0", "1", "2.5", "-3", "visits", "recency_days", 'shares["a"]', "size(tags)", "size(country)"]
)
_texts = st.sampled_from(['"a"', '"DE"', '""', "country"])
_times = st.sampled_from(["seen_at", 'timestamp("2026-01-01T00:00:00Z")'])


def _number_trees(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.builds("({} {} {})".format, children, st.sampled_from("+-*/"), children)
    return pair | st.builds("-({})".format, children)


number_expressions = st.recursive(_numbers, _number_trees, max_leaves=4)
comparison = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
leaves = st.one_of(
    st.builds("({} {} {})".format, number_expressions, comparison, number_expressions),
    st.builds("({} {} {})".format, _texts, comparison, _texts),
    st.builds("({} {} {})".format, _times, comparison, _times),
    st.builds("({} in [{}])".format, _texts, st.sampled_from(["", '"a"', '"a", "DE"'])),
    st.builds("({} in [{}])".format, number_expressions, st.sampled_from(["1", "0, 2.5"])),
    st.builds("({} in tags)".format, st.sampled_from(['"a"', '"b"'])),
    st.builds("has({})".format, st.sampled_from(["country", "tags", 'shares["a"]', "visits / recency_days"])),
    st.builds("{}.{}({})".format, _texts, st.sampled_from(["contains", "startsWith", "endsWith"]), st.just('"a"')),
    st.sampled_from(["is_member", "true", "false"]),
)
conditions = st.recursive(
    leaves,
    lambda children: st.one_of(
        st.builds("({} && {})".format, children, children),
        st.builds("({} || {})".format, children, children),
        st.builds("!{}".format, children),
        st.builds("({} ? {} : {})".format, children, children, children),
    ),
    max_leaves=6,
)
rows = st.fixed_dictionaries(
    {
        "country": st.none() | st.sampled_from(["DE", "a", "", "Ñandú"]),
        "recency_days": st.none() | st.sampled_from([0.0, -0.0, 2.5, math.nan, math.inf, -math.inf, 1e308]),
        "visits": st.none() | st.integers(-3, 3),
        "is_member": st.none() | st.booleans(),
        "seen_at": st.none()
        | st.datetimes(dt.datetime(2025, 1, 1), dt.datetime(2027, 1, 1), timezones=st.just(dt.UTC)),
        "tags": st.none() | st.lists(st.none() | st.sampled_from(["a", "b", "DE"]), max_size=3),
        "shares": st.none()
        | st.dictionaries(st.sampled_from("ab"), st.none() | st.sampled_from([0.0, 0.5, math.nan])),
    }
)


@settings(max_examples=250, deadline=None)
@given(text=conditions, people=st.lists(rows, min_size=1, max_size=5))
def test_one_row_and_a_table_always_agree(text: str, people: list[dict[str, object]]) -> None:
    expression = compile_expression(text, FIELDS)
    arrow_rows = [{**person, "shares": _pairs(person["shares"])} for person in people]
    table = pa.Table.from_pylist(arrow_rows, schema=SCHEMA)
    assert expression.evaluate(table).to_pylist() == [expression.value(person) for person in people]
    assert expression.mask(table).to_pylist() == [expression.matches(person) for person in people]


def _pairs(shares: object) -> list[tuple[str, object]] | None:
    return list(shares.items()) if isinstance(shares, dict) else None

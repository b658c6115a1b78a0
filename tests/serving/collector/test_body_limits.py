"""The limits of a JSON body: the short way past the count of values lets through nothing that it refuses."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.settings.collector import CollectorSettings
from serving.collector.requests import find_fault, parse_json
from serving.errors import ApiError

DEPTH, CHARS, VALUES = 4, 30, 40
LIMITS = CollectorSettings(max_depth=DEPTH, max_string_chars=CHARS, max_values=VALUES)


def nested(depth: int, leaf: str = "1") -> bytes:
    return ('{"a":' * depth + leaf + "}" * depth).encode()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (nested(DEPTH - 1), None),
        (nested(DEPTH), "is nested deeper than 4 levels"),
        (b"[" * DEPTH + b"]" * DEPTH, None),
        (b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1), "is nested deeper than 4 levels"),
        (b'"' + b"x" * CHARS + b'"', None),
        (b'"' + b"x" * (CHARS + 1) + b'"', "has a text of more than 30 characters"),
        (b'{"' + b"x" * (CHARS + 1) + b'":1}', "has a name of more than 30 characters"),
        (b"[" + b",".join([b"1"] * (VALUES - 1)) + b"]", None),
        (b"[" + b",".join([b"1"] * VALUES) + b"]", "has more than 40 values"),
    ],
)
def test_a_body_is_taken_up_to_each_limit_and_refused_beyond_it(body, fault):
    if fault is None:
        assert parse_json(body, LIMITS) == orjson.loads(body)
    else:
        with pytest.raises(ApiError, match=f"the body {fault}"):
            parse_json(body, LIMITS)


@given(
    st.recursive(
        st.none() | st.integers(0, 9) | st.text(st.sampled_from('{[x"é'), max_size=12),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=12,
    )
)
def test_a_body_is_taken_exactly_if_nothing_in_it_is_beyond_a_limit(content):
    fault = find_fault(content, LIMITS)
    if fault is None:
        assert parse_json(orjson.dumps(content), LIMITS) == content
    else:
        with pytest.raises(ApiError):
            parse_json(orjson.dumps(content), LIMITS)

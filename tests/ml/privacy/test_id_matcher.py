"""Ids are found letter for letter, in cells, texts and bytes."""

import pyarrow as pa
import pytest

from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.id_matcher import MAX_ID_CHARS, IdMatcher, find_id_fault


@pytest.mark.parametrize("text", ["user-1001", "xuser-100", "user-100-b", "user-100é", "my_user-100", "USER-100"])
def test_an_id_inside_a_longer_word_is_no_mention(text):
    matcher = IdMatcher(["user-100"])
    assert not matcher.is_cell(text, "user_id")
    assert not matcher.is_in_bytes(f"before {text} after".encode())
    assert matcher.cut(text, "erased") == text


@pytest.mark.parametrize(
    "text", ["user-100", "/people/user-100", '{"id":"user-100"}', "a user-100.", "user-100\x00"]
)
def test_an_id_as_a_word_is_a_mention(text):
    matcher = IdMatcher(["user-100"])
    assert matcher.is_in_text(text)
    assert matcher.is_in_bytes(text.encode())
    assert matcher.cut(text, "erased") == text.replace("user-100", "erased")
    assert matcher.blank_bytes(text.encode()) == text.replace("user-100", "xxxxxxxx").encode()


def test_an_id_that_is_a_word_of_another_known_id_is_told_apart():
    matcher = IdMatcher(["user.100"], others=["user.100.5", "user.1001"])
    assert not matcher.is_cell("user.100.5", "user_id")
    assert not matcher.is_in_bytes(b"\x08\x00user.100.5\x00")
    assert matcher.is_in_text("user.100.5 and user.100")
    assert matcher.cut("user.100.5, user.100", "erased") == "user.100.5, erased"


def test_an_id_is_found_as_addresses_and_json_write_it():
    matcher = IdMatcher(["team/märta 7"])
    assert matcher.is_in_text("/people/team%2Fm%C3%A4rta%207?x=1")
    assert matcher.is_in_text('"team/m\\u00e4rta 7"')
    assert matcher.is_in_text("/people/team/märta 7")


def test_numbers_and_short_ids_are_compared_with_whole_cells_only():
    matcher = IdMatcher(["12345678", "ann"])
    assert matcher.is_cell("ann", "user_id")
    assert not matcher.is_cell("for ann", "user_id")
    assert not matcher.is_in_bytes(b"12345678")
    assert IdMatcher(["ann"], distinctive_only=False).is_in_text("for ann")


def test_rows_of_a_column_are_marked():
    column = pa.chunked_array([["user-1001", "user-100", None], ["/user-100/", "user-10"]])
    assert IdMatcher(["user-100"]).mark(column).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("person", ["a/b", "x" * MAX_ID_CHARS, "ann@example.org", "ключ", "a b", "%2F", "-"])
def test_the_grammar_of_ids_takes_any_characters(person):
    assert find_id_fault(person) is None


@pytest.mark.parametrize("person", ["", "  ", "x" * (MAX_ID_CHARS + 1)])
def test_an_id_has_between_one_and_the_most_characters(person):
    assert find_id_fault(person) is not None


def test_an_erased_id_with_characters_that_end_a_word_is_recognized_in_a_text(tmp_path):
    erased = ErasedIds(Home(tmp_path))
    erased.add(["team/ann b"])
    assert erased.is_named_in('{"user_id": "team/ann b", "value": "x"}')
    assert erased.is_named_in('{"page_url": "/people", "user_id": "team%2Fann%20b"}')
    assert not erased.is_named_in('{"user_id": "team/ann bc"}')


@pytest.mark.parametrize("column", ["user_id", "anonymous_id", "unit_id", "user_ids_.npy", "device_key", "Person"])
def test_a_number_is_a_person_in_columns_that_hold_people(column):
    assert IdMatcher(["12"]).is_cell("12", column)


@pytest.mark.parametrize("column", ["item_id", "device_type", "value", "item_ids_.npy", "browser", ""])
def test_a_number_or_a_name_of_something_else_is_a_person_in_no_other_column(column):
    matcher = IdMatcher(["12", "item-000012"], common=["item-000012"])
    assert not matcher.is_cell("12", column)
    assert not matcher.is_cell("item-000012", column)
    assert matcher.is_cell("item-000012", "user_id")
    assert IdMatcher(["item-000012"]).is_cell("item-000012", column)

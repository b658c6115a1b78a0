"""Every knob says what it is; names that do not exist are answered with the nearest ones."""

import re

import pytest

from ml.settings import Settings
from ml.settings.knobs import UnknownKnobError, all_knobs, knob_value, select_knobs

KNOBS = {knob.name: knob for knob in all_knobs()}


def test_the_knobs_are_the_leaves_of_the_sections() -> None:
    assert "serving.state.engine" in KNOBS
    assert "serving.state" not in KNOBS
    assert "warehouse.funnels" in KNOBS
    assert {name.partition(".")[0] for name in KNOBS} == set(Settings.model_fields)


def test_every_knob_has_a_reason_that_is_a_sentence() -> None:
    assert [knob.name for knob in KNOBS.values() if not re.fullmatch(r"[A-Z`].*[.]", knob.reason)] == []


def test_every_number_has_a_unit() -> None:
    numbers = [knob for knob in KNOBS.values() if type(knob_value(Settings(), knob.name)) in (int, float)]
    assert len(numbers) > 150
    assert [knob.name for knob in numbers if not knob.unit] == []


def test_the_legal_values_are_said_in_words() -> None:
    assert KNOBS["ports.dagster"].legal == "at least 1 and at most 65535"
    assert KNOBS["serving.state.engine"].legal == "sqlite, redis"
    assert KNOBS["privacy.default_consent_browser"].legal == "analytics, personalization, location"
    assert KNOBS["warehouse.leave_out_bots"].legal == "true, false"
    assert KNOBS["evaluation.test_share"].legal == "more than 0 and less than 1"


def test_a_section_stands_for_its_knobs() -> None:
    assert [knob.name for knob in select_knobs("ports")] == [
        "ports.pages",
        "ports.dagster",
        "ports.mlflow",
        "ports.service",
    ]
    assert [knob.name for knob in select_knobs("ports.mlflow")] == ["ports.mlflow"]
    assert len(select_knobs(None)) == len(KNOBS)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("port", "ports"),
        ("serving.stat", "serving.state"),
        ("ports.service_port", "ports.service"),
        ("wharehouse.inactive_days", "warehouse.inactive_days"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(
        UnknownKnobError, match=rf"{name}: there is no such setting or section; did you mean {nearest}"
    ):
        select_knobs(name)

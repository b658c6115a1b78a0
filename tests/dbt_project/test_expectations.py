"""The gate before training names what is wrong, and shows it on a page."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from ml.settings import load_settings
from orchestration.defs.checks import result_of
from orchestration.warehouse.expectations import SUITES, Suite, validate

SETTINGS = load_settings().warehouse
GOOD = {"pairs": 9, "users": 3, "items": 4, "negative_share": 0.2, "undefined_strengths": 0, "reversed_times": 0}


def suite(name: str) -> Suite:
    return next(suite for suite in SUITES if suite.name == name)


def test_plausible_interactions_pass_and_get_a_page(tmp_path: Path) -> None:
    findings = validate(suite("interactions_are_plausible"), pa.Table.from_pylist([GOOD]), SETTINGS, tmp_path)
    assert [finding.figure for finding in findings] == list(GOOD)
    assert all(finding.passed for finding in findings)
    assert (tmp_path / "index.html").exists()


def test_empty_interactions_stop_training_and_say_why() -> None:
    chosen = suite("interactions_are_plausible")
    findings = validate(chosen, pa.Table.from_pylist([GOOD | {"pairs": 0, "negative_share": 1.0}]), SETTINGS)
    result = result_of(findings, chosen, "file:///docs/index.html")
    assert chosen.is_blocking
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.description == "pairs is 0, expected at least 1; negative_share is 1, expected at most 0.98"


def test_a_drop_in_volume_warns_and_does_not_block() -> None:
    chosen = suite("volume_has_not_dropped")
    result = result_of(validate(chosen, pa.table({"volume_ratio": [0.3]}), SETTINGS), chosen, "file:///docs")
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize("figure", list(GOOD))
def test_a_figure_without_a_value_does_not_pass(figure: str) -> None:
    row = pa.table(
        {name: pa.array([None if name == figure else value], pa.float64()) for name, value in GOOD.items()}
    )
    findings = validate(suite("interactions_are_plausible"), row, SETTINGS)
    assert [finding.figure for finding in findings if not finding.passed] == [figure]

"""The gate before training names what is wrong, and shows it on a page."""

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from ml.settings import load_settings
from orchestration.defs.checks import result_of
from orchestration.warehouse.expectations import SUITES, Suite, validate

SETTINGS = load_settings().warehouse
GOOD = {
    "negative_share": 0.2,
    "undefined_strengths": 0,
    "reversed_times": 0,
}


def suite(name: str) -> Suite:
    return next(suite for suite in SUITES if suite.name == name)


def test_plausible_interactions_pass() -> None:
    findings = validate(suite("interactions_are_plausible"), pa.Table.from_pylist([GOOD]), SETTINGS)
    assert [finding.figure for finding in findings] == list(GOOD)
    assert all(finding.passed for finding in findings)


def test_impossible_interactions_stop_training_and_say_why() -> None:
    chosen = suite("interactions_are_plausible")
    findings = validate(
        chosen, pa.Table.from_pylist([GOOD | {"negative_share": 1.0, "undefined_strengths": 2}]), SETTINGS
    )
    result = result_of(findings, chosen, "file:///docs/index.html")
    assert chosen.is_blocking
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert (
        result.description
        == "negative_share is 1, expected at most 0.98; undefined_strengths is 2, expected at most 0"
    )


@pytest.mark.parametrize(("refused_by_users", "passes"), [(1, True), (300, False)])
def test_refusals_of_unknown_devices_do_not_stop_training(refused_by_users: int, passes: bool) -> None:
    """Two users like two items each; one device refuses a thousand items, and a user some."""
    with duckdb.connect() as warehouse:
        warehouse.execute(f"""
            create table users as
                from (values ('ann', true), ('ben', true), ('anonymous:x', false)) as people (user_id, is_known);
            create table interactions as
                select user_id, item_id, is_negative, 1.0 as strength, now() as first_at, now() as last_at
                from (
                    from (values ('ann', 'a', false), ('ann', 'b', false),
                        ('ben', 'a', false), ('ben', 'c', false))
                    union all select 'anonymous:x', 'n' || range, true from range(1000)
                    union all select 'ann', 'r' || range, true from range({refused_by_users})
                ) as pairs (user_id, item_id, is_negative)
        """)
        chosen = suite("interactions_are_plausible")
        figures = warehouse.sql(chosen.figures).to_arrow_table()
    findings = {finding.figure: finding for finding in validate(chosen, figures, SETTINGS)}
    share = refused_by_users / (refused_by_users + 4)
    assert findings["negative_share"].value == pytest.approx(share)
    assert all(finding.passed for finding in findings.values()) is passes


@pytest.mark.parametrize(("entered", "purchases", "passes"), [(0, 3, False), (1, 3, True), (0, 0, True)])
def test_sales_beside_all_funnels_are_told(entered: int, purchases: int, passes: bool) -> None:
    """A site whose events come from its server sends no page views, with which the funnels begin."""
    with duckdb.connect() as warehouse:
        warehouse.execute(f"create table funnels as select 1 as step_number from range({entered})")
        warehouse.execute(
            f"create table sessions as select {purchases} as purchases, false as is_bot, false as is_internal"
            " union all select 5, true, false"
        )
        chosen = suite("sales_pass_a_funnel")
        (finding,) = validate(chosen, warehouse.sql(chosen.figures).to_arrow_table(), SETTINGS)
    assert finding.passed is passes
    assert not chosen.is_blocking


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

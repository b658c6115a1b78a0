"""The page of data quality shows the last run of each check, failed ones first, without asking another site."""

import datetime as dt

from orchestration.pages.quality_page import record_findings
from orchestration.warehouse.expectations import AllowedRange, ExpectationResult, Suite

NOW = dt.datetime(2026, 3, 2, 9, 30, tzinfo=dt.UTC)


def suite(name, is_blocking=True):
    return Suite(
        name, "users", is_blocking, "Users are <plausible>.", "select 1", {"users": AllowedRange(least=1)}
    )


def finding(value, passed):
    return ExpectationResult("mean_age", passed, value, 1.0, None)


def test_failed_checks_stand_first_with_value_and_range(tmp_path):
    names = ["a_holds", "b_fails"]
    record_findings(tmp_path, suite("a_holds"), [finding(2.5, True)], NOW, names)
    page = record_findings(tmp_path, suite("b_fails", False), [finding(0.25, False)], NOW, names)
    text = page.read_text()
    assert text.index("B fails") < text.index("A holds")
    assert "1 of 2 checks found figures outside their range" in text
    assert '<td class="bad">0.25</td><td>1</td><td>–</td>' in text
    assert "Users are &lt;plausible&gt;." in text
    assert "2026-03-02 09:30" in text
    assert "://" not in text


def test_a_later_run_takes_the_place_of_the_earlier_and_checks_that_are_gone_leave(tmp_path):
    record_findings(tmp_path, suite("was_renamed"), [finding(None, False)], NOW, ["was_renamed"])
    record_findings(tmp_path, suite("a_holds"), [finding(0.0, False)], NOW, ["a_holds"])
    text = record_findings(tmp_path, suite("a_holds"), [finding(2.0, True)], NOW, ["a_holds"]).read_text()
    assert "The check holds." in text
    assert "renamed" not in text

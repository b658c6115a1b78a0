from datetime import timedelta
from html.parser import HTMLParser

import pytest

from ml.evaluation.gains import NO_DIFFERENCE
from ml.experiments.analysis.analysis import analyse_experiment
from ml.experiments.analysis.inference import EffectInterval
from ml.experiments.report.plots import ForestRow, plot_forest
from ml.experiments.report.report import render_report


@pytest.fixture(scope="module", params=["always_valid", "group_sequential", "fixed"])
def page(define, simulate, settings, request):
    site = simulate(3000, lift=0.2)
    definitions = define(
        hypothesis="A <b>better</b> ranker", decision={"inference": request.param, "planned_units": 3000}
    )
    end = definitions.get("ranker").ends_at + timedelta(days=14)
    analysis = analyse_experiment(definitions, "ranker", site.exposures, site.outcomes, end, settings)
    return render_report(analysis, settings.drift_alarm_p)


class Outline(HTMLParser):
    """Headings of the page and every URL that it would load."""

    def __init__(self):
        super().__init__()
        self.headings, self.loads, self.open_heading = [], [], False

    def handle_starttag(self, tag, attrs):
        self.open_heading = tag in ("h1", "h2")
        self.loads += [
            value
            for name, value in attrs
            if name in ("src", "href") and not (value or "").startswith(("#", "data:"))
        ]

    def handle_data(self, data):
        if self.open_heading:
            self.headings.append(data)
            self.open_heading = False


def test_the_page_has_all_sections_and_loads_nothing(page, settings):
    outline = Outline()
    outline.feed(page)
    assert outline.headings == [
        "ranker", "Why", "Clicks per user: challenger", "All metrics", "Guardrails",
        "Differences between groups and over time: challenger", "Are the data reliable?",
        "How to read this report",
    ]  # fmt: skip
    assert outline.loads == []
    assert "<script" not in page
    assert "Ship challenger" in page
    assert f"standard deviation of {settings.prior_relative_sd:.0%}" in page
    assert page.count("<svg") >= 5


def test_a_change_that_may_be_chance_is_called_so(define, simulate, settings):
    site = simulate(3000, lift=0.0)
    end = define().get("ranker").ends_at + timedelta(days=14)
    analysis = analyse_experiment(define(), "ranker", site.exposures, site.outcomes, end, settings)
    page = render_report(analysis, settings.drift_alarm_p)
    assert f"; only a p below {settings.drift_alarm_p:g} is taken for one)" in page
    rows = {line.split("<span")[0]: line for line in page.split("<tr><td>")[1:]}
    for result in analysis.results:
        row = rows[result.metric.replace("_", " ").capitalize()]
        relative = result.decisive.relative
        assert (NO_DIFFERENCE in row) == (relative.low <= 0 <= relative.high)
    assert f", {NO_DIFFERENCE}. The probability" in page


def test_user_text_is_escaped(page):
    assert "A &lt;b&gt;better&lt;/b&gt; ranker" in page


def test_a_metric_without_units_shows_the_reason_and_every_value_its_units(define, simulate, settings):
    site = simulate(3000, lift=0.2)
    as_of = define().get("ranker").starts_at + timedelta(days=10)
    analysis = analyse_experiment(define(), "ranker", site.exposures, site.outcomes, as_of, settings)
    page = render_report(analysis, settings.drift_alarm_p)
    assert "no unit seen for 14 days yet, the first on 2026-09-21" in page
    assert "nan" not in page.lower().replace("finance", "")
    estimate = analysis.result("clicks_per_user", "challenger").estimate
    row = page[page.index("<td>Clicks per user") :].split("</tr>")[0]
    assert f">{estimate.control_units:,}<" in row
    assert f">{estimate.treatment_units:,}<" in row


def test_an_experiment_whose_units_have_not_seen_a_window_has_a_page(define, simulate, settings):
    site = simulate(300)
    as_of = define().get("ranker").starts_at + timedelta(days=2)
    page = render_report(
        analyse_experiment(define(), "ranker", site.exposures, site.outcomes, as_of, settings),
        settings.drift_alarm_p,
    )
    assert "No unit seen for 7 days yet, the first on 2026-09-14" in page


def test_a_test_that_found_nothing_stops_without_alarm_and_one_that_harms_with_it(define, simulate, settings):
    end = define().get("ranker").ends_at + timedelta(days=14)
    pages = {}
    for lift in (0.0, -0.6):
        site = simulate(6000, lift=lift)
        analysis = analyse_experiment(define(), "ranker", site.exposures, site.outcomes, end, settings)
        assert analysis.decision.verdict == "stop"
        pages[any(guardrail.state == "breached" for guardrail in analysis.guardrails)] = render_report(
            analysis, settings.drift_alarm_p
        )
    assert 'class="verdict stop"' in pages[False]
    for is_harmful, page in pages.items():
        assert ('class="verdict harm"' in page) is is_harmful


@pytest.mark.parametrize(
    ("bounds", "left", "right"),
    [
        ((-0.2, 2.4), (-0.5, -0.2), (2.4, 2.6)),  # a fall below -100% is impossible, so the axis does not show it
        ((0.3, 0.5), (-0.1, 0.0), (0.5, 0.6)),  # 0 is always on it
        ((-0.5, -0.3), (-0.6, -0.5), (0.0, 0.1)),
    ],
)
def test_the_axis_of_effects_reaches_as_far_as_they_do(bounds, left, right):
    low, high = bounds
    rows = [ForestRow("Purchases", EffectInterval((low + high) / 2, low, high))]
    start, end = plot_forest(rows).axes[0].get_xlim()
    assert left[0] < start <= left[1]
    assert right[0] <= end < right[1]

"""`tessera experiment` as a user types it, on a small home."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ml.console.published import PublishedTables
from ml.console.tables import FOLDER, write_console_table
from ml.experiments.analysis.baseline import measure_baseline
from ml.experiments.definition.definitions_file import load_metric_library
from ml.experiments.definition.metrics import MEASURES
from ml.experiments.design.published_baselines import read_baselines
from ml.home import Home
from ml.settings import load_settings
from orchestration.cli import app
from orchestration.warehouse.experiment_tables import measure_baselines
from orchestration.warehouse.warehouse import Warehouse
from serving.console.current_bundle import CurrentBundle
from serving.console.figures.experiment_design import build_design


@pytest.fixture
def home(tmp_path):
    place = Home(tmp_path)
    warehouse = Warehouse(place.warehouse)
    teams = json.dumps(["champion", "challenger"])
    answers = [
        {
            "user_id": f"u{n}",
            "slot": "home",
            "items": json.dumps(["a", "b"]),
            "propensities": "[]",
            "teams": teams,
            "clicks": 1,
            "clicked_items": ["b"],
        }
        for n in range(40)
    ]
    answers += [
        {
            "user_id": f"v{n}",
            "slot": "hero",
            "items": json.dumps(["bold" if n % 2 else "plain"]),
            "propensities": "[0.5]",
            "teams": None,
            "clicks": int(n % 4 == 1),
            "clicked_items": None,
        }
        for n in range(400)
    ]
    warehouse.write("answers", pa.Table.from_pylist(answers))
    warehouse.write("user_segments", pa.table({"user_id": ["ann", "bob"], "name": ["Cooks", "Athletes"]}))
    return tmp_path


def run(home, *words, status=0, width=200):
    result = CliRunner().invoke(app, ["experiment", *words, "--home", str(home)], env={"COLUMNS": str(width)})
    assert result.exit_code == status, result.output
    return result.output


def test_the_preferred_rankers_picks_are_named(home):
    assert "The challenger's picks are preferred." in run(home, "interleaving")


def test_contents_are_valued_from_what_was_drawn(home):
    output = run(home, "off-policy", "hero")
    assert output.count("bold") == output.count("plain") == 3
    # A click for half of the 200 that saw it; IPS weighs each by 1 / .5.
    assert "0.5000" in output
    assert "'footer' drew no content" in run(home, "off-policy", "footer", status=1)


def test_a_segment_strategy_becomes_an_experiment_of_segments_that_exist(home):
    assert "no user is in Bakers; legal segments: Athletes, Cooks" in run(home, "segment", "Bakers", status=1)
    assert not (home / "experiments.yaml").exists()
    assert "segment-cooks is defined" in run(home, "segment", "Cooks", "--payload", '{"content": "recipes"}')
    assert "segment-cooks" in run(home, "check")
    assignment = json.loads(run(home, "assign", "segment-cooks", "ann"))
    assert (assignment["experiment_id"], assignment["reason"]) == ("segment-cooks", "assigned")


def test_a_missing_table_is_reported_in_a_single_line(tmp_path):
    assert "no table answers: run `tessera materialize` first" in run(tmp_path, "interleaving", status=1)


EXPERIMENT = """\
version: 1
experiments:
  trial:
    hypothesis: It brings more clicks a user
    unit: user
    variants: {control: {share: 0.5}, new: {share: 0.5}}
    primary_metric: clicks_per_user
    secondary_metrics: [retention_next_week]
    minimum_detectable_effect: 0.05
    starts_at: 2026-03-01T00:00:00Z
    ends_at: 2026-04-01T00:00:00Z
    decision: {planned_units: 1000}
"""


def test_analyse_shows_units_beside_values_and_why_a_metric_has_no_interval(home):
    (home / "experiments.yaml").write_text(EXPERIMENT, encoding="utf-8")
    start, people = datetime(2026, 3, 1, tzinfo=UTC), 1000
    ids = [f"u{n}" for n in range(people)]
    warehouse = Warehouse(Home(home).warehouse)
    exposed = pa.array([start] * people, pa.timestamp("us", "UTC"))
    warehouse.write(
        "exposures",
        pa.table(
            {
                "experiment_id": ["trial"] * people,
                "unit_id": ids,
                "user_id": ids,
                "variant": ["new" if n % 2 else "control" for n in range(people)],
                "first_exposed_at": exposed,
            }
        ),
    )
    warehouse.write(
        "experiment_outcomes",
        pa.table(
            {
                "experiment_id": ["trial"] * people,
                "user_id": ids,
                "day": [0] * people,
                "clicks": [1 + n // 2 % 3 + n % 2 for n in range(people)],
                "sessions": [1] * people,
            }
        ),
    )
    last = start + timedelta(days=8)
    warehouse.write("users", pa.table({"user_id": ["u0"], "last_seen_at": pa.array([last], pa.timestamp("us"))}))
    output = run(home, "analyse", "trial")
    clicks, retention = (
        next(line for line in output.splitlines() if name in line and "(" in line)
        for name in ("clicks per user", "retention next week")
    )
    # 500 units each: 1, 2 and 3 clicks in equal parts but for a remainder, and one more for the treatment.
    assert "1.998 (500)" in clicks
    assert "2.998 (500)" in clicks
    assert "no unit seen for 14 days yet, the first on 2026-03-15" in retention
    assert "nan" not in retention
    assert "– (0)" in retention
    assert "Left out of the correction for several tests: retention_next_week of new" in output
    assert "✓ sample ratio: control 500 (50.00%, planned 50.00%), new 500" in output
    assert "trial: new against control" in output
    narrow = run(home, "analyse", "trial", width=80)
    assert "…" not in narrow
    assert all(len(line) <= 80 for line in narrow.splitlines() if "(500)" in line)
    assert {"1.998", "2.998", "+50.05%"} <= set(narrow.split())
    later = EXPERIMENT.replace("2026-03-01", "2026-03-11")
    (home / "experiments.yaml").write_text(later.replace("trial:", "later:"), encoding="utf-8")
    assert "later starts on 2026-03-11: nobody has seen a variant of it yet" in run(
        home, "analyse", "later", status=1
    )


def test_analyse_without_an_experiment_lists_those_of_the_file(home):
    assert "segment-cooks is defined" in run(home, "segment", "Cooks")
    output = run(home, "analyse")
    row = next(line for line in output.splitlines() if "segment-cooks" in line)
    assert "running" in row
    assert "0" in row.split("│")[-2]


def days_of_use(n_users=2_000, days=80):
    """Days of people who come every third day from a first one on; the first of one person is long before."""
    rng = np.random.default_rng(3)
    first = date(2026, 3, 2)
    has_begun = rng.integers(0, days, (n_users, 1)) <= np.arange(days)
    user, day = np.nonzero(has_begun & (rng.random((n_users, days)) < 0.3))
    rate = rng.gamma(4.0, 0.5, n_users)[user]
    measures = {
        name: rng.poisson(rate * share) for share, name in zip(np.linspace(0.01, 0.1, 18), MEASURES, strict=True)
    }
    rows = pa.table(
        {
            "user_id": [f"u{number}" for number in user],
            "date": [first + timedelta(days=int(number)) for number in day],
            **measures | {"revenue": measures["revenue"] * 9.5, "searches": np.zeros(len(user), dtype=np.int64)},
        }
    )
    early = rows.slice(0, 1).set_column(1, "date", pa.array([first - timedelta(days=40)]))
    return pa.concat_tables([early, rows])


def test_the_console_plans_what_the_command_plans(tmp_path):
    place = Home(tmp_path)
    warehouse, days = Warehouse(place.warehouse), days_of_use()
    warehouse.write("user_days", days)
    metrics, history_days = load_metric_library(), load_settings().experiments.design_history_days
    table = measure_baselines(warehouse, metrics, history_days)
    published = read_baselines(table)
    assert list(metrics) == table["metric"].to_pylist()
    assert published.faults["search_rate"] == "the metric never varied in the history, so it cannot be planned"
    assert "quantile metrics cannot be planned" in published.faults["median_engaged_seconds"]
    assert len(published.measured) > 15
    for name, baseline in published.measured.items():
        whole = measure_baseline(metrics[name], days, history_days)
        assert baseline.metric == metrics[name]
        assert (baseline.mean, baseline.variance, baseline.explained) == pytest.approx(
            (whole.mean, whole.variance, whole.explained), rel=1e-9
        )
        assert (baseline.units, baseline.starts_on) == (whole.units, whole.starts_on)
        assert baseline.window_days == whole.window_days
        assert baseline.arrivals.tolist() == whole.arrivals.tolist()

    (tmp_path / FOLDER).mkdir()
    write_console_table(tmp_path / FOLDER, "experiment_baselines", table)
    bundle = CurrentBundle("v1", {}, PublishedTables(tmp_path))
    for name, lift, inference in (
        ("conversion", "30", "always_valid"), ("clicks_per_user", "8", "group_sequential"),
        ("revenue_per_purchase", "2.5", "fixed"), ("rejection_rate", "20", "fixed"),
    ):  # fmt: skip
        query = {"metric": name, "lift": lift, "inference": inference, "traffic": "60"}
        sheets = build_design(bundle, load_settings().experiments, query).sheets
        answer = dict(sheets[0].rows)
        printed = run(
            tmp_path, "design", "--metric", name, "--lift", str(float(lift) / 100), "--inference", inference,
            "--traffic", "0.6",
        )  # fmt: skip
        units, pair = re.search(r"units +([\d,]+) in all; planned_units: (\d+)", printed).groups()
        assert answer["People needed, all variants together"] == int(units.replace(",", ""))
        assert answer["Of them control and one variant: planned_units"] == int(pair)
        assert f"{answer['Days of intake, in whole weeks']} days of intake" in printed
        assert f"{answer['New people a day, the last two weeks']:,} new units a day" in printed
        assert f"{answer['Planned effect, %']:+.1f}%" in printed
        weeks = re.findall(r"│ (\d+) +│ ([\d,]+) +│ (\d+)% +│ ([\d.]+)% +│", printed)
        assert len(weeks) == 12
        for (week, people, power, effect), row in zip(weeks, sheets[2].rows, strict=True):
            assert (int(week), int(people.replace(",", ""))) == (row[0], row[1])
            assert float(power) == pytest.approx(sheets[1].rows[7 * row[0] - 1][2], abs=0.56)
            assert float(effect) == pytest.approx(row[2], abs=0.056)

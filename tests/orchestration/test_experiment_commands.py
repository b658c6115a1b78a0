"""`tessera experiment` as a user types it, on a small home."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ml.home import Home
from orchestration.cli import app
from orchestration.warehouse.warehouse import Warehouse


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

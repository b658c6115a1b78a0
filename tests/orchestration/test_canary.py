"""A new model answers some people of a home first, and becomes the champion or is rolled back by itself."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner, Result

from ml.bundle import Bundle, canary_version, current_version
from ml.events.log import EventLog
from ml.home import Home
from ml.monitoring.journal import NOTICES, Journal
from ml.registry.registry import Registry
from ml.registry.trials import CanaryTrials, Outcome
from orchestration.cli import app
from orchestration.defs.canary import canary
from orchestration.defs.champion import champion_model
from orchestration.defs.delivery import model_delivery
from orchestration.defs.publishing import published_bundle
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.warehouse.canary_people import count_answered_people, read_canary_people
from orchestration.warehouse.warehouse import open_duckdb
from tests.orchestration.test_recommendation import materialize

NOW = dt.datetime.now(dt.UTC)
ANSWERS = pa.schema(
    [
        *((name, pa.string()) for name in ("recommendation_id", "user_id", "role", "model_version")),
        ("answered_at", pa.timestamp("us")),
        ("clicks", pa.int64()),
    ]
)


@pytest.fixture
def home(changing_home: Home, small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose gate finds that popularity is far better than the champion; a few people suffice to try it."""
    knobs = yaml.safe_load((small_site / "settings.yaml").read_text(encoding="utf-8"))
    knobs["evaluation"] = knobs.get("evaluation", {}) | {"guardrails": []}
    knobs["canary"] = {"least_people": 10, "share": 0.5}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path))
    with open_duckdb(changing_home.warehouse) as connection:
        connection.execute(
            "update candidate_scores set value = 0.9 + value / 100 where configuration like '%\"popularity\"%'"
        )
    write_answers(changing_home, dt.timedelta(days=-3), "champion", 0.2)
    return changing_home


def write_answers(
    home: Home, since_now: dt.timedelta, role: str, share_clicked: float, version: str | None = None
) -> None:
    """Replace the view of answers by a table, and add answers to it: five a person."""
    rows = [
        {
            "recommendation_id": f"{role}-{since_now}-{person}-{number}",
            "user_id": f"{role}-{person}",
            "answered_at": (NOW + since_now).replace(tzinfo=None),
            "role": role,
            "model_version": version,
            "clicks": int((5 * person + number) % 100 < 100 * share_clicked),
        }
        for person in range(400)
        for number in range(5)
    ]
    with open_duckdb(home.warehouse) as connection:
        connection.register("added", pa.Table.from_pylist(rows, schema=ANSWERS))
        is_view = connection.sql("select 1 from duckdb_views() where view_name = 'answers'").fetchall()
        if is_view:
            connection.execute("drop view answers")
            connection.execute("create table answers as select * from added")
        else:
            connection.execute("insert into answers by name select * from added")


def served_model(home: Home, version: str | None) -> str | None:
    assert version is not None
    return Bundle.load(home.published / version).model_version


def champion_version(registry: Registry) -> int | None:
    champion = registry.champion()
    return champion and champion.version


def tessera(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def notices(home: Home) -> list[str]:
    return [entry.what for entry in Journal(home).entries() if entry.what in NOTICES]


def test_a_worse_model_is_rolled_back_by_itself_and_rests(home: Home) -> None:
    registry = Registry(home.mlflow_uri)
    trials, before = CanaryTrials(registry), registry.champion()
    assert before is not None
    materialize(home, champion_model)
    trial = trials.running()
    assert trial is not None
    assert (trial.model, trial.planned_people, champion_version(registry)) == ("popularity", 400, before.version)
    materialize(home, published_bundle)
    published = (current_version(home.published), canary_version(home.published))
    assert [served_model(home, version) for version in published] == [str(before.version), str(trial.version)]
    manifest = json.loads((home.published / str(published[1]) / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["details"]["promotion"]["kind"] == "canary"

    materialize(home, canary)  # nobody was answered yet
    assert trials.running() is not None
    materialize(home, champion_model)  # the next training refreshes both, and tries nothing else
    renewed, refreshed = trials.running(), registry.champion()
    assert renewed is not None
    assert refreshed is not None
    assert (renewed.run_id, renewed.started_at) == (trial.run_id, trial.started_at)
    assert renewed.version > refreshed.version > trial.version

    write_answers(home, dt.timedelta(hours=1), "champion", 0.2)
    write_answers(home, dt.timedelta(hours=1), "canary", 0.04)
    decided = materialize(home, canary)
    (materialization,) = decided.asset_materializations_for_node("canary")
    assert materialization.metadata["decision"].value == "roll back"
    assert (canary_version(home.published), current_version(home.published)) == (None, published[0])
    (ended,) = trials.ended()
    assert ended.outcome is Outcome.ROLLED_BACK
    assert "4.0% of the new model's answers were clicked, 20.0% of the former one's (-80.0%" in ended.text
    assert champion_version(registry) == refreshed.version
    assert notices(home) == ["canary_started", "canary_rolled_back"]

    result = materialize(home, champion_model)  # the gate would choose it again
    (materialization,) = result.asset_materializations_for_node("champion_model")
    assert materialization.metadata["verdict"].value == "refresh"
    assert "popularity: it was rolled back on" in materialization.metadata["reasons"].value
    assert trials.running() is None
    shown = tessera("canary", "show", "--home", str(home.path)).output
    assert "No new model is being tried." in shown
    assert "rolled back" in shown


def test_a_model_that_is_no_worse_answers_everybody_and_a_person_may_decide_before(home: Home) -> None:
    registry = Registry(home.mlflow_uri)
    trials = CanaryTrials(registry)
    materialize(home, champion_model)
    materialize(home, published_bundle)
    trial, version = trials.running(), canary_version(home.published)
    assert trial is not None
    shown = tessera("canary", "show", "--home", str(home.path))
    assert f"popularity (version {trial.version}) is being tried for 0.0 days" in shown.output
    write_answers(home, dt.timedelta(hours=1), "champion", 0.2)
    write_answers(home, dt.timedelta(hours=1), "canary", 0.6, version=str(trial.version))
    materialize(home, canary)
    assert champion_version(registry) == trial.version
    assert (current_version(home.published), canary_version(home.published)) == (version, None)
    assert notices(home) == ["canary_started", "canary_promoted"]
    welcome = json.loads((home.models / "welcome.json").read_text(encoding="utf-8"))
    assert welcome == json.loads((home.published / str(version) / "welcome.json").read_text(encoding="utf-8"))
    assert not (home.models / "canary").exists()
    assert registry.promotions()[-1].reasons[-1].startswith("It is not worse by more than 5%: ")
    materialize(home, model_delivery)
    place = WarehouseResource(home=HomeResource(path=str(home.path)))
    (delivered,) = place.read("from model_delivery where model_version is not null").to_pylist()
    assert (delivered["model_version"], delivered["model"]) == (str(trial.version), "popularity")
    assert (delivered["people"], delivered["answers"], delivered["clicked_share"]) == (400, 2_000, 0.6)
    assert 0.9 < delivered["promised_low"] < delivered["promised_high"] < 0.91  # of the scores that were changed
    assert delivered["promised"] == pytest.approx(trial.metrics["ndcg_at_10"])
    for command in ("promote", "roll-back"):
        refused = tessera("canary", command, "--home", str(home.path))
        assert (refused.exit_code, "no new model is being tried" in refused.output) == (1, True)

    now = dt.datetime.now(dt.UTC)
    trials.start(trial.version, "popularity", trial.configuration, ("it gains",), {}, 400, now)
    assert tessera("canary", "roll-back", "--home", str(home.path)).exit_code == 0
    trials.start(trial.version, "popularity", trial.configuration, ("it gains",), {}, 400, now)
    assert tessera("canary", "promote", "--home", str(home.path)).exit_code == 0
    assert [ended.outcome for ended in trials.ended()] == ["promoted", "rolled_back", "promoted"]
    assert champion_version(registry) == trial.version


def test_where_nobody_is_answered_a_new_model_answers_everybody_at_once(home: Home) -> None:
    with open_duckdb(home.warehouse) as connection:
        connection.execute("delete from answers")
    materialize(home, champion_model)
    registry = Registry(home.mlflow_uri)
    champion = registry.champion()
    assert champion is not None
    assert json.loads(champion.params["configuration"])["model"] == "popularity"
    assert CanaryTrials(registry).running() is None


def test_people_are_counted_as_the_log_has_them(materialized_home: Home) -> None:
    read = WarehouseResource(home=HomeResource(path=str(materialized_home.path))).read
    events = pa.concat_tables(pa.Table.from_batches([batch]) for batch in EventLog(materialized_home).read())
    log = events.to_pandas()
    begin = log["occurred_at"].max() - dt.timedelta(days=5)
    served = log[
        (log["event_type"] == "served") & log["properties"].fillna("").str.contains('"role": ?"champion"')
    ]
    clicked = set(log[log["event_type"] == "click"]["recommendation_id"].dropna())
    served = served.drop_duplicates("recommendation_id")
    late = served[served["occurred_at"] >= begin]
    people = read_canary_people(read, begin.to_pydatetime()).to_pandas()
    assert set(people["role"]) == {"champion"}
    assert people["answers"].sum() == pytest.approx(len(late), rel=0.02)  # floods and bots are left out
    assert people["clicked_answers"].sum() == pytest.approx(
        late["recommendation_id"].isin(clicked).sum(), rel=0.02
    )
    assert 0 < len(people) <= count_answered_people(read, begin.to_pydatetime())

"""Trials of new models on a real MLflow store."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders.models.zoo import make_recommender
from ml.registry.registry import MODEL_NAME, Registry
from ml.registry.trials import ALIAS, EXPERIMENT, CanaryTrials, Outcome

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
CONFIGURATION = {"model": "popularity", "params": {"half_life_days": 7.0}}


def register(registry: Registry, folder: Path) -> int:
    pairs = pa.table({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"]})
    make_recommender("popularity").fit(Interactions.from_table(pairs)).save(folder)
    with registry.start_run("champion popularity") as run:
        return registry.register(run, folder).version


def aliases(registry: Registry) -> dict[str, str]:
    (model,) = registry.client.search_registered_models(f"name='{MODEL_NAME}'")
    return dict(model.aliases)


def test_a_trial_goes_on_with_newer_versions_and_its_end_is_on_record(registry: Registry, tmp_path: Path) -> None:
    trials = CanaryTrials(registry)
    assert (trials.running(), trials.ended()) == (None, [])
    first = register(registry, tmp_path / "model")
    metrics = {"ndcg_at_10": 0.25}
    started = trials.start(first, "popularity", CONFIGURATION, ("it gains",), metrics, 4_000, NOW)
    assert CanaryTrials(registry).running() == started
    assert (started.configuration, started.reasons, started.metrics) == (CONFIGURATION, ("it gains",), metrics)
    assert aliases(registry) == {ALIAS: first}
    with pytest.raises(ValueError, match=f"version {first} is being tried since 2026-05-01"):
        trials.start(first, "popularity", CONFIGURATION, (), {}, 10, NOW)

    second = register(registry, tmp_path / "newer")
    trials.renew(started, second)
    for change in (-0.1, -0.2):
        running = trials.running()
        assert running is not None
        trials.record_look(running, {"change": change, "change_low": float("-inf"), "change_high": float("nan")})
    going_on = trials.running()
    assert going_on is not None
    assert (going_on.version, going_on.run_id, going_on.started_at, going_on.looks) == (
        second,
        started.run_id,
        NOW,
        2,
    )
    assert aliases(registry) == {ALIAS: second}
    history = registry.client.get_metric_history(going_on.run_id, "change")
    assert [(metric.step, metric.value) for metric in history] == [(1, -0.1), (2, -0.2)]
    assert set(registry.client.get_run(going_on.run_id).data.metrics) == {"change"}

    later = NOW + dt.timedelta(days=2)
    trials.end(going_on, Outcome.ROLLED_BACK, "It is worse.", later)
    (ended,) = trials.ended()
    assert trials.running() is None
    assert (ended.outcome, ended.text, ended.ended_at) == (Outcome.ROLLED_BACK, "It is worse.", later)
    assert aliases(registry) == {}
    experiment = registry.client.get_experiment_by_name(EXPERIMENT)
    assert "some of the people" in experiment.tags["mlflow.note.content"]
    trials.start(second, "popularity", CONFIGURATION, (), {}, 10, later)  # the next one may begin
    assert len(trials.ended()) == 1

"""A faulty definition takes no other experiment with it, and is named."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.experiments import experiments

EXPERIMENT = """\
  {id}:
    hypothesis: It brings more clicks a user
    unit: user
    variants: {{control: {{share: 0.5}}, new: {{share: {share}}}}}
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: 2026-03-01T00:00:00Z
    ends_at: 2026-04-01T00:00:00Z
"""


def load(home: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    (home / "experiments.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("TESSERA_HOME", str(home))
    monkeypatch.delenv("TESSERA_SITE", raising=False)
    loaded = experiments()
    assert isinstance(loaded, dg.Definitions)
    return loaded


def names(definitions: dg.Definitions) -> set[str]:
    return {
        asset.key.to_user_string() for asset in definitions.assets or () if isinstance(asset, dg.AssetsDefinition)
    }


def warnings(definitions: dg.Definitions, caplog: pytest.LogCaptureFixture) -> str:
    (asset,) = [
        asset
        for asset in definitions.assets or ()
        if isinstance(asset, dg.AssetsDefinition) and asset.key.to_user_string() == "experiments_left_out"
    ]
    assert dg.materialize([asset]).success
    return caplog.text


def test_the_sound_experiments_stay_and_the_faulty_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = "version: 1\nexperiments:\n" + EXPERIMENT.format(id="sound", share=0.5)
    definitions = load(tmp_path, text + EXPERIMENT.format(id="broken", share=0.4), monkeypatch)
    assert names(definitions) == {"experiment_sound", "experiments_left_out"}
    told = warnings(definitions, caplog)
    assert "broken is left out of the analyses: experiments.yaml:14" in told
    assert "shares sum to 0.9" in told


def test_a_file_without_faults_has_no_such_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "version: 1\nexperiments:\n" + EXPERIMENT.format(id="sound", share=0.5)
    assert names(load(tmp_path, text, monkeypatch)) == {"experiment_sound"}


def test_a_file_that_is_no_yaml_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    definitions = load(tmp_path, "experiments: [", monkeypatch)
    assert names(definitions) == {"experiments_left_out"}
    assert "no valid YAML" in warnings(definitions, caplog)

"""Training with a search before it, and what becomes of a hybrid champion between two trainings."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from ml.home import Home
from ml.registry.registry import Registry
from orchestration.defs.recommendation import candidate_models, champion_model
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.running.instance import FROM_SCRATCH


@pytest.fixture
def home(changing_home: Home, small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose settings seek an ALS for a second or two before a training, and let hybrids go on."""
    knobs = yaml.safe_load((small_site / "settings.yaml").read_text(encoding="utf-8"))
    knobs["recommenders"] |= {"search": {"minutes": 0.03, "models": ["als"]}, "update_epochs": 3}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path))
    return changing_home


def materialize(home: Home, *assets: dg.AssetsDefinition, tags: dict[str, str] | None = None) -> None:
    place = HomeResource(path=str(home.path))
    resources = {
        "home": place,
        "warehouse": WarehouseResource(home=place),
        "registry": RegistryResource(home=place),
    }
    assert dg.materialize(list(assets), resources=resources, tags=tags).success


def test_what_a_search_finds_takes_part_and_a_refreshed_hybrid_goes_on(home: Home) -> None:
    registry = Registry(home.mlflow_uri, home.artifacts)
    before = registry.champion()
    assert before is not None
    assert '"lightfm_warp"' in before.params["configuration"]
    materialize(home, candidate_models)
    place = HomeResource(path=str(home.path))
    table = WarehouseResource(home=place).read("candidate_models").to_pylist()
    assert [row["model"] for row in table].count("als") == 1
    experiment = registry.client.get_experiment_by_name("recommendation").experiment_id
    names = [run.info.run_name for run in registry.client.search_runs([experiment])]
    assert "search" in names
    assert "als #0" in names

    materialize(home, champion_model)
    refreshed = registry.champion()
    assert refreshed is not None
    assert refreshed.params["goes_on_from_version"] == str(before.version)
    materialize(home, champion_model, tags={FROM_SCRATCH: "true"})
    anew = registry.champion()
    assert anew is not None
    assert (anew.version, "goes_on_from_version" in anew.params) == (refreshed.version + 1, False)

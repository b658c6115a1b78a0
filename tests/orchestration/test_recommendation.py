"""Training with a search before it, a hybrid champion between two trainings, and figures without the future."""

import datetime as dt
import json
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from ml.home import Home
from ml.recommenders.selection.training import FrameSplits
from ml.registry.registry import CHAMPION, MODEL_NAME, Registry
from ml.sources.catalogue import Catalogue
from orchestration.defs.champion import champion_model
from orchestration.defs.recommendation import candidate_models
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.runtime.instance import FROM_SCRATCH
from orchestration.warehouse.frames import frames_as_of
from orchestration.warehouse.warehouse import open_duckdb


@pytest.fixture
def home(changing_home: Home, small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose settings seek an ALS for a second or two before a training, and let hybrids go on."""
    knobs = yaml.safe_load((small_site / "settings.yaml").read_text(encoding="utf-8"))
    knobs["recommenders"] |= {"search": {"work": 2.0, "models": ["als"]}, "update_epochs": 3}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path))
    return changing_home


def materialize(
    home: Home, *assets: dg.AssetsDefinition, tags: dict[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    place = HomeResource(path=str(home.path))
    resources = {
        "home": place,
        "warehouse": WarehouseResource(home=place),
        "registry": RegistryResource(home=place),
    }
    result = dg.materialize(list(assets), resources=resources, tags=tags)
    assert result.success
    return result


def test_what_a_search_finds_takes_part_and_a_refreshed_hybrid_goes_on(home: Home) -> None:
    registry = Registry(home.mlflow_uri)
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


@pytest.fixture
def quick_home(changing_home: Home, small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home without a champion, whose candidates go by features and train for a moment."""
    Registry(changing_home.mlflow_uri).client.delete_registered_model_alias(MODEL_NAME, CHAMPION)
    knobs = yaml.safe_load((small_site / "settings.yaml").read_text(encoding="utf-8"))
    candidates = [
        {"model": "segment_popularity", "params": {}},
        {"model": "content_affinity", "params": {}},
        {"model": "lightfm_warp", "params": {"n_factors": 8, "epochs": 3, "item_identity_from": None}},
    ]
    knobs["recommenders"] |= {"candidates": candidates}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path))
    return changing_home


def splits_of(home: Home) -> FrameSplits:
    place = HomeResource(path=str(home.path))
    read = partial(frames_as_of, WarehouseResource(home=place).read)
    return FrameSplits(read, place.settings().evaluation, place.settings().recommenders)


def plant_a_leak(home: Home, moment: dt.datetime) -> None:
    """Let class and country of the people and category of the items name what is opened after a moment.

    The marts, the sessions after the moment and the newest descriptions of items change; nothing before it does.
    """
    with open_duckdb(home.warehouse) as connection:
        connection.execute(
            "create temp table opened as select user_id, min(item_id) as item_id from interactions "
            f"where last_at > timestamp '{moment}' group by user_id"
        )
        connection.execute(
            "create table leaking_users as select users.* replace ("
            "coalesce(opened.item_id, engagement_class) as engagement_class, "
            "coalesce(opened.item_id, country) as country"
            ") from users left join opened using (user_id)"
        )
        connection.execute("drop view users")
        connection.execute("alter table leaking_users rename to users")
        connection.execute(
            "update sessions set country = opened.item_id from opened "
            f"where sessions.user_id = opened.user_id and sessions.ended_at > timestamp '{moment}'"
        )
        connection.execute("update items set category = item_id")
        connection.execute("update user_segments set name = user_id")
        described = connection.sql(
            "select * replace (item_id as category, timestamptz '2100-01-01 00:00:00+00' as updated_at) "
            "from staging.stg_item_descriptions"
        ).to_arrow_table()
    Catalogue(home).append(described)


def figures_of(home: Home) -> dict[str, Any]:
    """What the candidates and their feature families are worth, and the figures of each group, times apart."""
    warehouse = WarehouseResource(home=HomeResource(path=str(home.path)))
    registry = Registry(home.mlflow_uri)
    experiment = registry.client.get_experiment_by_name("recommendation").experiment_id
    newest: dict[str, str] = {}
    for run in registry.client.search_runs([experiment], order_by=["attributes.start_time ASC"]):
        newest[run.info.run_name] = run.info.run_id
    models = warehouse.read(
        "select * exclude (seconds) from candidate_models order by model, configuration"
    ).to_pylist()
    return {
        "models": models,
        "ablations": warehouse.read("feature_ablations").to_pylist(),
        "groups": {
            row["model"]: json.loads(
                Path(registry.client.download_artifacts(newest[row["model"]], "tables/groups.json")).read_text()
            )
            for row in models
        },
    }


def test_what_is_known_only_after_the_split_moves_no_figure(quick_home: Home) -> None:
    materialize(quick_home, candidate_models)
    before = figures_of(quick_home)
    assert {row["model"] for row in before["models"]} == {
        "content_affinity", "lightfm_warp", "popularity", "segment_popularity",
    }  # fmt: skip
    assert {row[0] for row in before["groups"]["popularity"]["data"]} == {"activity", "segment", "item age"}
    plant_a_leak(quick_home, splits_of(quick_home).then.as_of)
    materialize(quick_home, candidate_models)
    assert figures_of(quick_home) == before

    # The leak is there: a model that is trained on all data takes it for features.
    settings = HomeResource(path=str(quick_home.path)).settings().recommenders
    now = splits_of(quick_home).now.training_data(settings)
    item_ids = set(now.item_features.ids.to_list())
    for features, family in ((now.user_features, "engagement_class"), (now.item_features, "category")):
        names = {name.removeprefix(f"{family}:") for name in features.names.to_list()}
        assert names & item_ids


def test_rejections_alone_after_the_split_are_a_warning_and_the_champion_stays(quick_home: Home) -> None:
    [check] = materialize(quick_home, candidate_models, champion_model).get_asset_check_evaluations()
    assert check.passed
    registry = Registry(quick_home.mlflow_uri)
    before = registry.champion()
    assert before is not None
    moment = splits_of(quick_home).then.as_of
    with open_duckdb(quick_home.warehouse) as connection:
        connection.execute(
            f"create table rejections as select * replace (last_at > timestamp '{moment}' as is_negative) "
            "from interactions"
        )
        connection.execute("drop view interactions")
        connection.execute("alter table rejections rename to interactions")
    result = materialize(quick_home, candidate_models, champion_model)
    [check] = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert "interactions that are held back to judge by are rejections, such as dislikes" in str(check.description)
    assert "`evaluation.split`" in str(check.description)
    after = registry.champion()
    assert after is not None
    assert after.version == before.version


def test_candidates_of_a_training_carry_their_tables(materialized_home: Home) -> None:
    client = Registry(materialized_home.mlflow_uri).client
    runs = client.search_runs([client.get_experiment_by_name("recommendation").experiment_id])
    hybrids = [run for run in runs if run.info.run_name == "lightfm_warp"]
    assert hybrids
    for run in hybrids:
        gains = [name for name in run.data.metrics if name.startswith("gain_of_") and name[-4:] != "_low"]
        gains = [name for name in gains if name[-5:] != "_high"]
        assert any(name.startswith("gain_of_item_") for name in gains)
        for name in gains:
            low, high = run.data.metrics[f"{name}_low"], run.data.metrics[f"{name}_high"]
            reading = run.data.tags[name]
            assert f"[{low:+.4f}, {high:+.4f}]" in reading
            assert ("no difference that can be told from chance" in reading) == (low <= 0 <= high)
        assert {file.path for file in client.list_artifacts(run.info.run_id, "tables")} == {
            "tables/ablation.json",
            "tables/composition.json",
            "tables/groups.json",
        }

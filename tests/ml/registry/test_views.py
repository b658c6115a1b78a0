"""The view of the candidates shows what differs between them, and MLflow keeps it with the experiment."""

import json

from ml.registry.registry import Registry
from ml.registry.views import candidates_view, varying_parameters

CONFIGURATIONS = [
    {"model": "popularity"},
    {"model": "lightfm", "threads": 1, "n_factors": 32, "epochs": 10},
    {"model": "lightfm", "threads": 1, "n_factors": 64, "loss": "warp"},
]


def test_only_what_varies_is_an_axis():
    assert varying_parameters(CONFIGURATIONS) == ["model", "threads", "n_factors"]
    assert varying_parameters([{"model": "als", "n_factors": 8}, {"model": "als", "n_factors": 9}]) == [
        "n_factors"
    ]
    assert varying_parameters([{"model": "als", "n_factors": 8}]) == []


def test_the_view_is_a_tag_of_the_experiment_and_the_last_one_counts(registry: Registry) -> None:
    for metric in ("map_at_5", "ndcg_at_10"):
        registry.save_view("recommendation", "candidates", candidates_view(metric, ["coverage"], CONFIGURATIONS))
    tags = registry.client.get_experiment_by_name("recommendation").tags
    view = json.loads(tags["mlflow.sharedViewState.candidates"])
    assert view["selectedColumns"] == ["metrics.`ndcg_at_10`", "metrics.`coverage`", "params.`model`"]
    assert [chart["type"] for chart in view["compareRunCharts"]] == ["IMAGE", "BAR", "PARALLEL"]

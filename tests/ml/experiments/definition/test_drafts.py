import pytest

from ml.experiments.definition.definitions_file import ExperimentsFileError, load_experiments
from ml.experiments.definition.drafts import ExperimentExistsError, add_experiment

BODY = {
    "hypothesis": "A new hero brings more clicks",
    "unit": "user",
    "variants": {"control": {"share": 0.5}, "new": {"share": 0.5}},
    "primary_metric": "clicks_per_user",
    "minimum_detectable_effect": 0.05,
    "starts_at": "2026-09-01T00:00:00Z",
    "ends_at": "2026-10-01T00:00:00Z",
}


def test_a_file_is_made_and_grows(tmp_path):
    path = tmp_path / "new" / "experiments.yaml"
    add_experiment(path, "one", BODY)
    add_experiment(path, "two", BODY)
    assert list(load_experiments(path).experiments) == ["one", "two"]


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nexperiments: {}\nlayers: {page: {}}\n",
        "version: 1\nexperiments:\nlayers: {page: {}}\n",
        "# first\nexperiments:  # these run\n    old:  # keep\n"
        + "".join(f"        {line}\n" for line in (
            "hypothesis: An older idea "
            "altogether", "unit: user", "variants: {control: {share: 0.5}, new: {share: 0.5}}",
            "primary_metric: conversion", "minimum_detectable_effect: 0.1",
            "starts_at: 2026-09-01T00:00:00Z", "ends_at: 2026-10-01T00:00:00Z",
        ))
        + "\n# after\nlayers: {page: {}}\n",
        "layers: {page: {}}\n",
    ],
    ids=["flow", "empty", "filled", "absent"],
)  # fmt: skip
def test_existing_content_of_the_file_is_kept(tmp_path, text):
    path = tmp_path / "experiments.yaml"
    path.write_text(text)
    before = set(load_experiments(path).experiments)
    definitions = add_experiment(path, "added", BODY)
    assert set(definitions.experiments) == before | {"added"}
    assert list(definitions.layers) == (["page"] if "page" in text else [])
    assert all(comment in path.read_text() for comment in ("# first", "# keep", "# after") if comment in text)


def test_a_bad_definition_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "experiments.yaml"
    add_experiment(path, "one", BODY)
    before = path.read_text()
    with pytest.raises(ExperimentsFileError, match="unknown metric 'nothing'"):
        add_experiment(path, "two", {**BODY, "primary_metric": "nothing"})
    assert path.read_text() == before
    with pytest.raises(ExperimentExistsError, match="already defines the experiment 'one'"):
        add_experiment(path, "one", BODY)
    missing = tmp_path / "none.yaml"
    with pytest.raises(ExperimentsFileError):
        add_experiment(missing, "two", {**BODY, "unit": "nobody"})
    assert not missing.exists()

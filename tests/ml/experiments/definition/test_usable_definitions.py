"""An experiment with a fault is left out by name, and the others go on."""

import pytest

from ml.experiments.definition.definitions_file import ExperimentsFileError
from ml.experiments.definition.usable_definitions import load_usable_experiments

EXPERIMENT = """\
  {id}:
    hypothesis: It brings more clicks a user
    unit: user
    variants: {{control: {{share: 0.5}}, new: {{share: {share}}}}}
    primary_metric: {metric}
    minimum_detectable_effect: 0.05
    starts_at: 2026-03-01T00:00:00Z
    ends_at: 2026-04-01T00:00:00Z
"""


def write(tmp_path, *experiments, head="version: 1\n"):
    fields = {"share": 0.5, "metric": "clicks_per_user"}
    text = head + "experiments:\n" + "".join(EXPERIMENT.format(**{**fields, **entry}) for entry in experiments)
    path = tmp_path / "experiments.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"share": "half"}, "variants.new.share"),
        ({"share": 0.4}, "shares sum to 0.9"),
        ({"metric": "clicks_per_users"}, "did you mean 'clicks_per_user'?"),
    ],
    ids=["no typed form", "inconsistent", "unknown metric"],
)
def test_only_the_faulty_experiment_is_left_out_with_line_and_reason(tmp_path, change, reason):
    usable = load_usable_experiments(write(tmp_path, {"id": "sound"}, {"id": "broken", **change}))
    assert list(usable.definitions.experiments) == ["sound"]
    assert list(usable.left_out) == ["broken"]
    assert usable.left_out["broken"].startswith("experiments.yaml:1")
    assert reason in usable.left_out["broken"]


def test_a_faulty_metric_takes_the_experiments_with_it_that_name_it(tmp_path):
    head = "version: 1\nmetrics:\n  clicks_per_user: {kind: mean, measure: clickz}\n"
    path = write(tmp_path, {"id": "sound", "metric": "conversion"}, {"id": "broken"}, head=head)
    usable = load_usable_experiments(path)
    assert list(usable.definitions.experiments) == ["sound"]
    assert "unknown measure 'clickz'" in usable.left_out["broken"]


def test_a_faulty_metric_that_nobody_names_leaves_nothing_out(tmp_path):
    head = "version: 1\nmetrics:\n  odd: {kind: mean, measure: clickz}\n"
    usable = load_usable_experiments(write(tmp_path, {"id": "sound"}, head=head))
    assert (list(usable.definitions.experiments), usable.left_out) == (["sound"], {})


def test_a_fault_of_the_whole_file_is_an_error(tmp_path):
    with pytest.raises(ExperimentsFileError, match="unknown field 'holdout'"):
        load_usable_experiments(write(tmp_path, {"id": "sound"}, head="version: 1\nholdout: {}\n"))
    (tmp_path / "experiments.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ExperimentsFileError, match="no valid YAML"):
        load_usable_experiments(tmp_path / "experiments.yaml")

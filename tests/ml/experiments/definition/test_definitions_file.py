import pytest

from ml.experiments.definition.definitions_file import ExperimentsFileError, load_experiments, load_metric_library
from ml.experiments.definition.metrics import METRIC_KINDS
from ml.site.definition_files import product_config

GOOD = """\
version: 1
layers:
  page: {description: What a page shows}
experiments:
  hero:
    hypothesis: A new hero brings more clicks
    unit: user
    variants:
      control: {share: 0.5}
      new: {share: 0.5}
    primary_metric: clicks_per_user
    secondary_metrics: [conversion]
    guardrails:
      - {metric: rejection_rate, margin: 0.05}
    minimum_detectable_effect: 0.05
    starts_at: 2026-09-01T00:00:00Z
    ends_at: 2026-10-01T00:00:00Z
    layer: page
    layer_range: [0.0, 0.5]
    ramp:
      - {from: 2026-09-01T00:00:00Z, traffic: 0.1}
      - {from: 2026-09-04T00:00:00Z, traffic: 1.0}
"""


def load(tmp_path, text):
    path = tmp_path / "experiments.yaml"
    path.write_text(text)
    return load_experiments(path)


def test_a_good_file_loads_with_the_library_of_metrics(tmp_path):
    definitions = load(tmp_path, GOOD)
    assert definitions.get("hero").id == "hero"
    assert definitions.get("hero").treatments == ("new",)
    assert definitions.metrics["conversion"].kind == "proportion"


def test_the_file_that_comes_with_the_product_loads():
    assert load_experiments(product_config() / "experiments.yaml").experiments


def test_the_library_has_every_kind_of_metric():
    assert {metric.kind for metric in load_metric_library().values()} == set(METRIC_KINDS)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (
            "new: {share: 0.5}",
            "new: {share: 0.5, payload: {model: best}}",
            10,
            "model: Input should be 'champion' or 'challenger'",
        ),
        (
            "new: {share: 0.5}",
            'new: {share: 0.5, payload: {rules: {with: [{id: r, when: "cuntry == 1", then: {banner: b}}]}}}',
            10,
            "did you mean 'country'",
        ),
        ("unit: user", "unit: users", 7, "'users' is not legal; legal: 'user', 'anonymous' or 'session'"),
        ("layer: page", "layr: page", 18, "unknown field 'layr'; legal: hypothesis, unit"),
        ("new: {share: 0.5}", "new: {share: 0.6}", 8, "shares sum to 1.1, not to 1"),
        ("new: {share: 0.5}", "new: {share: 0.5, color: red}", 10, "unknown field 'color'; legal: share"),
        ("layer: page", "layer: pag", 18, "unknown layer 'pag'; did you mean 'page'?"),
        ("clicks_per_user", "click_per_user", 11, "did you mean 'clicks_per_user'?"),
        ("[conversion]", "[conversion, nothing]", 12, "unknown metric 'nothing'"),
        ("margin: 0.05", "margin: 5", 14, "less than 1"),
        ("0.05\n    starts", "-0.05\n    starts", 15, "greater than 0"),
        ("2026-10-01T00:00:00Z", "2026-08-01T00:00:00Z", 17, "must be after starts_at"),
        ("2026-10-01T00:00:00Z", "2026-10-01", 17, "'2026-10-01' is not a time with a time zone"),
        ("[0.0, 0.5]", "[0.5, 0.0]", 19, "must lie in [0, 1] and increase"),
        ("traffic: 1.0", "traffic: 0.05", 22, "0.05 is below 0.1"),
        ("from: 2026-09-04", "from: 2026-08-04", 22, "must be after the previous step"),
        ("from: 2026-09-01", "from: 2026-09-02", 21, "the first step must begin at starts_at"),
        ("traffic: 1.0}", "traffic: 1.0, shares: {control: 0.9, new: 0.1}}", 22, "new shrinks from 0.5 to 0.1"),
        ("traffic: 1.0}", "traffic: 1.0, shares: {control: 0.9}}", 22, "must name every variant"),
        ("layer: page", "targeting: 'contry == \"DE\"'\n    layer: page", 18, "did you mean 'country'?"),
        ("layer: page", "overrides: {me: old}\n    layer: page", 18, "'old' is not a variant"),
        ("unit: user", "unit: user\n    unit: user", 8, "key 'unit' stands here again, first on line 7"),
        ("unit: user", "unit: [user", 8, "no valid YAML"),
        ("  hero:", "  He ro:", 5, "an id consists of lower-case letters"),
    ],
)
def test_a_fault_is_shown_with_its_line_and_what_is_legal(tmp_path, old, new, line, message):
    assert GOOD.count(old) >= 1
    with pytest.raises(ExperimentsFileError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert any(fault.line == line and message in fault.message for fault in caught.value.faults), caught.value


def test_all_faults_are_reported_at_once(tmp_path):
    text = (
        GOOD.replace("clicks_per_user", "none")
        .replace("layer: page", "layer: none")
        .replace("traffic: 1.0", "traffic: 0.05")
    )
    with pytest.raises(ExperimentsFileError) as caught:
        load(tmp_path, text)
    assert [fault.line for fault in caught.value.faults] == [11, 18, 22]
    assert str(caught.value).startswith(
        "experiments.yaml:11: experiments.hero.primary_metric: unknown metric 'none'"
    )


def test_a_custom_metric_is_checked_by_its_kind(tmp_path):
    custom = "metrics:\n  searched: {kind: proportion, measure: searches, window_days: 3}\n"
    assert load(tmp_path, GOOD + custom).metrics["searched"].window_days == 3
    for wrong, message in (
        (custom.replace("proportion", "share"), "'share' is not a kind of metric; legal: proportion, mean"),
        (custom.replace("kind: proportion, ", ""), "needs a kind; legal: proportion"),
        (custom.replace("searches", "seraches"), "did you mean 'searches'?"),
        (custom.replace("window_days: 3", "quantile: 0.5"), "unknown field 'quantile'; legal: description"),
    ):
        with pytest.raises(ExperimentsFileError) as caught:
            load(tmp_path, GOOD + wrong)
        assert message in str(caught.value)
        assert caught.value.faults[0].line == 24


def test_overlapping_ranges_of_a_layer_are_refused_only_while_both_run(tmp_path):
    second = GOOD.split("experiments:\n")[1].replace("hero:", "footer:").replace("[0.0, 0.5]", "[0.4, 0.9]")
    with pytest.raises(ExperimentsFileError, match=r"\[0.4, 0.9\] overlaps hero \[0.0, 0.5\] in layer 'page'"):
        load(tmp_path, GOOD + second)
    later = (
        second.replace("2026-10-01", "2026-11-01")
        .replace("2026-09-01", "2026-10-01")
        .replace("2026-09-04", "2026-10-04")
    )
    assert len(load(tmp_path, GOOD + later).experiments) == 2


def test_an_empty_file_has_no_experiment_but_the_library(tmp_path):
    definitions = load(tmp_path, "")
    assert not definitions.experiments
    assert "conversion" in load(tmp_path, "version: 1\nexperiments:\n").metrics


def test_two_experiments_that_change_the_same_must_exclude_each_other(tmp_path):
    content = GOOD.replace("new: {share: 0.5}", "new: {share: 0.5, payload: {content: hero-b}}")
    other = (
        content[content.index("  hero:") :].replace("  hero:", "  banner:").replace("layer: page", "layer: shop")
    )
    text = content.replace("layers:\n", "layers:\n  shop: {}\n") + other
    with pytest.raises(
        ExperimentsFileError, match="changes the content in the same slots and at the same time as hero"
    ):
        load(tmp_path, text)
    apart = text.replace("  banner:\n", "  banner:\n    slots: [shop]\n").replace(
        "  hero:\n", "  hero:\n    slots: [home]\n"
    )
    assert load(tmp_path, apart).get("banner").aspects == {"content"}

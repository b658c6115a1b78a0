"""Variants take effect in answers: models, reranking, rules, content; exposures say so, once a unit."""

import json

import pytest
from bundles import AS_OF, publish
from calls import ask, ids, recommend
from test_challenger import with_challenger

from ml.events.log import EventLog
from serving.decide.decision_answers import answer_decision
from serving.requests import DecisionRequest
from serving.routes.experiments import answer_assignment

HEAD = """\
version: 1
experiments:
"""
EXPERIMENT = """\
  {id}:
    hypothesis: It brings more clicks a user
    unit: {unit}
    variants:
      control: {{share: 0.5, payload: {control}}}
      new: {{share: 0.5, payload: {new}}}
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: 2026-03-01T00:00:00Z
    ends_at: 2026-04-01T00:00:00Z
    overrides: {{ann: new, bob: control}}
    {more}
"""


def define(home, *, unit="user", control="{}", new="{}", more="", experiment="trial"):
    home.path.mkdir(parents=True, exist_ok=True)
    text = HEAD + EXPERIMENT.format(id=experiment, unit=unit, control=control, new=new, more=more)
    (home.path / "experiments.yaml").write_text(text)


def decide(**fields):
    return lambda tessera: answer_decision(tessera, DecisionRequest(**fields))


def each(*steps):
    """One step that answers with the list of what these answer."""
    return lambda tessera: [step(tessera) for step in steps]


def logged(home, event_type):
    rows = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    return [row for row in rows if row["event_type"] == event_type]


@pytest.mark.usefixtures("two_versions")
def test_champion_and_challenger_meet_in_an_experiment(config, home):
    define(home, control="{model: champion}", new="{model: challenger}")
    config = with_challenger(config, canary_share=1.0)
    treated, control = ask(config, each(recommend(user_id="ann"), recommend(user_id="bob")))
    assert (treated["model_version"], treated["experiments"]) == ("challenger", {"trial": "new"})
    assert (control["model_version"], control["experiments"]) == ("champion-1", {"trial": "control"})


def test_nobody_takes_part_in_a_trial_of_models_without_a_challenger(config, home):
    publish(home.published)
    define(home, control="{model: champion}", new="{model: challenger}")
    assert "experiments" not in ask(config, recommend(user_id="ann"))
    assert logged(home, "exposure") == []


def test_a_variant_reranks_by_its_own_settings(config, home):
    publish(home.published)
    define(home, new="{reranking: {max_category_share: 1.0, exploration_share: 0.0}}")
    treated, control = ask(config, each(recommend(user_id="ann", k=3), recommend(user_id="bob", k=3)))
    assert ids(treated) == ["i1", "i2", "i3"]  # sport only, which the settings would give two of three places
    assert {"i0", "i1"} & set(ids(control))


def test_a_variant_changes_the_rules(config, home):
    publish(home.published)
    (home.path / "rules.yaml").parent.mkdir(parents=True, exist_ok=True)
    (home.path / "rules.yaml").write_text("rules:\n  - {id: old, then: {content: plain, banner: summer}}\n")
    define(home, new="{rules: {without: [old], with: [{id: fresh, then: {content: bold}}]}}", more="slots: [hero]")
    requests = [
        decide(user_id=user, slot=slot) for user, slot in (("ann", "hero"), ("bob", "hero"), ("ann", "footer"))
    ]
    treated, control, elsewhere = ask(config, each(*requests))
    assert (treated["content"], treated["rule"], treated["actions"].get("banner")) == ("bold", "fresh", None)
    assert control["content"] == "plain"
    assert elsewhere["content"] == "plain"
    assert "experiments" not in elsewhere


def test_content_of_a_variant_stands_whatever_the_rules_say(config, home):
    publish(home.published)
    home.path.mkdir(parents=True, exist_ok=True)
    (home.path / "rules.yaml").write_text("rules:\n  - {id: learned, then: {learn: [a, b]}}\n")
    define(home, new="{content: c}")
    treated, control = ask(config, each(decide(user_id="ann", slot="hero"), decide(user_id="bob", slot="hero")))
    assert (treated["content"], treated["rule"]) == ("c", "experiment:trial")
    assert control["content"] in {"a", "b"}


def test_an_exposure_is_logged_once_a_unit_also_after_a_restart(config, home):
    publish(home.published)
    define(home, new="{content: c}")
    ask(config, *[decide(user_id="ann", slot="hero")] * 3)
    ask(config, decide(user_id="ann", slot="hero"), decide(user_id="bob", slot="hero"))
    exposures = logged(home, "exposure")
    assert [(row["user_id"], row["experiment_id"], row["variant"]) for row in exposures] == [
        ("ann", "trial", "new"),
        ("bob", "trial", "control"),
    ]
    assert json.loads(exposures[0]["properties"]) == {"unit_type": "user", "unit_id": "ann", "segment": "athletes"}
    served = [json.loads(row["properties"])["experiments"] for row in logged(home, "served")]
    assert served == [{"trial": "new"}] * 4 + [{"trial": "control"}]


def test_units_are_what_the_experiment_says(config, home):
    publish(home.published)
    define(home, unit="session", new="{content: c}")
    sessions = [decide(anonymous_id="x", session_id=name, slot="hero") for name in ("s1", "s1", "s2")]
    assert "experiments" not in ask(config, *sessions, decide(user_id="ann", slot="hero"))
    units = [json.loads(row["properties"])["unit_id"] for row in logged(home, "exposure")]
    assert units == ["s1", "s2"]


def test_who_opted_out_takes_part_in_nothing(config, home):
    publish(home.published)
    define(home, new="{content: c}")

    def opt_out(tessera):
        tessera.state.put_profile("ann", {"opt_out": True}, AS_OF.timestamp())

    reply = ask(config, opt_out, decide(user_id="ann", slot="hero"))
    assert reply["content"] != "c"
    assert logged(home, "exposure") == []


def test_the_answer_and_the_assignment_call_agree(config, home):
    publish(home.published)
    define(home, new="{content: c}", more='targeting: segment == "athletes" || country == "DE"')
    users = ("ann", "bob", "carl", "dora")
    replies = ask(config, each(*(decide(user_id=user, slot="hero", context={"country": "DE"}) for user in users)))

    def assign(tessera):
        return [
            answer_assignment(tessera, "trial", {"user_id": user, "country": "DE"})["variant"] for user in users
        ]

    assert [reply["experiments"]["trial"] for reply in replies] == ask(config, assign)


@pytest.mark.usefixtures("two_versions")
def test_champion_and_challenger_draft_one_list(config, home):
    reply = ask(with_challenger(config, interleaved_share=1.0), recommend(user_id="ann", k=4))
    (served,) = [json.loads(row["properties"]) for row in logged(home, "served")]
    assert served["role"] == "interleaved"
    assert served["items"] == ids(reply)
    assert len(set(ids(reply))) == 4
    assert sorted(served["teams"]) == ["challenger"] * 2 + ["champion"] * 2
    assert served["propensities"] == []
    assert [item["rank"] for item in reply["items"]] == [1, 2, 3, 4]


def test_a_faulty_experiment_takes_no_other_with_it_when_the_service_starts(config, home):
    publish(home.published)
    define(home, new="{content: c}")
    text = (home.path / "experiments.yaml").read_text()
    broken = EXPERIMENT.format(id="broken", unit="user", control="{}", new="{}", more="layer: nowhere")
    (home.path / "experiments.yaml").write_text(text + broken)
    assert ask(config, decide(user_id="ann", slot="hero"))["experiments"] == {"trial": "new"}


def test_a_file_that_turns_faulty_leaves_the_experiments_as_they_were(config, home):
    publish(home.published)
    define(home, new="{content: c}")

    def spoil(tessera):
        path = home.path / "experiments.yaml"
        path.write_text(path.read_text().replace("share: 0.5", "share: 0.4"))
        tessera.reload_definitions()

    steps = (decide(user_id="ann", slot="hero"), spoil, decide(user_id="ann", slot="hero"))
    assert ask(config, *steps)["experiments"] == {"trial": "new"}

"""A rule is added to a file as people write it, and nothing else in the file changes."""

import pytest
import yaml

from ml.decisions.rules.new_rule import append_rule
from ml.decisions.rules.rules_file import load_rules
from ml.site.definition_files import product_config

ENTRY = {"id": "deals", "when": 'city == "Zürich: #1"', "priority": 3, "then": {"content": "deals"}}
TEXTS = {
    "nothing": "",
    "comments": "# Ours.\n",
    "no rules yet": "rules:\ntests: []\n",
    "an empty list": "rules: []  # none yet\ntests: []\n",
    "a null": "rules: ~\n",
    "a list": "rules:\n  - id: a\n    then: {content: x}  # why\n\ntests: []\n",
    "a list that is not indented": "rules:\n- id: a\n  then:\n    boost:\n    - {topic: t, by: 1}\n# The end.\n",
    "a list without a last line break": "rules:\n  - {id: a, then: {content: x}}",
    "a list on one line": "rules: [{id: a, then: {content: x}}]  # short\ntests: []\n",
    "tests first": "tests: []\nrules:\n  - id: a\n    then: {content: x}\n",
    "what comes with the product": (product_config() / "rules.yaml").read_text(),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_rule_stands_behind_the_others_and_everything_else_stays(text, tmp_path):
    after = append_rule(text, ENTRY)
    before, document = yaml.safe_load(text) or {}, yaml.safe_load(after)
    assert document["rules"] == [*(before.get("rules") or []), ENTRY]
    assert document.get("tests") == before.get("tests")
    assert [line for line in text.splitlines() if "#" in line and not keeps(line, after)] == []
    assert load_rules(tmp_path / "rules.yaml", after).rules[-1].rule.id in {"deals", "a", "rainy-day-reading"}
    twice = yaml.safe_load(append_rule(after, {**ENTRY, "id": "more"}))
    assert [rule["id"] for rule in twice["rules"]][-2:] == ["deals", "more"]


def keeps(line, text):
    return line.partition("#")[2] in text

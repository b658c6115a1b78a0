"""The rules of Prometheus and the dashboard of Grafana: valid, and about metrics that a running service shows."""

import dataclasses
import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bundles import publish
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from ml.home import Home
from ml.monitoring.journal import OPENED, Entry, Journal
from serving.application import application
from serving.observability.metrics import REGISTRY
from serving.recommend.recommendation_engine import FALLBACK_CHAIN
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
RULES = yaml.safe_load((ROOT / "deploy" / "monitoring" / "prometheus-rules.yaml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((ROOT / "deploy" / "monitoring" / "grafana-dashboard.json").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [*((rule["alert"], rule["expr"]) for rule in ALERTS), *TARGETS]
OF_PROMETHEUS = {"up": {"job", "instance"}}  # what it adds itself
OF_SCRAPE = {"job", "instance"}
NOW = dt.datetime(2026, 5, 12, tzinfo=dt.UTC)


def parsed(expression: str) -> Any:
    promql = pytest.importorskip("promql_parser")
    return promql.parse(expression.replace("$__rate_interval", "5m").replace("$job", "tessera"))


def parts(node: Any) -> Iterator[Any]:
    """A node of PromQL with all nodes below it."""
    yield node
    below = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vs", "vector_selector")]
    for child in [*below, *(getattr(node, "args", None) or [])]:
        if child is not None and not isinstance(child, str):
            yield from parts(child)


def selectors(expression: str) -> list[Any]:
    promql = pytest.importorskip("promql_parser")
    return [node for node in parts(parsed(expression)) if isinstance(node, promql.VectorSelector)]


@pytest.fixture
def shown(config: ServiceConfig, home: Home) -> dict[str, dict[str, set[str]]]:
    """Sample name → label → values, of a running service that had something to count."""
    publish(home.published)
    facts = {name: "x" for name in ("subject", "measure", "dimension", "slice", "since", "detected_at", "follows")}
    Journal(home).append([Entry(NOW.isoformat(), OPENED, "field-x", "text", facts | {"severity": "high"})])
    serving = config.settings.serving.model_copy(update={"bundle_check_seconds": 0.1})
    settings = config.settings.model_copy(update={"serving": serving})
    events = [
        {"event_type": "page_view", "user_id": "ann", "item_id": "i0"},
        {"event_type": "page_view", "user_id": "ann", "occurred_at": "long ago"},
        {"event_type": "page_view", "user_id": "ann", "value": "much", "no such field": 1},
        {"event_type": "page_view", "user_id": "null", "anonymous_id": "d1"},
    ]
    with TestClient(application(Tessera(dataclasses.replace(config, settings=settings), seed=1))) as client:
        assert client.post("/v1/events", json={"events": events}).status_code == 202
        for person in ("ann", "nobody"):
            assert client.post("/v1/recommendations", json={"user_id": person}).status_code == 200
        assert client.post("/v1/decisions", json={"user_id": "ann", "slot": "home"}).status_code == 200
        wait_until(lambda: 'tessera_open_alarms{severity="high"} 1.0' in client.get("/metrics").text)
        text = client.get("/metrics").text
    samples: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        # A counter that has not counted yet shows its name alone.
        samples[f"{family.name}_total" if family.type == "counter" else family.name] = defaultdict(set)
        for sample in family.samples:
            labels = samples.setdefault(sample.name, defaultdict(set))
            for label, value in sample.labels.items():
                labels[label].add(value)
    return samples


def declared_labels() -> dict[str, set[str]]:
    """Labels of every sample that the service can show, by its name."""
    labels: dict[str, set[str]] = {}
    for metric in REGISTRY._collector_to_names:
        for name in REGISTRY._collector_to_names[metric]:
            labels[name] = set(metric._labelnames) | ({"le"} if name.endswith("_bucket") else set())
    return labels


def test_every_expression_is_promql_and_an_alert_is_a_comparison() -> None:
    promql = pytest.importorskip("promql_parser")
    for _, expression in EXPRESSIONS:
        assert selectors(expression), expression
    for rule in ALERTS:
        compared = [node for node in parts(parsed(rule["expr"])) if isinstance(node, promql.BinaryExpr)]
        assert {str(node.op) for node in compared} & {">", "<", "=="}, rule["alert"]
    with pytest.raises(ValueError, match=r"."):
        parsed("sum(rate(tessera_answers_total[5m])")


def test_every_metric_and_label_is_one_that_a_running_service_shows(shown: dict[str, dict[str, set[str]]]) -> None:
    promql = pytest.importorskip("promql_parser")
    declared = declared_labels() | OF_PROMETHEUS
    used = set()
    for name, expression in EXPRESSIONS:
        nodes = list(parts(parsed(expression)))
        metrics = [node for node in nodes if isinstance(node, promql.VectorSelector)]
        for selector in metrics:
            assert selector.name in shown or selector.name in OF_PROMETHEUS, f"{name}: {selector.name}"
            used.add(selector.name)
            for matcher in selector.matchers.matchers:
                assert matcher.name in declared[selector.name] | OF_SCRAPE, f"{name}: {matcher.name}"
        available = set.union(*(declared[selector.name] for selector in metrics)) | OF_SCRAPE
        for node in nodes:
            if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
                assert set(node.modifier.labels) <= available, f"{name}: {node.modifier.labels}"
    assert {name.removesuffix("_bucket").removesuffix("_count") for name in used} >= {
        name for name in shown if not name.endswith(("_bucket", "_count", "_sum", "_created"))
    }, "a metric that no rule and no panel shows"


def test_values_that_rules_select_are_those_of_the_service(shown: dict[str, dict[str, set[str]]]) -> None:
    outcomes = {"accepted", "rejected", "refused", "withheld"}
    for name, expression in EXPRESSIONS:
        for selector in selectors(expression):
            for matcher in selector.matchers.matchers:
                if matcher.name in ("job", "status"):
                    continue
                if matcher.name == "outcome":
                    assert matcher.value in outcomes, name
                elif matcher.name == "step":
                    assert matcher.value in FALLBACK_CHAIN, name
                else:
                    values = shown[selector.name][matcher.name]
                    assert any(re.fullmatch(matcher.value, value) for value in values), f"{name}: {matcher.value}"
    assert shown["tessera_collector_events_total"]["outcome"] >= {"accepted", "rejected"}
    assert shown["tessera_collector_dead_letters_total"]["field"] >= {"occurred_at", "value"}
    assert shown["tessera_answers_total"]["role"] >= {"champion"}
    assert shown["tessera_answers_total"]["model_version"] >= {"champion-1"}
    assert shown["tessera_open_alarms"]["severity"] == {"low", "medium", "high"}


def test_rules_have_the_structure_that_prometheus_reads() -> None:
    assert set(RULES) == {"groups"}
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names)) >= 12
    for group in RULES["groups"]:
        assert set(group) == {"name", "rules"}
    for rule in ALERTS:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Tessera[A-Z]\w+", rule["alert"])
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        severity = rule["labels"].get("severity")
        assert severity in {"low", "medium", "high"} or (severity is None and "by (severity)" in rule["expr"])
        text = " ".join(rule["annotations"].values())
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
        for label in re.findall(r"\$labels\.(\w+)", text):
            assert label in grouped | ({"instance"} if "up{" in rule["expr"] else set()), rule["alert"]
        assert set(re.findall(r"\| (\w+)", text)) <= {"humanizePercentage", "humanizeDuration"}


def test_every_runbook_is_a_section_of_the_documentation() -> None:
    for rule in ALERTS:
        file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w]+", "-", heading.lower()) for heading in headings}, rule["alert"]


def test_the_documentation_loads_the_rules_under_the_job_that_they_name() -> None:
    text = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
    (block,) = re.findall(r'```yaml title="prometheus.yml"\n(.*?)```', text, re.DOTALL)
    configuration = yaml.safe_load(block)
    (scrape,) = configuration["scrape_configs"]
    named = {job for _, expression in EXPRESSIONS for job in re.findall(r'job="(\w+)"', expression)}
    assert named == {scrape["job_name"]}
    assert all((ROOT / "deploy" / "monitoring" / file).is_file() for file in configuration["rule_files"])


def test_the_dashboard_has_the_schema_of_grafana() -> None:
    """What Grafana's own types read of it and write again is all that stands in it."""
    dashboards = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder").JSONEncoder
    plugins.register_default_plugins()

    def lost(document: dict[str, Any]) -> list[str]:
        read = json.loads(encoder().encode(dashboards.Dashboard.from_json(document)))
        return sorted(set(leaves(document)) - set(leaves(read)))

    assert lost(DASHBOARD) == []
    misspelt = json.loads(json.dumps(DASHBOARD))
    panel = next(panel for panel in misspelt["panels"] if panel["type"] == "timeseries")
    panel["descripton"] = panel.pop("description")
    panel["fieldConfig"]["defaults"]["custom"]["lineWith"] = 2
    assert len(lost(misspelt)) == 2


def leaves(node: Any, path: str = "") -> Iterator[str]:
    """Every value of a JSON document with its place."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, f"{path}/{name}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from leaves(value, f"{path}/{place}")
    else:
        yield f"{path}={node!r}"


def test_panels_lie_side_by_side_and_name_their_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= variables | {"__rate_interval"}
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        for target in panel["targets"]:
            shown_labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            assert shown_labels <= grouped, panel["title"]

"""The README of the dbt project tells the truth about the queues and strategies of the engine."""

import re

from dbt.contracts.graph.manifest import Manifest

from orchestration.product_files import DBT_PROJECT_FOLDER

TEXT = (DBT_PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
QUEUES = TEXT.split("| queue | key | filled by | read by |\n|---|---|---|---|\n")[1].split("\n\n")[0]


def models(manifest: Manifest) -> dict[str, dict[str, object]]:
    return {node.name: node.config.meta for node in manifest.nodes.values() if node.resource_type == "model"}


def test_the_table_of_queues_names_who_fills_and_who_reads_each(manifest: Manifest) -> None:
    rows = [re.findall(r"[^|]+", line) for line in QUEUES.splitlines()]
    described = {
        re.search(r"\w+", row[0])[0]: (set(re.findall(r"\w+", row[2])), set(re.findall(r"\w+", row[3])))
        for row in rows
    }
    readers: dict[str, set[str]] = {}
    fillers: dict[str, set[str]] = {"tastes": {"item_topics"}}  # by its strategy, replace_items
    for name, meta in models(manifest).items():
        if kind := meta.get("reads_queue"):
            readers.setdefault(kind, set()).add(name)
        for kind in meta.get("fills_queues", {}):
            fillers.setdefault(kind, set()).add(name)
    assert described == {kind: (fillers[kind], names) for kind, names in readers.items()}


def test_every_reader_of_a_queue_stands_below_every_model_that_fills_it(manifest: Manifest) -> None:
    above: dict[str, set[str]] = {}

    def ancestors(unique_id: str) -> set[str]:
        if unique_id not in above:
            parents = manifest.parent_map.get(unique_id, [])
            above[unique_id] = {name.split(".")[-1] for name in parents}.union(*map(ancestors, parents))
        return above[unique_id]

    metas = models(manifest)
    pairs = [
        (filler, reader)
        for filler, meta in metas.items()
        for kind in meta.get("fills_queues", {})
        for reader, other in metas.items()
        if other.get("reads_queue") == kind
    ]
    assert len(pairs) > 15
    assert [pair for pair in pairs if pair[0] not in ancestors(f"model.tessera.{pair[1]}")] == []


def test_every_strategy_is_explained_and_used(manifest: Manifest) -> None:
    engine = (DBT_PROJECT_FOLDER / "macros/engine/strategies.sql").read_text(encoding="utf-8")
    defined = set(re.findall(r"macro get_incremental_(\w+)_sql", engine))
    used = {
        node.config.incremental_strategy
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.config.incremental_strategy
    }
    assert defined == used == set(re.findall(r"`(replace_\w+)`", TEXT))

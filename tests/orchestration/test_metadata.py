"""Figures and tables become Markdown for Dagster's pages."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pyarrow as pa
from matplotlib.figure import Figure

from ml.evaluation.bootstrap import Interval
from ml.evaluation.figures import comparison_plot
from ml.registry.descriptions import NOTE, experiment_tags
from orchestration.defs.metadata import figure_metadata, table_metadata


def test_a_table_is_written_with_its_numbers_in_the_given_format() -> None:
    table = pa.table({"name": ["a", None], "share": [0.12345, 2.0]})
    assert table_metadata(table).md_str == "| name | share |\n|---|---|\n| a | 0.1235 |\n| None | 2 |"
    assert table_metadata(table, ".1f").md_str == "| name | share |\n|---|---|\n| a | 0.1 |\n| None | 2.0 |"


def test_a_figure_is_written_as_an_inline_png() -> None:
    prefix = "![figure](data:image/png;base64,"
    text = figure_metadata(Figure(figsize=(1, 1))).md_str
    assert text.startswith(prefix)
    assert base64.b64decode(text.removeprefix(prefix).removesuffix(")")).startswith(b"\x89PNG")


def test_every_experiment_of_the_pipeline_is_described_in_mlflow() -> None:
    files = (Path(__file__).parents[2] / "orchestration" / "defs").glob("*.py")
    texts = [text for text in map(Path.read_text, files) if "experiment=GROUP" in text]
    groups = {name for text in texts for name in re.findall(r'^GROUP = "(\w+)"', text, re.MULTILINE)}
    assert {"segmentation", "sequences", "experiments"} <= groups
    for name in groups | {"recommendation", "promotions"}:
        assert experiment_tags(name)[NOTE]


def test_the_plot_of_candidates_starts_at_zero() -> None:
    (axes,) = comparison_plot(
        {"a": Interval(0.52, 0.51, 0.53, 0.95), "b": Interval(0.54, 0.53, 0.55, 0.95)}, "ndcg"
    ).axes
    assert axes.get_xlim()[0] == 0

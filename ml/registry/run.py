"""An MLflow run while it is written: parameters, metrics, figures, tables and the data that it saw."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from PIL import Image

from ml.pages.figure_images import draw_png
from ml.registry.fingerprint import data_fingerprint

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

BATCH = 100
"""Parameters and tags that MLflow takes at once."""


class Run:
    """An MLflow run that is being written; `Registry.start_run` opens one."""

    def __init__(self, client: MlflowClient, run_id: str, experiment: str) -> None:
        self._client = client
        self.run_id = run_id
        self.experiment = experiment

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log the configuration; a nested mapping becomes dotted names."""
        from mlflow.entities import Param  # noqa: PLC0415  Dagster's pages start without MLflow

        self._log_in_batches(params=[Param(name, str(value)) for name, value in _flattened(params)])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log measured numbers; `step` orders repeated ones, such as those of epochs."""
        from mlflow.entities import Metric  # noqa: PLC0415  Dagster's pages start without MLflow

        now = int(time.time() * 1000)
        self._log_in_batches(metrics=[Metric(name, float(value), now, step) for name, value in metrics.items()])

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a plot as `figures/<name>.png`."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{name}.png"
            file.write_bytes(draw_png(figure))
            self._client.log_artifact(self.run_id, str(file), "figures")

    def log_figures(self, figures: Mapping[str, Figure]) -> None:
        """Log plots, each as `figures/<name>.png`."""
        for name, figure in figures.items():
            self.log_figure(figure, name)

    def log_image(self, figure: Figure, name: str) -> None:
        """Log a plot as an image, which the charts of MLflow's pages can show."""
        with Image.open(io.BytesIO(draw_png(figure))) as image:
            self._client.log_image(self.run_id, image, key=name, step=0)

    def log_table(self, table: pa.Table, name: str) -> None:
        """Log a table, which the pages of MLflow can show, as `tables/<name>.json`."""
        self._client.log_table(self.run_id, table.to_pandas(), f"tables/{name}.json")

    def log_artifacts(self, folder: Path, name: str | None = None) -> None:
        """Log the files of a folder, below `name` if it is given."""
        self._client.log_artifacts(self.run_id, str(folder), name)

    def log_text(self, text: str, file: str) -> None:
        """Log a text file."""
        self._client.log_text(self.run_id, text, file)

    def log_data(self, name: str, table: pa.Table) -> str:
        """Record the data that the run saw, as a data set and as tags: its rows, columns and fingerprint.

        Returns:
            The fingerprint.
        """
        fingerprint = data_fingerprint(table)
        self._client.log_inputs(self.run_id, datasets=[_describe(name, table, fingerprint)])
        self.set_tags(
            {
                f"data.{name}.fingerprint": fingerprint,
                f"data.{name}.rows": str(table.num_rows),
                f"data.{name}.columns": ", ".join(table.column_names),
            }
        )
        return fingerprint

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, by which runs can be searched."""
        from mlflow.entities import RunTag  # noqa: PLC0415  Dagster's pages start without MLflow

        self._log_in_batches(tags=[RunTag(key, str(value)) for key, value in tags.items()])

    def _log_in_batches(self, **entries: Sequence[Any]) -> None:
        """Log entries of one kind, `params`, `metrics` or `tags`, in a transaction each BATCH of them."""
        for kind, of_kind in entries.items():
            for start in range(0, len(of_kind), BATCH):
                self._client.log_batch(self.run_id, **{kind: of_kind[start : start + BATCH]})


def _describe(name: str, table: pa.Table, fingerprint: str) -> DatasetInput:
    """Describe a table of the warehouse as MLflow's pages show a data set."""
    from mlflow.entities import Dataset, DatasetInput  # noqa: PLC0415  # imports all of MLflow

    columns = [{"name": field.name, "type": str(field.type), "required": False} for field in table.schema]
    dataset = Dataset(
        name=name,
        digest=fingerprint[:8],
        source_type="local",
        source=json.dumps({"uri": "warehouse.duckdb"}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": table.num_rows}),
    )
    return DatasetInput(dataset, [])


def _flattened(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

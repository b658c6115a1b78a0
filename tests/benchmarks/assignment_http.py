"""Assignments over HTTP against those of a column: 100,000 ids, every gate of assignment in the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pyarrow as pa
import yaml
from assignment import START, definitions
from figure import Figure

from ml.experiments.definition.assignment import assign_units
from ml.experiments.definition.definition import ExperimentDefinitions
from ml.home import Home
from ml.settings import load_settings
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera

IDS = 100_000
COUNTRIES = ("DE", "AT", "CH")


def measure(size: float) -> Iterator[Figure]:
    """Yield in how many ids the two differ, and calls a second of the service's own application."""
    ids = [f"user-{i:x}-{i * 2654435761 % 2**32:08x}" for i in range(max(round(IDS * size), 100))]
    countries = [COUNTRIES[i % len(COUNTRIES)] for i in range(len(ids))]
    experiments = definitions()
    column = assign_units(experiments, "ranker", pa.array(ids), pa.table({"country": countries}), START)
    begin = time.perf_counter()
    answers = asyncio.run(_answers(experiments, ids, countries))
    rate = len(ids) / (time.perf_counter() - begin)
    names = column.variant_column().to_pylist()
    reasons = column.reason_column().to_pylist()
    differ = sum(
        (answer["variant"], answer["reason"]) != both
        for answer, both in zip(answers, zip(names, reasons, strict=True), strict=True)
    )
    yield Figure("assignment_http_differences", differ, f"of {len(ids):,} ids", "calls/s", rate, rows=len(ids))


async def _answers(
    experiments: ExperimentDefinitions, ids: list[str], countries: list[str]
) -> list[dict[str, str | None]]:
    with TemporaryDirectory() as folder:
        file = experiments.model_dump(mode="json", exclude={"metrics"}, by_alias=True, exclude_defaults=True)
        for body in file["experiments"].values():
            del body["id"]
        (Path(folder) / "experiments.yaml").write_text(yaml.safe_dump(file))
        tessera = Tessera(ServiceConfig(home=Home(Path(folder)), settings=load_settings()), clock=lambda: START)
        app = application(tessera)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tessera") as client,
        ):
            found = []
            for unit, country in zip(ids, countries, strict=True):
                answer = await client.get(
                    "/v1/experiments/ranker/assignment", params={"user_id": unit, "country": country}
                )
                answer.raise_for_status()
                found.append(answer.json())
            return found

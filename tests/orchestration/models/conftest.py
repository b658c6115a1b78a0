"""A table of interactions as somebody has it who brings nothing else, and a model of it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tests.orchestration.models.calls import tessera


@pytest.fixture(autouse=True)
def environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SITE", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


@pytest.fixture(scope="package")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Even users take even items, odd ones odd items; a feature says which is which."""
    folder = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(1)
    rows = [(u, i) for u in range(40) for i in random.choice(np.arange(u % 2, 30, 2), 7, replace=False)]
    users, items = (list(part) for part in zip(*rows, strict=True))
    pa_csv.write_csv(pa.table({"user_id": users, "item_id": items}), folder / "interactions.csv")
    features = pa.table(
        {"item_id": list(range(30)), "features": [[f"taste:{i % 2}", "kind:film"] for i in range(30)]}
    )
    pq.write_table(features, folder / "items.parquet")
    pa_csv.write_csv(pa.table({"user_id": [0, 1, 99]}), folder / "people.csv")
    return folder


@pytest.fixture
def fitted(tables: Path, tmp_path: Path) -> Path:
    model = tmp_path / "popular"
    done = tessera("fit", "--interactions", tables / "interactions.csv", "--model", "popularity", "--out", model)
    assert done.exit_code == 0, done.output
    return model

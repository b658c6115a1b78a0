"""Calls of the command line, and tables of ratings for it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from typer.testing import CliRunner, Result

from orchestration.cli import app


def tessera(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(*arguments: object) -> str:
    """The words of a command that fails; what it says on its way counts."""
    result = tessera(*arguments)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def rated_by_taste(file: Path) -> None:
    """Everybody takes 12 of 30 items and rates those of the own parity 5, the others 1."""
    random = np.random.default_rng(1)
    rows = [
        (u, int(i), 5 if u % 2 == i % 2 else 1) for u in range(60) for i in random.choice(30, 12, replace=False)
    ]
    users, items, ratings = (list(part) for part in zip(*rows, strict=True))
    pa_csv.write_csv(pa.table({"user_id": users, "item_id": items, "rating": ratings}), file)


def own_parity(file: Path) -> float:
    """Share of the recommendations whose item has the parity of the user."""
    rows = pa_csv.read_csv(file).to_pylist()
    return float(np.mean([row["user_id"] % 2 == row["item_id"] % 2 for row in rows]))

"""The sizes of the demo; tests/orchestration/test_wheel.py runs it."""

import io
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from ml.home import Home
from ml.settings.operation import PortSettings
from ml.settings.simulator import SimulatorSettings
from orchestration.commands.demo import QUICK_DIVISOR, shrink
from orchestration.demo.demo_results import DemoResults
from orchestration.demo.report import next_steps
from orchestration.product_files import default_home


def test_a_quick_demo_has_fewer_people_and_is_otherwise_the_same_site() -> None:
    settings = SimulatorSettings()
    small = shrink(settings)
    assert small.users == settings.users // QUICK_DIVISOR
    assert small.model_copy(update={"users": settings.users}) == settings
    assert shrink(settings.model_copy(update={"users": 2})).users == 1


def test_the_next_commands_name_the_home_where_it_is_not_the_usual_one(tmp_path: Path) -> None:
    results = DemoResults(pa.table({}), pa.table({}), "", (), {})
    for home, option in ((Home(default_home()), ""), (Home(tmp_path), f" --home {tmp_path}")):
        console = Console(file=io.StringIO(), width=400)
        console.print(next_steps(results, home, PortSettings()))
        written = console.file.getvalue()  # type: ignore[attr-defined]
        for command in ("up", "materialize", "docs"):
            assert f"tessera {command}{option} " in written

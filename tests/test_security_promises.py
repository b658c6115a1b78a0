"""Every promise of SECURITY.md names a test, and every test that it names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_promise_is_held_by_a_test_that_exists() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [
        line for line in page.partition("## Promises and their tests")[2].splitlines() if line.startswith("| ")
    ][2:]
    assert len(rows) > 20
    assert [row for row in rows if not TEST.search(row)] == []
    missing = [f"{file}::{name}" for file, name in TEST.findall(page) if name not in functions(ROOT / file)]
    assert missing == []


def functions(file: Path) -> set[str]:
    """Names of the functions of a module; empty where there is no such file."""
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

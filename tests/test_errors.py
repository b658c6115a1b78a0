"""Every error that the project raises on purpose can be caught by one name."""

import ast
import builtins
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ml", "orchestration", "serving")


def bases_by_class(tree: ast.AST) -> dict[str, list[str]]:
    """Names of the base classes of each class in a module; `module.Base` counts as `Base`."""
    return {
        node.name: [ast.unparse(base).split(".")[-1] for base in node.bases]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def ancestors(name: str, bases: dict[str, list[str]]) -> set[str]:
    """All classes that a class descends from, as far as the modules show them."""
    direct = set(bases.get(name, ()))
    return direct.union(*(ancestors(base, bases) for base in direct))


def is_builtin_error(name: str) -> bool:
    builtin = getattr(builtins, name, None)
    return isinstance(builtin, type) and issubclass(builtin, BaseException)


def rootless_errors(bases: dict[str, list[str]]) -> list[str]:
    """Error classes that do not descend from TesseraError."""
    return sorted(
        name
        for name in bases
        if name != "TesseraError"
        and (name.endswith("Error") or any(is_builtin_error(base) for base in ancestors(name, bases)))
        and "TesseraError" not in ancestors(name, bases)
    )


@pytest.fixture(scope="module")
def bases() -> dict[str, list[str]]:
    """The classes of the three packages with their bases."""
    classes: dict[str, list[str]] = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            classes |= bases_by_class(ast.parse(file.read_text(encoding="utf-8")))
    return classes


def test_every_error_class_descends_from_the_root(bases: dict[str, list[str]]) -> None:
    assert rootless_errors(bases) == []
    assert sum(name.endswith("Error") for name in bases) > 35


def test_the_rule_sees_an_error_without_the_root() -> None:
    tree = ast.parse(
        "class TesseraError(Exception): ...\n"
        "class GoodError(errors.TesseraError, ValueError): ...\n"
        "class BetterError(GoodError): ...\n"
        "class Stop(KeyError): ...\n"
        "class BadError(library.Fault): ...\n"
    )
    assert rootless_errors(bases_by_class(tree)) == ["BadError", "Stop"]

"""The words of the code: one meaning a class name, no name that says nothing, modules that are nouns."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ml", "orchestration", "serving")
SAY_NOTHING = {"found", "told", "one", "own", "wanted", "asked", "known", "around"}
VAGUE_MODULES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "shared",
    "manager",
    "processor",
    "base_utils",
}
# A gerund is a noun where the field uses it as the name of the thing itself.
GERUND_MODULES = {
    "boosting",
    "browsing",  # with `encoding`, `sizing` and `writing` a part of the simulator
    "encoding",
    "hashing",
    "interleaving",  # the comparison of two rankers
    "mapping",
    "monitoring",  # what the stage is called everywhere
    "onboarding",
    "online_learning",  # the method
    "publishing",
    "reranking",
    "serving",  # the section of the settings, named as the package
    "sizing",
    "stacking",
    "targeting",
    "tracing",
    "training",
    "writing",
}
ARRAY_TYPES = ROOT / "ml" / "arrays"


def modules() -> Iterator[Path]:
    """Every Python file of the three packages."""
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def public_classes(tree: ast.Module) -> list[str]:
    """Names of the classes that a module defines for others."""
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def defined_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each name that a module gives to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


def empty_names(tree: ast.AST) -> list[str]:
    """Names of a module that say nothing of what they name, with their lines."""
    return sorted(
        {f"{line} {name}" for name, line in defined_names(tree) if name.strip("_").lower() in SAY_NOTHING}
    )


def array_types(tree: ast.Module) -> list[str]:
    """Names that a module gives to array types."""
    return [
        ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and node.value is not None
        and ast.unparse(node.value).split("[")[0].split(".")[-1] in {"NDArray", "ndarray"}
    ]


def test_a_public_class_name_stands_once() -> None:
    places = defaultdict(list)
    for file in modules():
        for name in public_classes(parse(file)):
            places[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_no_name_says_nothing() -> None:
    offences = {str(file.relative_to(ROOT)): names for file in modules() if (names := empty_names(parse(file)))}
    assert offences == {}


def test_a_module_is_a_noun_with_a_subject() -> None:
    names = {
        file.relative_to(ROOT): file.parent.name if file.stem == "__init__" else file.stem for file in modules()
    }
    assert [str(file) for file, name in names.items() if name in VAGUE_MODULES | SAY_NOTHING] == []
    gerunds = {name for name in names.values() if name.endswith("ing")}
    assert gerunds - GERUND_MODULES == set()


def test_array_types_are_named_in_one_place() -> None:
    offences = {
        str(file.relative_to(ROOT)): names
        for file in modules()
        if not file.is_relative_to(ARRAY_TYPES) and (names := array_types(parse(file)))
    }
    assert offences == {}


@pytest.mark.parametrize(
    "code",
    [
        "found = 1",
        "def f(one): ...",
        "def _told(): ...",
        "self._asked = 1",
        "class C:\n    wanted: int",
        "[known for known in ids]",
        "with open(p) as own: ...",
        "import numpy as around",
        "lambda told: 1",
        "for found, n in pairs: ...",
    ],
)
def test_the_rule_sees_a_name_that_says_nothing_wherever_it_is_given(code: str) -> None:
    assert len(empty_names(ast.parse(code))) == 1


def test_the_rules_leave_good_names_alone() -> None:
    tree = ast.parse("ranked = found.items\nunknown = ones\nF32 = npt.NDArray[np.float32]\nx = f32(1)\n")
    assert empty_names(tree) == []
    assert array_types(tree) == ["F32"]


def test_the_rule_of_classes_sees_public_classes_alone() -> None:
    assert public_classes(ast.parse("class A: ...\nclass _B: ...\ndef f():\n    class C: ...\n")) == ["A"]

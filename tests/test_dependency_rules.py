"""The dependency rules of the design: orchestration → ml ← serving, and who may touch what."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINES = {"dagster", "dagster_dbt", "bentoml", "duckdb", "great_expectations", "dbt"}
FORBIDDEN = {
    "ml": ENGINES | {"orchestration", "serving"},
    "serving": {"dagster", "dagster_dbt", "dbt", "duckdb", "mlflow", "great_expectations", "orchestration"},
    "orchestration": {"serving", "bentoml"},
}
MLFLOW_ONLY_IN = {"ml/registry/registry.py"}
READS_ENVIRONMENT = {
    "orchestration/cli.py",
    "orchestration/commands/home.py",
    "orchestration/defs/resources.py",
    "serving/start.py",
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def touches_environment(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            if node.attr in {"environ", "getenv", "putenv"}:
                return True
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            if {alias.name for alias in node.names} & {"environ", "getenv"}:
                return True
    return False


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_package_imports_nothing_that_its_place_forbids(package):
    offences = {
        str(file.relative_to(ROOT)): sorted(bad)
        for file in sources(package)
        if (bad := imported(ast.parse(file.read_text())) & FORBIDDEN[package])
    }
    assert offences == {}


def test_only_the_registry_imports_mlflow():
    offenders = {
        str(file.relative_to(ROOT))
        for package in FORBIDDEN
        for file in sources(package)
        if "mlflow" in imported(ast.parse(file.read_text()))
    }
    assert offenders <= MLFLOW_ONLY_IN


def test_the_environment_is_read_at_the_doors_alone():
    offenders = {
        str(file.relative_to(ROOT))
        for package in FORBIDDEN
        for file in sources(package)
        if touches_environment(ast.parse(file.read_text()))
    }
    assert offenders <= READS_ENVIRONMENT


def test_the_rules_see_a_forbidden_import_and_a_read_of_the_environment():
    tree = ast.parse("import os\ndef late():\n    from duckdb import connect\n    return os.environ['X']\n")
    assert imported(tree) == {"os", "duckdb"}
    assert touches_environment(tree)


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_file_is_not_named_after_nothing(package):
    vague = {"utils.py", "helpers.py", "common.py", "misc.py", "manager.py", "processor.py"}
    assert [file for file in sources(package) if file.name in vague] == []

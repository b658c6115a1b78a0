"""The dependency rules of the design: orchestration → ml ← serving, and who may touch what."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINES = {"dagster", "dagster_dbt", "bentoml", "duckdb", "great_expectations", "dbt", "pyspark"}
FORBIDDEN = {
    "ml": ENGINES | {"orchestration", "serving"},
    "serving": {
        "dagster",
        "dagster_dbt",
        "dbt",
        "duckdb",
        "mlflow",
        "great_expectations",
        "pyspark",
        "orchestration",
    },
    "orchestration": {"serving", "bentoml"},
}
MLFLOW_ONLY_IN = {
    f"ml/registry/{name}.py"
    for name in ("artifacts", "mlflow_model", "registry", "run", "server", "store", "trials")
}
# From the lowest floor up. What stands on one floor knows nothing of its neighbours there.
FLOORS = (
    ("errors",),
    ("arrays", "home", "local_clock", "pages", "spreadsheet_cells"),
    ("integrity",),
    ("expressions", "keys", "privacy", "site"),
    ("settings",),
    ("events",),
    ("tables",),
    ("dataset", "erasure", "sources"),
    ("evaluation",),
    ("monitoring", "segmentation", "usage"),
    ("recommenders", "sequences"),
    ("bundle", "console"),
    ("decisions",),
    ("experiments",),
    ("publishing", "registry"),
)
READS_ENVIRONMENT = {
    "ml/registry/server.py",  # writes what MLflow's pages read there
    "orchestration/cli.py",
    "orchestration/commands/home.py",
    "orchestration/defs/resources.py",
    "orchestration/pages/__main__.py",
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


def test_only_the_room_of_spark_imports_pyspark():
    offenders = {
        file.parent.relative_to(ROOT)
        for package in FORBIDDEN
        for file in sources(package)
        if "pyspark" in imported(ast.parse(file.read_text()))
    }
    assert offenders == {Path("orchestration/spark")}


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


def room(module: str) -> str:
    """The room of a module of `ml`: the name after `ml`."""
    return module.split(".")[1]


def room_of(file: Path) -> str:
    """The room of a file below `ml`: its folder, or its own name at the root."""
    return file.relative_to(ROOT / "ml").with_suffix("").parts[0]


def modules_of_ml(tree: ast.AST) -> set[str]:
    """Modules of `ml` that a file imports, `from ml import home` included."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "ml":
            modules |= {f"ml.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {module for module in modules if module.startswith("ml.")}


def upward_imports(room_of_file: str, tree: ast.AST, floors: tuple[tuple[str, ...], ...] = FLOORS) -> list[str]:
    """Modules that a file imports although they do not stand on a lower floor."""
    floor_of = {name: number for number, names in enumerate(floors) for name in names}
    return sorted(
        module
        for module in modules_of_ml(tree)
        if room(module) != room_of_file and floor_of[room(module)] >= floor_of[room_of_file]
    )


def test_imports_inside_ml_go_down_the_floors_only():
    upward = {
        str(file.relative_to(ROOT)): bad
        for file in sources("ml")
        if file != ROOT / "ml/__init__.py"
        if (
            bad := upward_imports(
                file.relative_to(ROOT / "ml").with_suffix("").parts[0], ast.parse(file.read_text())
            )
        )
    }
    assert upward == {}


def test_every_room_of_ml_stands_on_a_floor():
    rooms = {room_of(file) for file in sources("ml")} - {"__init__"}
    assert rooms == {name for names in FLOORS for name in names}


def test_the_rule_of_floors_sees_an_import_that_goes_up_or_sideways():
    tree = ast.parse("from ml.publishing import publish\nfrom ml import decisions\nimport ml.events.log\n")
    assert upward_imports("recommenders", tree) == ["ml.decisions", "ml.publishing"]
    assert upward_imports("registry", tree) == ["ml.publishing"]
    assert upward_imports("publishing", tree) == []


@pytest.mark.parametrize(("package", "most"), [("ml", 6), ("serving", 10), ("orchestration", 6)])
def test_a_package_keeps_few_files_at_its_root(package, most):
    assert len(list((ROOT / package).glob("*.py"))) <= most


def test_no_folder_holds_more_than_twenty_files():
    folders = {folder for package in FORBIDDEN for folder in (ROOT / package).rglob("*") if folder.is_dir()}
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    counts.pop("ml/sources/simulator")  # one subject in many small files
    assert {folder: count for folder, count in counts.items() if count > 20} == {}


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_file_is_not_named_after_nothing(package):
    vague = {"utils.py", "helpers.py", "common.py", "misc.py", "manager.py", "processor.py"}
    assert [file for file in sources(package) if file.name in vague] == []

"""Third depth: a Bento, served on its own in an empty folder, with no checkout beside it."""

import ast
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import httpx
import pytest
from bundles import publish
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ml.home import Home
from orchestration.bento import build_bento, served_requirements

CHECKOUT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url, process, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the service ended"
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail("the service did not become ready")


@contextmanager
def bentoml_serve(arguments, folder, home, **variables):
    """The address of what `bentoml serve` serves in a folder, on the port that the site's settings name."""
    port = free_port()
    site = home.path.parent / f"site-{port}"
    site.mkdir()
    (site / "settings.yaml").write_text(f"ports: {{service: {port}}}\n")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TESSERA", "PYTHONPATH"))
    }
    variables = {"PWD": str(folder), "BENTOML_HOME": str(home.bentoml), "TESSERA_SITE": str(site), **variables}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "bentoml", "serve", *arguments],
        cwd=folder,
        env={**environment, **variables, "BENTOML_DO_NOT_TRACK": "True"},
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("build") / "home")
    tag = build_bento(home, publish(home.published, "v1"))
    assert build_bento(home, home.published / "v1") == tag  # a second build of one bundle changes nothing
    return home


def facts(url):
    """What the service says about bob, an item and its models."""
    person = httpx.get(f"{url}/v1/users/bob").json()
    return {
        "recent": [item["item_id"] for item in person["recent"]],
        "segment": person["segment"],
        "similar": httpx.get(f"{url}/v1/items/i2/similar").json(),
        "ready": httpx.get(f"{url}/readyz").json(),
    }


def test_a_bento_answers_learns_and_keeps_its_state_where_it_was_started(built, tmp_path):
    with bentoml_serve(["tessera"], tmp_path, built) as url, httpx.Client(base_url=url) as http:
        first = http.post("/v1/recommendations", json={"user_id": "bob", "k": 5}).json()
        personal = {item["item_id"] for item in first["items"] if item["source"] == "personal"}
        assert personal & {"i6", "i7", "i8", "i9"}  # food, as bob likes it; one place or another is explored
        taken = http.post(
            "/v1/events", json={"events": [{"event_type": "page_view", "user_id": "bob", "item_id": "i6"}]}
        )
        assert (taken.status_code, taken.json()) == (202, {"accepted": 1, "rejected": []})
        second = http.post("/v1/recommendations", json={"user_id": "bob", "k": 10}).json()
        assert "i6" not in {item["item_id"] for item in second["items"]}
        assert "tessera" in http.get("/metrics").text
    assert (tmp_path / ".tessera" / "state.db").exists()
    assert list((tmp_path / ".tessera" / "events").rglob("*.*"))


def test_the_bento_and_the_checkout_answer_alike_on_one_home(built, tmp_path):
    home = str(built.path)
    with bentoml_serve([], CHECKOUT, built, TESSERA_HOME=home) as url:
        view = {"event_type": "page_view", "user_id": "bob", "item_id": "i7"}
        assert httpx.post(f"{url}/v1/events", json={"events": [view]}).json()["accepted"] == 1
        of_checkout = facts(url)
    assert of_checkout["recent"] == ["i7"]
    with bentoml_serve(["tessera"], tmp_path, built, TESSERA_HOME=home) as url:
        assert facts(url) == of_checkout


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Modules that a file imports somewhere, but for those of its annotations alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        yield from imported_modules(node)


START = """
import json, sys
absent = set(json.loads(sys.argv[1]))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import serving.service
print("files")
print(*(sys.modules[name].__file__ for name in sys.modules if name.startswith(("ml.", "serving."))), sep="\\n")
"""


def test_a_bento_installs_what_the_service_imports(tmp_path):
    installed = {canonicalize_name(line.split("==")[0]) for line in served_requirements().splitlines()}
    extras = {canonicalize_name(Requirement(text).name) for text in requires("tessera") if "extra ==" in text}
    of_module = {
        module: set(map(canonicalize_name, names)) - {"tessera"}
        for module, names in packages_distributions().items()
    }
    absent = [module for module, names in of_module.items() if names and names.isdisjoint(installed)]
    done = subprocess.run(
        [sys.executable, "-c", START, json.dumps(absent)],
        cwd=CHECKOUT,
        env=os.environ | {"TESSERA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    files = [Path(name) for name in done.stdout.partition("files\n")[2].splitlines()]
    assert len(files) > 300
    modules = (name for file in files for name in imported_modules(ast.parse(file.read_text(encoding="utf-8"))))
    others = {name.split(".")[0] for name in modules} - {*sys.stdlib_module_names, "ml", "serving"}
    # A module of an extra that is not installed here is known by its own name only.
    of_others = {name: of_module.get(name, {canonicalize_name(name)}) for name in sorted(others)}
    assert [name for name, names in of_others.items() if names.isdisjoint(installed | extras)] == []


def test_a_bento_needs_neither_dagster_nor_dbt_nor_duckdb():
    names = {line.split("==")[0] for line in served_requirements().splitlines()}
    assert {"bentoml", "numpy", "pyarrow", "starlette", "pydantic"} <= names
    assert not {"tessera", "dagster", "dbt-core", "duckdb", "mlflow", "great-expectations", "torch"} & names

"""The installed package runs the whole demo in an empty folder, without the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
DEPENDENCIES = Path(sysconfig.get_path("purelib"))
PROGRAMS = ("bentoml", "dagster", "dbt", "mlflow")
SIMULATOR = {"users": 150, "days": 21, "items": 120, "new_items_per_day": 3}
SETTINGS = {
    "segmentation": {
        "minimum_segment_size": 5,
        "choice": {
            "algorithms": ["kmeans"], "segments_max": 4, "starts": 1, "resamples": 2, "null_references": 3,
        },
        "validation_draws": 20,
    },
    "recommenders": {
        "candidates": [{"model": "lightfm_warp", "params": {"n_factors": 8, "epochs": 5, "threads": 1}}],
        "ablation": {"most_users": 20, "epochs": 1},
        "cold_start": {"most_users": 100},
    },
    "decisions": {"blend": {"train_questions": 300}},
}  # fmt: skip


@dataclass(frozen=True)
class Installed:
    """An environment with the package installed from its wheel, beside the dependencies of this one."""

    folder: Path

    @property
    def packages(self) -> Path:
        return self.folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

    def run(self, *words: str, cwd: Path) -> str:
        """Output of a program of this environment; the test fails where it does."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TESSERA", "PYTHON", "DAGSTER"))
        }
        environment["PATH"] = f"{self.folder / 'bin'}:{environment['PATH']}"
        done = subprocess.run(
            [str(self.folder / "bin" / words[0]), *words[1:]],
            cwd=cwd,
            env=environment | {"COLUMNS": "150"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "leaked" not in done.stderr, done.stderr
        return done.stdout

    def files(self) -> set[Path]:
        """Every file of the package, without the bytecode that Python keeps."""
        folders = (self.packages / name for name in ("ml", "orchestration", "serving"))
        return {file for folder in folders for file in folder.rglob("*") if "__pycache__" not in file.parts}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    wheels = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    environment = Installed(tmp_path_factory.mktemp("installed"))
    venv.create(environment.folder, with_pip=False, symlinks=True)
    (wheel,) = wheels.glob("*.whl")
    python = environment.folder / "bin" / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            str(wheel),
        ],
        check=True,
        capture_output=True,
    )
    # files named *.pth in a folder that a .pth file names are not read, so the checkout stays out of reach
    (environment.packages / "dependencies.pth").write_text(f"{DEPENDENCIES}\n")
    for program in entry_points(group="console_scripts"):
        if program.name in PROGRAMS:
            script = environment.folder / "bin" / program.name
            call = f"from {program.module} import {program.attr}\nraise SystemExit({program.attr}())\n"
            script.write_text(f"#!{python}\n{call}")
            script.chmod(0o755)
    return environment


def test_the_checkout_is_out_of_reach_and_the_default_files_are_inside_the_package(
    installed: Installed, tmp_path: Path
) -> None:
    script = (
        "import ml, orchestration, serving; from ml.site.definition_files import product_config;"
        "from orchestration.product_files import DBT_PROJECT_FOLDER, default_home, is_checkout;"
        "print(ml.__file__, orchestration.__file__, serving.__file__, product_config(), DBT_PROJECT_FOLDER);"
        "print(is_checkout(), default_home())"
    )
    places, home = installed.run("python", "-c", script, cwd=tmp_path).splitlines()
    assert all(Path(place).is_relative_to(installed.packages) for place in places.split())
    assert home == f"False {tmp_path / '.tessera'}"


def test_the_demo_runs_for_a_new_site_in_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    before = installed.files()
    installed.run("tessera", "init", "shop", cwd=tmp_path)
    (tmp_path / "shop" / "simulator.yaml").write_text(yaml.safe_dump(SIMULATOR))
    (tmp_path / "shop" / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    page = installed.run("tessera", "demo", "--site", "shop", cwd=tmp_path)
    assert "Segments" in page
    assert "popularity" in page
    assert installed.files() == before
    (log,) = (tmp_path / ".tessera" / "logs").glob("materialize-*.log")
    assert "Unable to do partial parsing" not in log.read_text(), "dbt parsed the project more than once"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".tessera", "shop"]
    listed = installed.run("tessera", "settings", "simulator.users", "--site", "shop", cwd=tmp_path)
    assert "users: 150" in listed

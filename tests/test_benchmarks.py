"""Every benchmark can be imported and measures something; what it measures, `make bench` says."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent / "benchmarks"
IMPORT_ALL = """
import importlib, sys
sys.path.insert(1, sys.argv[1])
from run import FOLDER, NOT_BENCHMARKS
names = {file.stem for file in FOLDER.glob("*.py")} - NOT_BENCHMARKS
print(len([importlib.import_module(name).measure for name in sorted(names)]))
"""


def test_every_benchmark_can_be_imported():
    # In a process of its own: benchmarks import each other by short names.
    command = [sys.executable, "-c", IMPORT_ALL, str(BENCHMARKS.parents[1])]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 30

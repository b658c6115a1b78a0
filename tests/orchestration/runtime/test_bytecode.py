"""Libraries that nobody imported yet are compiled by a process beside."""

import subprocess
import sys

import pytest

from orchestration.runtime import bytecode


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An installation without bytecode, whose one library is imported late."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    monkeypatch.setattr(bytecode, "LIBRARY", "tabnanny")
    monkeypatch.setattr(bytecode, "IMPORTS", "import tabnanny")


def test_a_fresh_installation_is_compiled_while_the_block_runs(fresh):
    assert not bytecode.is_compiled("tabnanny")
    with bytecode.compiling_libraries():
        pass
    assert bytecode.is_compiled("tabnanny")


@pytest.mark.parametrize("case", ["compiled already", "bytecode is not kept"])
def test_no_process_is_started_where_it_would_bring_nothing(fresh, monkeypatch, case):
    if case == "compiled already":
        subprocess.run([sys.executable, "-c", bytecode.IMPORTS], check=True)
    else:
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(subprocess, "Popen", None)  # starting one would fail
    with bytecode.compiling_libraries():
        pass


def test_the_imports_of_a_run_exist():
    compile(bytecode.IMPORTS, "imports", "exec")
    assert bytecode.LIBRARY in bytecode.IMPORTS

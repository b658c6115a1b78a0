"""A worker of the service holds no library that nothing calls, and takes its memory from the system."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

SERVICE = """
import json, sys
import serving.service
import pyarrow as pa
pool = pa.default_memory_pool().backend_name
print(json.dumps([pool, "pandas" in sys.modules, pa.array([1, None], pa.int64()).null_count]))
"""
WITHOUT_IT = """
import json, sys
import pyarrow as pa
pa.array([1, None])
print(json.dumps("pandas" in sys.modules))
"""


def last_line(program, home):
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"TESSERA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_service_loads_no_pandas_and_uses_the_allocator_of_the_system(tmp_path):
    assert last_line(SERVICE, tmp_path) == ["system", False, 1]


def test_arrow_by_itself_loads_pandas_wherever_it_is_installed(tmp_path):
    assert last_line(WITHOUT_IT, tmp_path)


KEPT = """
import json, psutil
from serving.upkeep.worker_memory import give_back_free_memory
blocks = [bytearray(b"x" * 4_000) for _ in range(20_000)]  # 80 MB
last = blocks[-1]  # lies above all others, so that the heap does not shrink by itself
blocks.clear()
before = psutil.Process().memory_info().rss
give_back_free_memory()
print(json.dumps(before - psutil.Process().memory_info().rss))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide by themselves")
def test_memory_that_is_free_between_what_is_used_goes_back_to_the_system(tmp_path):
    assert last_line(KEPT, tmp_path) > 60_000_000

"""A Redis for the tests of stores that several machines share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.redis_process import RedisProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path)
    yield process
    process.process.kill()
    process.process.wait()

"""The site of a test."""

from pathlib import Path

import pytest

from tests.serving.collector.collecting import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that collects on this machine, without keys."""
    return Site(tmp_path / "home")

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests/serving/bundles.py

from bundles import publication, publish

from ml.bundle import make_current, write_bundle
from ml.home import Home
from ml.settings import load_settings
from serving.start import ServiceConfig


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def config(home, tmp_path):
    return ServiceConfig(home=home, settings=load_settings(), bundled=tmp_path / "no-bento")


@pytest.fixture
def two_versions(home):
    publish(home.published, "v1")
    write_bundle(home.published, publication(model_version="challenger"), "v2")
    make_current(home.published, "v1")

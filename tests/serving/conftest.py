import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests/serving/bundles.py

from ml.home import Home
from ml.settings import load_settings
from serving.start import Start


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def start(home, tmp_path):
    return Start(home=home, settings=load_settings(), bundled=tmp_path / "no-bento")

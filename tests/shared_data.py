"""Public data sets that are too large for the checkout: they lie in the folder `shared` beside it, if anywhere."""

from pathlib import Path

import pytest

from tests.skip_policy import NEEDS_SHARED_DATA

SHARED = Path(__file__).resolve().parents[2] / "shared"


def needs_shared_data(*paths: Path) -> pytest.MarkDecorator:
    """A mark that skips where a file or folder below SHARED is absent."""
    missing = [f"../shared/{path.relative_to(SHARED)}" for path in paths if not path.exists()]
    return pytest.mark.skipif(bool(missing), reason=f"{NEEDS_SHARED_DATA}: {', '.join(missing)}")

"""What a worker holds for good is not collected again, and what it lets go of is."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from serving.upkeep.garbage import freeze_long_lived_objects


class Bundle:
    """Refers to itself, as what caches its own methods does."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_held_is_left_out_of_collections_until_it_is_let_go() -> None:
    bundle: Bundle | None = Bundle()
    former = weakref.ref(bundle)
    freeze_long_lived_objects()
    assert not any(entry is bundle for entry in gc.get_objects())
    bundle = None
    freeze_long_lived_objects()
    assert former() is None

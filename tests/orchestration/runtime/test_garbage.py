"""What is loaded for good is collected no more, and collections go on, whatever loading comes to."""

import gc

import pytest

from orchestration.runtime.garbage import loading_for_good


def test_what_is_loaded_is_left_out_of_collections_that_go_on() -> None:
    try:
        with pytest.raises(ImportError), loading_for_good():
            loaded = [object()]
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled()
        assert not any(each is loaded for each in gc.get_objects())
    finally:
        gc.unfreeze()

import numpy as np
import pytest

from ml.sources.simulator.randomness import Stream, generator, hexadecimal, mixed, uniform


def test_hexadecimal_digits_are_those_of_the_number():
    assert hexadecimal(np.array([1, 0xDEADBEEF00000000], dtype=np.uint64)).tolist() == [
        b"0000000000000001",
        b"deadbeef00000000",
    ]


def test_different_keys_never_collide():
    keys = np.arange(200_000)
    assert len(np.unique(mixed(7, Stream.EVENT_ID, keys))) == 200_000


def test_the_splitmix_finaliser_gives_its_published_value():
    # SplitMix64 seeded with 0 yields e220a8397b1dcdaf first: the finaliser of the golden ratio constant
    assert int(mixed(0, Stream(1))) == 0xE220A8397B1DCDAF


def test_numbers_depend_on_seed_stream_and_key():
    base = uniform(1, Stream.VISIT, 5, 9)
    assert base == uniform(1, Stream.VISIT, 5, 9)
    assert len({float(x) for x in (base, uniform(2, Stream.VISIT, 5, 9), uniform(1, Stream.TASTE, 5, 9),
                                   uniform(1, Stream.VISIT, 9, 5))}) == 4  # fmt: skip


def test_uniform_numbers_fill_the_unit_interval_evenly():
    counts = np.bincount((uniform(3, Stream.VISIT, np.arange(100_000), 4) * 10).astype(int), minlength=10)
    assert counts == pytest.approx(np.full(10, 10_000), abs=500)


def test_a_generator_is_its_own_for_every_key():
    assert generator(1, Stream.DAY, 3).random() == generator(1, Stream.DAY, 3).random()
    assert generator(1, Stream.DAY, 3).random() != generator(1, Stream.DAY, 4).random()

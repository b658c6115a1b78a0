"""Windows of sequences, cut by hand."""

import numpy as np

from ml.recommenders.models.sequences.windows import GAP_CLASSES, Sequences, gap_classes


def sequences(*lengths, has_order=True):
    bounds = np.append(0, np.cumsum(lengths)).astype(np.int64)
    n = int(bounds[-1])
    return Sequences(
        np.arange(n, dtype=np.int64), np.ones(n, np.int64), np.zeros(n, np.float32), bounds, has_order
    )


def taken(windows):
    return [row[: int(gaps.sum())].tolist() for row, gaps in zip(windows.items, windows.gaps, strict=True)]


def test_a_long_sequence_ends_with_a_whole_window_and_a_short_one_is_a_window():
    made = sequences(7, 2).windows(3, np.ones(9, bool), None)
    assert taken(made) == [[0], [1, 2, 3], [4, 5, 6], [7, 8]]
    assert made.is_target.sum() == 9


def test_each_item_is_a_target_once_wherever_the_windows_are_cut():
    for seed in range(5):
        made = sequences(11, 1, 4).windows(4, np.arange(16) % 2 == 0, np.random.default_rng(seed))
        assert sorted(made.items[made.is_target].tolist()) == list(range(0, 16, 2))
        assert all(np.diff(row).tolist() == [1] * (len(row) - 1) for row in taken(made))


def test_an_order_that_says_nothing_is_drawn_anew_within_each_sequence():
    given = sequences(6, 6, has_order=False)
    one, other = (given.windows(6, np.ones(12, bool), np.random.default_rng(seed)) for seed in (0, 1))
    assert taken(one) != taken(other)
    assert [sorted(row) for row in taken(one)] == [list(range(6)), list(range(6, 12))]


def test_a_context_is_what_came_before_in_the_same_sequence():
    made = sequences(4, 3).contexts(3, np.array([0, 3, 5]))
    assert taken(made) == [[0], [1, 2, 3], [4, 5]]
    assert made.items[made.is_target].tolist() == [0, 3, 5]


def test_gaps_are_classed_by_doublings_and_the_first_has_none():
    starts = np.array([True, False, False, False, True, False])
    times = np.array([100.0, 100.0, 101.0, 104.0, 7.0, 1e9])
    assert gap_classes(times, starts).tolist() == [0, 1, 2, 3, 0, GAP_CLASSES - 1]
    assert gap_classes(None, starts).tolist() == [0] * 6

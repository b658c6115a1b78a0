"""Neighbourhoods: the nearest ones of each row."""

import numpy as np
import pytest
from scipy import sparse

from ml.recommenders.models.neighbours import _largest_of_rows


@pytest.mark.parametrize("most", [1, 5, 12, 40])
def test_the_largest_of_each_row_are_kept_and_of_equal_ones_the_first(most):
    random = np.random.default_rng(most)
    dense = random.integers(0, 6, (30, 40)) * (random.random((30, 40)) < 0.6)
    dense[3] = 0
    dense[4] = 2
    matrix = sparse.csr_matrix(dense.astype(np.float32))
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):  # as a product leaves them
        order = start + random.permutation(end - start)
        matrix.indices[start:end], matrix.data[start:end] = matrix.indices[order], matrix.data[order]
    largest = _largest_of_rows(matrix, most).toarray()
    for row, values in zip(largest, dense, strict=True):
        taken = sorted((column for column in range(40) if values[column]), key=lambda column: -values[column])[
            :most
        ]
        expected = np.zeros(40)
        expected[taken] = values[taken]
        np.testing.assert_array_equal(row, expected)

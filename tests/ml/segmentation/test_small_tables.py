"""Tables of 200 people: the groups that anybody sees in a picture are found, and none where there are none."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from ml.segmentation import fit_segmentation
from ml.segmentation.output import table_settings
from ml.settings import load_settings

ROWS = 200
# Income and spending as in the table of a mall's customers: a crowd in the middle, and a group in each corner.
CENTRES = np.array([[55.0, 50.0], [88.0, 82.0], [88.0, 17.0], [26.0, 79.0], [26.0, 21.0]])
SHARES = np.array([0.405, 0.195, 0.175, 0.11, 0.115])
SPREADS = np.array([[8.0, 6.0], [14.0, 9.0], [14.0, 10.0], [7.0, 10.0], [7.0, 10.0]])


def table(**columns):
    return pa.table({"user_id": [str(row) for row in range(ROWS)], **columns})


def segmented(users):
    return fit_segmentation(users, table_settings(load_settings().segmentation, ROWS))


def test_five_groups_of_two_columns_are_found_among_two_hundred_people():
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(5), np.round(SHARES * ROWS).astype(int))
    income, spending = (CENTRES[group] + SPREADS[group] * random.normal(size=(ROWS, 2))).T
    users = table(income=income, spending=spending)
    segmentation = segmented(users)
    assert segmentation.has_structure
    assert len(segmentation.ids) == 5
    assert adjusted_rand_score(group, segmentation.assign(users)["segment"]) >= 0.9


@pytest.mark.parametrize("kind", ["correlated", "flag", "code"])
def test_two_hundred_people_without_groups_are_not_divided(kind):
    """Also where a column of two or five values, which has nothing to do with the others, would divide them."""
    random = np.random.default_rng(1)
    columns = {f"c{n}": values for n, values in enumerate(random.normal(size=(3, ROWS)))}
    columns["c3"] = columns["c0"] + 0.5 * random.normal(size=ROWS)
    if kind != "correlated":
        columns[kind] = random.integers(2 if kind == "flag" else 5, size=ROWS)
    assert not segmented(table(**columns)).has_structure

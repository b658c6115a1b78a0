"""The search for the nearest items, and what it must not do to the rest of the process."""

import subprocess
import sys

LEARN = """
from ml.decisions.items.factor_index import FactorIndex
import lightgbm, numpy
rows = numpy.random.default_rng(0).random((200, 3))
lightgbm.LGBMRegressor(n_estimators=1, verbose=-1, n_jobs=1).fit(rows, rows[:, 0])
"""


def test_trees_are_learned_in_a_process_that_loaded_the_search_first():
    done = subprocess.run([sys.executable, "-c", LEARN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

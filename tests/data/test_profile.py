from __future__ import annotations

import numpy as np

from lithify.data.profile import BINS, profile


def test_counts_are_of_all_rows_and_the_ends_belong():
    p = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [0.049, 0.951]])
    found = profile(p)
    assert (found["rows"], found["predicted"]) == (4, [2, 2])
    assert [sum(counts) for counts in found["histograms"]] == [4, 4]
    assert found["histograms"][0][0] == 2
    assert found["histograms"][1][BINS - 1] == 2


def test_no_rows():
    assert profile(np.zeros((0, 3))) == {"rows": 0, "predicted": [0, 0, 0], "histograms": [[0] * BINS] * 3}

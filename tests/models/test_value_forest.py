"""The trees that judge numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dqlabels.frames.hashing import hash_matrix
from dqlabels.models.value_forest import ForestSizes, ValueForest


@pytest.mark.parametrize("block_rows", [1, 7, 400])
def test_the_size_of_the_blocks_changes_no_prediction(block_rows):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 3)).astype(np.float32)
    hashes = hash_matrix(matrix)
    forest = ValueForest.fit(matrix, rng.normal(size=300), hashes, np.ones(300), sizes=ForestSizes(trees=12))
    assert np.array_equal(forest.judge(matrix, hashes, block_rows=block_rows), forest.judge(matrix, hashes))

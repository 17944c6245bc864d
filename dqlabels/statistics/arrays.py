"""Types of the arrays that the statistics take and give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
# Features as models take them, a row per row and NaN where a value is missing.
Matrix = NDArray[np.float32]
# Probabilities come as float32 or float64, and are never copied into another type.
RealArray = NDArray[np.floating]
# Class positions and other whole numbers, in as few bytes as hold them.
NarrowArray = NDArray[np.integer]

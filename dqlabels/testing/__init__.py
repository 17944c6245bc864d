"""Labels for tests: wrong ones planted in a frame, and label columns drawn by hypothesis."""

from dqlabels.testing.corrupt import corrupt_labels
from dqlabels.testing.strategies import label_columns

__all__ = ["corrupt_labels", "label_columns"]

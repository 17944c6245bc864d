"""Columns of pictures and of texts."""

from __future__ import annotations

import io

import numpy as np
import pytest
from sklearn.datasets import load_digits

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'dqlabels[images]'")


def encoded(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, kind)
    return file.getvalue()


def images(rows=200, kind="PNG"):
    """Zeros and ones as written by hand, every twentieth with the other's label."""
    X, y = load_digits(n_class=2, return_X_y=True)
    wrong = np.arange(rows) % 20 == 7
    labels = np.where(wrong, 1 - y[:rows], y[:rows])
    data = [encoded(pixels * 15, kind) for pixels in X[:rows].reshape(-1, 8, 8)]
    return {"image": data, "label": [("zero", "one")[k] for k in labels]}, wrong


def words(rows=120):
    truth, wrong = np.arange(rows) % 2, np.arange(rows) % 20 == 7
    texts = [f"{('rain and storm', 'goal and match')[k]} number {at}" for at, k in enumerate(truth)]
    labels = np.where(wrong, 1 - truth, truth)
    return {"text": texts, "label": [("weather", "sport")[k] for k in labels]}, wrong

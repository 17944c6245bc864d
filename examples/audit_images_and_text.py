"""Images and texts: real ones that come with packages, labels changed on purpose, and how many of them are found."""

import importlib
import inspect
import io

import numpy as np
import polars as pl
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

import dqlabels  # noqa: F401 puts .labels on every frame


def change(labels: list[str], share: float) -> tuple[list[str], np.ndarray]:
    """Return the labels with ``share`` of them replaced by another one, and which were replaced."""
    rng = np.random.default_rng(0)
    changed = rng.permutation(len(labels)) < round(share * len(labels))
    names = np.unique(labels)
    codes = np.searchsorted(names, labels)
    return names[(codes + changed * rng.integers(1, names.size, codes.size)) % names.size].tolist(), changed


def report(what: str, audited: pl.DataFrame, changed: np.ndarray) -> float:
    flagged = audited["is_label_issue"].to_numpy()
    found = (flagged & changed).sum() / changed.sum()
    print(f"{what}: {changed.sum()} of {changed.size} labels changed, {flagged.sum()} flagged, {found:.0%} found")
    return found


# Handwritten digits, as the bytes of PNG files.
pixels, digits = load_digits(return_X_y=True)
files = []
for image in pixels[:600].reshape(-1, 8, 8):
    file = io.BytesIO()
    Image.fromarray((image * 15).astype(np.uint8)).save(file, "PNG")
    files.append(file.getvalue())
labels, changed = change([str(digit) for digit in digits[:600]], 0.05)
found = report("images", pl.DataFrame({"image": files, "digit": labels}).labels.audit("digit"), changed)
assert found > 0.6

# The docstrings of Python's own functions, by topic.
TOPICS = {"numbers": ["numpy", "numpy.linalg", "math"], "network": ["http.client", "urllib.request", "email.message"]}
texts: dict[str, str] = {}
for topic, modules in TOPICS.items():
    for module in map(importlib.import_module, modules):
        for value in vars(module).values():
            for part in [value, *(vars(value).values() if inspect.isclass(value) else ())]:
                first = " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split()) if callable(part) else ""
                if len(first.split()) >= 6:
                    texts[first] = topic
labels, changed = change(list(texts.values()), 0.05)
frame = pl.DataFrame({"text": list(texts), "topic": labels})
report("texts, hashed words", frame.labels.audit("topic"), changed)

# Any callable that turns texts into vectors, such as the encode of a sentence-embedding model.
embed = make_pipeline(TfidfVectorizer(sublinear_tf=True), TruncatedSVD(50, random_state=0)).fit_transform
found = report("texts, embedded", frame.labels.audit("topic", embed={"text": embed}), changed)
assert found > 0.6

"""Classifiers that train well although some labels are wrong: scikit-learn estimators around any classifier.

Each takes a classifier (``estimator=``), trains it on what it makes of the labels, and is then a classifier
itself: in pipelines, searches and cross-validation. Which to use when is in docs/learn.md. The names are
loaded when they are first used. Methods to compare with, and networks on PyTorch, are in
:mod:`dqlabels.learn.research`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqlabels.learn.confident import ConfidentLearningClassifier
    from dqlabels.learn.correction import LossCorrectionClassifier
    from dqlabels.learn.mentor import MentorNetClassifier
    from dqlabels.learn.scoring import CleanScore, score_with_labels, score_with_review

__all__ = [
    "CleanScore",
    "ConfidentLearningClassifier",
    "LossCorrectionClassifier",
    "MentorNetClassifier",
    "score_with_labels",
    "score_with_review",
]

_MODULES = {
    "CleanScore": "scoring",
    "ConfidentLearningClassifier": "confident",
    "LossCorrectionClassifier": "correction",
    "MentorNetClassifier": "mentor",
    "score_with_labels": "scoring",
    "score_with_review": "scoring",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(importlib.import_module(f"dqlabels.learn.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    if name in importlib.import_module("dqlabels.learn.research").__all__:
        # An AttributeError would lose its words: `from dqlabels.learn import name` replaces it by one of its own.
        raise ImportError(f"{name} is in dqlabels.learn.research: from dqlabels.learn.research import {name}")
    raise AttributeError(f"module 'dqlabels.learn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

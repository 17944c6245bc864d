"""Classifiers that train well although some labels are wrong: scikit-learn estimators around any classifier.

Each takes a classifier (``estimator=``), trains it on what it makes of the labels, and is then a classifier
itself: in pipelines, searches and cross-validation. Which to use when is in docs/learn.md. The names are
loaded when they are first used; those ending in ``Network`` need PyTorch (the extra ``torch``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqlabels.learn.bootstrapping import BootstrappingClassifier
    from dqlabels.learn.confident import ConfidentLearningClassifier
    from dqlabels.learn.correction import LossCorrectionClassifier
    from dqlabels.learn.coteaching import CoTeachingClassifier
    from dqlabels.learn.decoupling import DecouplingClassifier
    from dqlabels.learn.joint import JointOptimizationClassifier
    from dqlabels.learn.mentor import MentorNetClassifier
    from dqlabels.learn.networks import (
        CoTeachingNetwork,
        DecouplingNetwork,
        JointOptimizationNetwork,
        LossCorrectionNetwork,
        MentorNetwork,
        PlainNetwork,
    )
    from dqlabels.learn.scoring import CleanScore, score_with_labels, score_with_review

__all__ = [
    "BootstrappingClassifier",
    "CleanScore",
    "CoTeachingClassifier",
    "CoTeachingNetwork",
    "ConfidentLearningClassifier",
    "DecouplingClassifier",
    "DecouplingNetwork",
    "JointOptimizationClassifier",
    "JointOptimizationNetwork",
    "LossCorrectionClassifier",
    "LossCorrectionNetwork",
    "MentorNetClassifier",
    "MentorNetwork",
    "PlainNetwork",
    "score_with_labels",
    "score_with_review",
]

_MODULES = {
    "BootstrappingClassifier": "bootstrapping",
    "CleanScore": "scoring",
    "CoTeachingClassifier": "coteaching",
    "ConfidentLearningClassifier": "confident",
    "DecouplingClassifier": "decoupling",
    "JointOptimizationClassifier": "joint",
    "LossCorrectionClassifier": "correction",
    "MentorNetClassifier": "mentor",
    "score_with_labels": "scoring",
    "score_with_review": "scoring",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dqlabels.learn' has no attribute {name!r}")
    module = _MODULES.get(name, "networks")
    value = getattr(importlib.import_module(f"dqlabels.learn.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

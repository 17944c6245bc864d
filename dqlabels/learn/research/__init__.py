"""Methods of the literature that `dqlabels.learn` doesn't advise, to compare with: each is tested against its paper.

On tables they gain less than the estimators of :mod:`dqlabels.learn`, or lose; docs/learn.md has the figures. The names
are loaded when they are first used; those ending in ``Network`` need PyTorch (the extra ``torch``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqlabels.learn.research.bootstrapping import BootstrappingClassifier
    from dqlabels.learn.research.coteaching import CoTeachingClassifier
    from dqlabels.learn.research.decoupling import DecouplingClassifier
    from dqlabels.learn.research.joint import JointOptimizationClassifier
    from dqlabels.learn.research.networks import (
        CoTeachingNetwork,
        DecouplingNetwork,
        JointOptimizationNetwork,
        LossCorrectionNetwork,
        MentorNetwork,
        PlainNetwork,
    )

__all__ = [
    "BootstrappingClassifier",
    "CoTeachingClassifier",
    "CoTeachingNetwork",
    "DecouplingClassifier",
    "DecouplingNetwork",
    "JointOptimizationClassifier",
    "JointOptimizationNetwork",
    "LossCorrectionNetwork",
    "MentorNetwork",
    "PlainNetwork",
]

_MODULES = {
    "BootstrappingClassifier": "bootstrapping",
    "CoTeachingClassifier": "coteaching",
    "DecouplingClassifier": "decoupling",
    "JointOptimizationClassifier": "joint",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dqlabels.learn.research' has no attribute {name!r}")
    module = _MODULES.get(name, "networks")
    value = getattr(importlib.import_module(f"dqlabels.learn.research.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

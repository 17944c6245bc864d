"""Label quality for dataframes: find wrong labels, estimate the noise rate, gate a pipeline on it.

``import dqlabels`` registers ``df.labels`` on pandas and Polars and loads nothing heavy; the names below
are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dqlabels import accessor as _accessor
from dqlabels.errors import DQLabelsError, LabelNoiseError, LabelWarning
from dqlabels.version import __version__

if TYPE_CHECKING:
    from dqlabels.audits.checkup import checkup
    from dqlabels.audits.classes.result import LabelAudit
    from dqlabels.audits.gate import GateResult
    from dqlabels.audits.signature import audit
    from dqlabels.audits.trusted.label_auditor import LabelAuditor, load
    from dqlabels.audits.values.result import ValueAudit
    from dqlabels.noise.methods import NoiseRate
    from dqlabels.review.apply import apply_decisions


__all__ = [
    "DQLabelsError",
    "GateResult",
    "LabelAudit",
    "LabelAuditor",
    "LabelNoiseError",
    "LabelWarning",
    "NoiseRate",
    "ValueAudit",
    "__version__",
    "apply_decisions",
    "audit",
    "checkup",
    "load",
]

_LAZY = {
    "apply_decisions": "dqlabels.review.apply",
    "audit": "dqlabels.audits.audit",
    "checkup": "dqlabels.audits.checkup",
    "GateResult": "dqlabels.audits.gate",
    "LabelAudit": "dqlabels.audits.classes.result",
    "LabelAuditor": "dqlabels.audits.trusted.label_auditor",
    "NoiseRate": "dqlabels.noise.methods",
    "load": "dqlabels.audits.trusted.label_auditor",
    "ValueAudit": "dqlabels.audits.values.result",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'dqlabels' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_accessor.register()

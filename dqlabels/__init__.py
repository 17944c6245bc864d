"""Label quality for dataframes: find wrong labels, estimate the noise rate, gate a pipeline on it.

``import dqlabels`` registers ``df.labels`` on pandas and Polars and loads nothing heavy; the names below
are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dqlabels import accessor as _accessor
from dqlabels.accessor import labels
from dqlabels.errors import DQLabelsError, LabelNoiseError, LabelWarning
from dqlabels.version import __version__

if TYPE_CHECKING:
    from dqlabels.audits.annotators.result import AnnotatorAudit
    from dqlabels.audits.base import Audit
    from dqlabels.audits.checkup import checkup
    from dqlabels.audits.classes.result import LabelAudit
    from dqlabels.audits.classes.streamed import StreamedAudit
    from dqlabels.audits.gate import GateCheck, GateResult, Limits
    from dqlabels.audits.options import Options
    from dqlabels.audits.signature import audit
    from dqlabels.audits.tags.result import MultilabelAudit
    from dqlabels.audits.tokens.result import TokenAudit
    from dqlabels.audits.trusted.label_auditor import LabelAuditor, load
    from dqlabels.audits.trusted.monitor import LabelMonitor, MonitorResult
    from dqlabels.audits.values.result import ValueAudit
    from dqlabels.audits.values.streamed import StreamedValueAudit
    from dqlabels.checks.finding import Finding
    from dqlabels.checks.result import Checkup
    from dqlabels.noise.planted import PlantedRecall
    from dqlabels.noise.probability import FILTERS
    from dqlabels.noise.rate import NoiseRate
    from dqlabels.noise.reviewed import ReviewPlan
    from dqlabels.review.apply import apply_decisions
    from dqlabels.review.session import ReviewSession
    from dqlabels.statistics.agreement import Agreement
    from dqlabels.statistics.scores import SCORES

# Loaded when first used, each from the module that defines it.
_LAZY = {
    "FILTERS": "dqlabels.noise.probability",
    "SCORES": "dqlabels.statistics.scores",
    "Agreement": "dqlabels.statistics.agreement",
    "AnnotatorAudit": "dqlabels.audits.annotators.result",
    "Audit": "dqlabels.audits.base",
    "Checkup": "dqlabels.checks.result",
    "Finding": "dqlabels.checks.finding",
    "GateCheck": "dqlabels.audits.gate",
    "GateResult": "dqlabels.audits.gate",
    "LabelAudit": "dqlabels.audits.classes.result",
    "Limits": "dqlabels.audits.gate",
    "LabelAuditor": "dqlabels.audits.trusted.label_auditor",
    "LabelMonitor": "dqlabels.audits.trusted.monitor",
    "MonitorResult": "dqlabels.audits.trusted.monitor",
    "MultilabelAudit": "dqlabels.audits.tags.result",
    "NoiseRate": "dqlabels.noise.rate",
    "Options": "dqlabels.audits.options",
    "PlantedRecall": "dqlabels.noise.planted",
    "ReviewPlan": "dqlabels.noise.reviewed",
    "ReviewSession": "dqlabels.review.session",
    "StreamedAudit": "dqlabels.audits.classes.streamed",
    "StreamedValueAudit": "dqlabels.audits.values.streamed",
    "TokenAudit": "dqlabels.audits.tokens.result",
    "ValueAudit": "dqlabels.audits.values.result",
    "apply_decisions": "dqlabels.review.apply",
    "audit": "dqlabels.audits.audit",
    "checkup": "dqlabels.audits.checkup",
    "load": "dqlabels.audits.trusted.label_auditor",
}

__all__ = [
    "FILTERS",
    "SCORES",
    "Agreement",
    "AnnotatorAudit",
    "Audit",
    "Checkup",
    "DQLabelsError",
    "Finding",
    "GateCheck",
    "GateResult",
    "LabelAudit",
    "LabelAuditor",
    "LabelMonitor",
    "LabelNoiseError",
    "LabelWarning",
    "Limits",
    "MonitorResult",
    "MultilabelAudit",
    "NoiseRate",
    "Options",
    "PlantedRecall",
    "ReviewPlan",
    "ReviewSession",
    "StreamedAudit",
    "StreamedValueAudit",
    "TokenAudit",
    "ValueAudit",
    "__version__",
    "apply_decisions",
    "audit",
    "checkup",
    "labels",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'dqlabels' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


_accessor.register()

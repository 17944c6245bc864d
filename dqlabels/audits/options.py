"""The options of an audit, for what passes them on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from dqlabels.progress import ProgressOption


class Options(TypedDict, total=False):
    """The options of an audit that do not choose its result."""

    consensus: str | None
    features: Sequence[str] | None
    exclude: Iterable[str]
    embed: Mapping[str, Any] | None
    pred_probs: Any
    classes: Sequence[Any] | None
    model: Any
    cv: Any
    groups: Any
    sample_weight: Any
    filter_by: str
    score: str
    adjust: bool
    fdr: float
    names: tuple[str, str, str]
    compat: str | None
    sample_rows: int | None
    random_state: int
    n_jobs: int | None
    progress: ProgressOption


class AuditOptions(Options, total=False):
    """The options of :func:`dqlabels.audit`, for editors to complete."""

    task: str | None
    annotator: str | None
    item: str | None

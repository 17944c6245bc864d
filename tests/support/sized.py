"""Audits with smaller sizes than those that were measured, so that a small table counts as a large one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import polars as pl

import dqlabels
from dqlabels.audits.audit import audit_lazily, run_audit
from dqlabels.audits.options import Options
from dqlabels.models.sizes import Sizes


@dataclass(frozen=True)
class Sized:
    sizes: Sizes

    def options(self, **options: Any) -> Options:
        return Options(**options, sizes=self.sizes)

    def audit(self, frame: Any, label: str, **options: Any) -> dqlabels.Audit:
        """As ``dqlabels.audit``."""
        result = run_audit(frame, label, self.options(**options))
        for note in result.warnings:
            warnings.warn(note, dqlabels.LabelWarning, stacklevel=2)
        return result

    def columns(self, frame: Any, label: str, **options: Any) -> Any:
        """As ``frame.labels.audit``."""
        if isinstance(frame, pl.LazyFrame):
            return audit_lazily(frame, label, self.options(**options))
        return self.audit(frame, label, **options).frame

    def auditor(self, label: str, **options: Any) -> dqlabels.LabelAuditor:
        """As ``dqlabels.LabelAuditor``."""
        auditor = dqlabels.LabelAuditor(label, **options)
        auditor.options = auditor.options.changed(sizes=self.sizes)
        return auditor

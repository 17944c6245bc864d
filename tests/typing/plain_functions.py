"""A user's script: what type checkers see of plain functions and results. It is checked, and run as well."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
from typing_extensions import assert_type

import dqlabels
from dqlabels import (
    AnnotatorAudit,
    Audit,
    Checkup,
    GateCheck,
    GateResult,
    LabelAudit,
    LabelAuditor,
    MultilabelAudit,
    NoiseRate,
    StreamedAudit,
    ValueAudit,
)

ROWS = 120
loans = pl.DataFrame(
    {
        "income": [float(row % 40) for row in range(ROWS)],
        "risk": ["low" if row % 40 < 20 else "high" for row in range(ROWS)],
        "second": ["low" if row % 40 < 22 else "high" for row in range(ROWS)],
        "grade": [row % 40 // 10 for row in range(ROWS)],
        "price": [row % 40 + 0.3 * (row % 7) for row in range(ROWS)],
        "owner": [row % 40 < 10 for row in range(ROWS)],
        "urban": [row % 40 < 30 for row in range(ROWS)],
        "loan": [row // 3 for row in range(ROWS)],
        "clerk": [("ann", "bob", "cyd")[row % 3] for row in range(ROWS)],
    }
)


def classes() -> None:
    audit = assert_type(dqlabels.audit(loans.select("income", "risk"), "risk"), LabelAudit)
    assert_type(audit.rows, int)
    assert_type(audit.flagged, int)
    assert_type(audit.flagged_share, float)
    assert_type(audit.warnings, tuple[str, ...])
    assert_type(audit.summary(), str)
    assert_type(audit.to_dict(), dict[str, Any])
    rate = assert_type(audit.noise_rate, NoiseRate)
    assert_type((rate.estimate, rate.low, rate.high), tuple[float, float, float])
    assert_type(rate.supported, bool)
    assert_type(audit.estimate_noise("confident"), NoiseRate)


def gates() -> None:
    audit = dqlabels.audit(loans.select("income", "risk"), "risk", random_state=1)
    gate = assert_type(audit.gate(max_noise_rate=0.9), GateResult)
    assert_type(gate.passed, bool)
    assert_type(gate.message, str)
    assert_type(gate.checks, tuple[GateCheck, ...])
    assert_type(gate.raise_if_failed(), GateResult)
    if gate.verdict == "inconclusive":
        print(gate.message)


def grades() -> None:
    assert_type(dqlabels.audit(loans.select("income", "grade"), "grade", task="ordinal"), LabelAudit)


def lazily(frame: pl.LazyFrame) -> None:
    assert_type(dqlabels.audit(frame, "risk", task="classes"), LabelAudit | StreamedAudit)


def numbers() -> None:
    audit = assert_type(dqlabels.audit(loans.select("income", "price"), "price", task="regression"), ValueAudit)
    assert_type(audit.fdr, float)
    assert_type(audit.gate(max_flagged_share=0.9), GateResult)


def tags() -> None:
    frame = loans.select("income", "owner", "urban")
    audit = assert_type(dqlabels.audit(frame, ["owner", "urban"], task="multilabel"), MultilabelAudit)
    assert_type(audit.flagged, int)


def annotators() -> None:
    frame = loans.select("loan", "clerk", "risk")
    audit = assert_type(dqlabels.audit(frame, "risk", annotator="clerk", item="loan"), AnnotatorAudit)
    assert_type(audit.audited, int)
    assert_type(dqlabels.audit(loans.select("risk", "second"), ["risk", "second"]), AnnotatorAudit)


def pandas_frames() -> None:
    frame = pd.DataFrame(loans.select("income", "risk").to_dict(as_series=False))
    assert_type(dqlabels.audit(frame, "risk", features=["income"], filter_by="both"), LabelAudit)


def batches() -> None:
    trusted = loans.select("income", "risk")
    auditor = assert_type(LabelAuditor("risk", features=["income"]), LabelAuditor)
    assert_type(auditor.fit(trusted), LabelAuditor)
    assert_type(auditor.audit(trusted), LabelAudit)
    assert_type(auditor.features, tuple[str, ...])


def beside_the_labels() -> None:
    assert_type(dqlabels.checkup(loans.select("income", "risk"), "risk"), Checkup)


def the_accessor() -> None:
    """On pandas and Polars type checkers do not see ``df.labels``; ``dqlabels.labels(df)`` is the same, typed."""
    labels = dqlabels.labels(loans.select("income", "risk"))
    assert_type(labels.report("risk"), Audit)
    assert_type(labels.noise_rate("risk"), NoiseRate)
    assert_type(labels.checkup("risk"), Checkup)


def main() -> None:
    classes()
    gates()
    grades()
    lazily(loans.lazy().select("income", "risk"))
    numbers()
    tags()
    annotators()
    pandas_frames()
    batches()
    beside_the_labels()
    the_accessor()


if __name__ == "__main__":
    main()

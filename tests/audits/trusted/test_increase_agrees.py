"""The increase of the noise rate is one number, wherever an audit of a batch says it."""

from __future__ import annotations

import polars as pl
import pytest
from support.frames import ROOT, two_classes

import dqlabels
from dqlabels import LabelAuditor


def table(rows: int, seed: int, every: int | None) -> pl.DataFrame:
    """Rows of which every so many have a wrong label; none where ``every`` is None."""
    data = two_classes(rows, seed=seed)
    truth = [row % 2 for row in range(rows)]
    wrong = [every is not None and row % every == 3 for row in range(rows)]
    return pl.DataFrame(data | {"label": [("no", "yes")[k ^ w] for k, w in zip(truth, wrong, strict=True)]})


@pytest.fixture(scope="module")
def auditor() -> LabelAuditor:
    return LabelAuditor("label").fit(table(600, 0, 20))


@pytest.mark.parametrize("every", [None, 20, 4], ids=["clean", "as before", "noisier"])
@pytest.mark.filterwarnings("ignore")
def test_gate_drift_and_estimate_say_the_same_increase(auditor, every):
    audit = auditor.audit(table(300, 5, every))
    level = audit.drift.row(0, named=True)
    gate = audit.gate(max_increase=0.05)
    rate = audit.estimate_noise("reference")
    (check,) = gate.checks
    assert (check.estimate, check.low, check.high) == (level["change"], level["low"], level["high"])
    assert (rate.estimate, rate.low, rate.high) == (level["change"], level["low"], level["high"])
    assert level["batch"] == pytest.approx(max(level["trusted"] + level["change"], 0))
    assert audit.noise_rate.estimate == pytest.approx(level["batch"])
    assert gate.assumption == rate.assumption
    assert "method 'reference'" in gate.message


def test_beside_another_limit_the_level_is_what_is_assumed(auditor):
    audit = auditor.audit(table(300, 5, 20))
    gate = audit.gate(max_increase=0.05, max_noise_rate=0.3)
    assert gate.assumption == audit.noise_rate.assumption


@pytest.mark.filterwarnings("ignore")
def test_a_file_of_an_earlier_version_agrees_too():
    audit = dqlabels.load(ROOT / "tests/data/auditor-1.dqlabels").audit(pl.DataFrame(two_classes(seed=5)))
    (check,) = audit.gate(max_increase=0.2).checks
    assert check.estimate == audit.drift.row(0, named=True)["change"]

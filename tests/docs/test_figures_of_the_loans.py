"""What the pages say of the loans that they all audit is what an audit of them says."""

from __future__ import annotations

import re

import polars as pl
import pytest
from support.frames import ROOT

import dqlabels


@pytest.fixture(scope="module")
def figures() -> dict[str, str]:
    """The figures as they are printed, by the name of a group in a pattern."""
    loans = pl.read_csv(ROOT / "examples/data/german_credit.csv")
    audit = dqlabels.audit(loans, "risk")
    rate, wrong = audit.noise_rate, audit.expected_wrong
    sure = dqlabels.audit(loans, "risk", min_precision=0.8)
    return {
        "flagged": str(audit.flagged),
        "share": f"{audit.flagged_share:.1%}",
        "wrong": f"{wrong.estimate:.0f}",
        "least": f"{wrong.low:.0f}",
        "most": f"{wrong.high:.0f}",
        "rate": f"{rate.estimate:.1%}",
        "low": f"{rate.low:.1%}",
        "high": f"{rate.high:.1%}",
        "error": f"{audit.model_error:.1%}",
        "sure": str(sure.flagged),
        "sure_wrong": f"{sure.expected_wrong.estimate:.0f}",
    }


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("README.md", r"about\s+(?P<wrong>\d+) of (?P<flagged>\d+) \((?P<least>\d+) to (?P<most>\d+)\)"),
        ("docs/quickstart.md", r"risk: (?P<flagged>\d+) of 1,000 labels flagged \((?P<share>[\d.]+%)\)"),
        ("docs/quickstart.md", r"about (?P<wrong>\d+) \((?P<least>\d+) to (?P<most>\d+)\) of them are likely wrong"),
        (
            "docs/quickstart.md",
            r"\*\*Flagged, (?P<share>[\d.]+%), about (?P<wrong>\d+) \((?P<least>\d+) to (?P<most>\d+)\)",
        ),
        ("docs/quickstart.md", r"noise rate (?P<rate>[\d.]+%) \(90% interval (?P<low>[\d.]+%) to (?P<high>[\d.]+%)"),
        ("docs/quickstart.md", r"rate, (?P<rate>[\d.]+%), with its interval, (?P<low>[\d.]+%) to (?P<high>[\d.]+%)"),
        ("docs/quickstart.md", r"\*\*The model's error, (?P<error>[\d.]+%)"),
        (
            "docs/cli.md",
            r"FAIL: the label-noise rate, (?P<rate>[\d.]+%) \(interval (?P<low>[\d.]+%) to (?P<high>[\d.]+%)\)",
        ),
        ("docs/cli.md", r"(?P<flagged>\d+) flagged; about (?P<wrong>\d+) \((?P<least>\d+) to (?P<most>\d+)\)"),
        ("docs/guide-analyst.md", r"the model with all columns disagrees\s+with (?P<error>[\d.]+%)"),
        ("docs/guide-analyst.md", r"of the (?P<flagged>\d+) rows flagged here about (?P<wrong>\d+)"),
        ("docs/noise-rate.md", r"(?P<rate>[\d.]+%) \((?P<low>[\d.]+%) to (?P<high>[\d.]+%)\) means"),
        ("docs/threshold.md", r"(?P<sure>\d+) of\s+these loans, of which about (?P<sure_wrong>\d+)"),
        ("docs/threshold.md", r"flags (?P<flagged>\d+) rows and expects (?P<wrong>\d+)"),
        ("docs/fix-labels.md", r"of these loans (?P<wrong>\d+) of (?P<flagged>\d+)"),
        ("docs/own-model.md", r"\| the default \| (?P<error>[\d.]+%) \| (?P<flagged>\d+) \| (?P<wrong>\d+) \|"),
    ],
)
def test_a_page_says_of_the_loans_what_an_audit_says(figures, page, said):
    found = re.search(said, (ROOT / page).read_text(encoding="utf-8"))
    assert found, f"{page} no longer says {said!r}"
    assert found.groupdict() == {name: figures[name] for name in found.groupdict()}

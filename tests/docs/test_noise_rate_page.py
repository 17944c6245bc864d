"""What the page on the noise rate says of its own examples is what they print."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.frames import ROOT

PAGE = (ROOT / "docs/noise-rate.md").read_text(encoding="utf-8")


def after_the_block_with(word: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Names that are defined once the page's imports and the one block that holds ``word`` have run."""
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    (chosen,) = (block for block in blocks if word in block)
    names: dict[str, Any] = {}
    exec("import numpy as np\nimport polars as pl\nimport dqlabels\n" + chosen, names)  # noqa: S102
    return names


def percents(pattern: str) -> list[int]:
    found = re.search(pattern, PAGE)
    assert found, f"the page no longer says {pattern!r}"
    return [int(number) for number in found.groups()]


def test_a_table_that_cannot_support_an_estimate_is_not_supported(monkeypatch):
    rate = after_the_block_with("doubtful", monkeypatch)["doubtful"]
    (supported,) = re.findall(r"print\(doubtful\.supported\)  # (\w+)", PAGE)
    (caution,) = re.findall(r"print\(doubtful\.caution\)  # \.\.\. (.*) \.\.\.", PAGE)
    assert str(rate.supported) == supported
    assert caution in rate.caution


def test_the_methods_read_of_the_loans_what_the_page_says(monkeypatch):
    audit = after_the_block_with("loans = ", monkeypatch)["audit"]
    low, high, joint = percents(r"the first three read (\d+) to (\d+)% and `confident` (\d+)%")
    read = dict(audit.noise_rates().select("method", "estimate").iter_rows())
    assert {low, high} == {f(round(100 * read[name]) for name in ("variational", "em", "anchor")) for f in (min, max)}
    assert round(100 * read["confident"]) == joint


def test_the_methods_read_of_the_digits_what_the_page_says(monkeypatch):
    audit = after_the_block_with("load_digits", monkeypatch)
    said = re.search(r"`variational` reads ([\d.]+)%, `confident` ([\d.]+)% and `anchor`,[^%]*?([\d.]+)%", PAGE)
    rates = audit["table"].labels.report("digit", task="classes").noise_rates()
    read = dict(rates.select("method", "estimate").iter_rows())
    assert said
    expected = {
        name: float(number) for name, number in zip(("variational", "confident", "anchor"), said.groups(), strict=True)
    }
    assert {name: pytest.approx(100 * read[name], abs=0.06) for name in expected} == expected

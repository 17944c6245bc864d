"""What the pages on gates and monitors say of their own examples is what these print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.frames import ROOT


def after_the_blocks_of(page: str) -> dict[str, Any]:
    """Names that are defined once all Python blocks of a page have run."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        exec("\n".join(blocks), names)  # noqa: S102
    return names


@pytest.fixture(scope="module")
def gates() -> dict[str, Any]:
    return after_the_blocks_of("docs/gates.md")


def test_which_gate_says_what_its_example_shows(gates):
    page = (ROOT / "docs/gates.md").read_text(encoding="utf-8")
    # "some can be told from a rise of 2 points, some cannot"
    assert {gate.verdict for gate in gates["alone"]} == {"pass", "inconclusive"}
    # "200 rows tell an increase to ±3 points"
    (points,) = re.findall(r"200 rows tell an increase to ±(\d) points", page)
    assert {round(50 * (gate.check.high - gate.check.low)) for gate in gates["alone"]} == {int(points)}
    # "The first night with one label in 15 wrong is not enough yet, the second is, and so is the third."
    assert [result.verdict for result in gates["found"]] == ["pass", "fail", "fail"]
    assert set(gates["monitor"].history["verdict"][:2]) == {"pass"}


def test_a_model_of_fewer_rows_is_not_compared(gates):
    refused = gates["refused"]
    assert refused.verdict == "inconclusive"
    assert refused.check.estimate > 0.02
    assert "knows less and errs more often" in refused.message


def test_the_guide_stops_on_the_spoilt_night_and_not_on_the_repaired_one():
    names = after_the_blocks_of("docs/guide-data-engineer.md")
    assert names["failed"].batches == 1  # "A fifth of the labels is found at once."
    assert names["failed"].risen
    history = names["history"]
    assert history["batch_id"].to_list() == [f"2026-11-0{night}" for night in range(1, 6)]
    assert set(history["verdict"]) == {"pass"}
    written = {path.name for path in Path(names["folder"]).glob("*.parquet")}
    assert written == {f"2026-11-0{night}.parquet" for night in range(1, 6)}


def test_the_readme_says_that_so_few_loans_are_too_few():
    result = after_the_blocks_of("README.md")["result"]
    assert result.passed
    assert "A rise of +3.0 points takes too long to be found" in result.message


def test_the_table_of_false_alarms_and_delays_is_that_of_the_benchmark():
    benchmark = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8").partition("### Gates every night")[2]
    cells = re.findall(r"^\| \w* ?\| ([\d,]+) \| ([\d.]+) \(\d+\) \| ([\d.]+)", benchmark, flags=re.M)
    page = (ROOT / "docs/gates.md").read_text(encoding="utf-8").partition("| the monitor, with its defaults ")[2]
    row = r"^(?:\| )?\| ([\d,]+) \| ([\d.]+) to ([\d.]+) \| ([\d.]+)(?: to ([\d.]+))? \|$"
    rows = re.findall(row, page, flags=re.M)
    assert [size for size, *_ in rows] == ["200", "1,000", "5,000"]
    for size, *figures in rows:
        found = [(float(alarms), float(nights)) for rows_a_night, alarms, nights in cells if rows_a_night == size]
        assert len(found) == 4
        alarms, nights = zip(*found, strict=True)
        fewest, most, soonest, latest = figures
        assert (float(fewest), float(most)) == (min(alarms), max(alarms))
        assert (float(soonest), float(latest or soonest)) == (min(nights), max(nights))

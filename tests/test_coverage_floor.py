"""The floor under each file's coverage: nothing falls below it unsaid, and nobody stays on the list for nothing."""

from __future__ import annotations

import pytest
from support.coverage_floor import exceptions, faults


@pytest.mark.parametrize(
    ("percent", "reasons", "fault"),
    [
        (95.0, {}, None),
        (94.9, {}, "below 95%"),
        (94.9, {"a.py": "runs in Spark's own processes"}, None),
        (94.9, {"a.py": ""}, "below 95%"),
        (95.0, {"a.py": "runs in Spark's own processes"}, "Take it off"),
    ],
)
def test_a_file_below_the_floor_needs_a_reason_and_one_above_it_has_none(percent, reasons, fault):
    found = faults({"a.py": percent}, reasons)
    assert found == [] if fault is None else fault in found[0]


def test_a_file_that_is_gone_leaves_the_list():
    assert "or gone" in faults({}, {"a.py": "was hard"})[0]


def test_each_line_of_the_list_is_a_path_and_its_reason():
    assert exceptions("# why\n\na.py: one: two\n") == {"a.py": "one: two"}

"""What a change is compared with: every number of it is checked, so that no gate passes on one that means nothing."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.frames import two_classes

import dqlabels
from dqlabels.errors import OptionError
from dqlabels.noise.reference import read_profile, reference_level, reference_noise


@pytest.fixture(scope="module")
def audit() -> Any:
    return dqlabels.audit(pl.DataFrame(two_classes()), "label")


@pytest.fixture
def profile(audit) -> dict[str, Any]:
    return json.loads(json.dumps(audit.profile()))


SPOILT = {
    "rows": [0, -5, 120.5, math.nan, "120", True, None],
    "model_error": [math.nan, math.inf, -0.1, 1.5, "0.1", True, None],
    "classes": [[], ["no"], ["no", "no"], "no", None, 2],
    "class_rows": [[60], [60, -60], [math.nan, 60], [60.5, 59.5], ["60", "60"], [10, 10], None, 120],
    "noise_rate": [
        0.05,
        "low",
        {"estimate": 0.05},
        {"estimate": math.nan, "low": 0.0, "high": 0.1},
        {"estimate": 0.05, "low": 0.06, "high": 0.1},
        {"estimate": 0.05, "low": -0.1, "high": 0.1},
        {"estimate": 0.05, "low": 0.0, "high": math.inf},
    ],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SPOILT.items() for value in values])
def test_a_reference_that_cannot_be_compared_with_is_refused_by_field(profile, name, value):
    with pytest.raises(OptionError, match=rf"reference= holds {name}="):
        read_profile({**profile, name: value})


@pytest.mark.parametrize("value", [math.nan, "0.1"])
def test_a_gate_on_a_spoilt_reference_is_an_error_and_no_pass(audit, profile, tmp_path, value):
    path = tmp_path / "reference.json"
    path.write_text(json.dumps({**profile, "model_error": value}), encoding="utf-8")
    with pytest.raises(OptionError, match=r"reference= holds model_error="):
        audit.gate(max_increase=0.1, reference=path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 100_000, b"not json", b""])
def test_a_file_that_is_no_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / "reference.json"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=r"reference\.json does not hold a profile as JSON"):
        read_profile(path)


@pytest.mark.parametrize("reference", [5, [], [1], True, float("nan"), "", {}])
def test_what_is_no_reference_at_all_is_refused(audit, reference):
    with pytest.raises((OptionError, OSError)):
        audit.gate(max_increase=0.1, reference=reference)


def test_a_profile_comes_back_from_json_as_it_was(audit, profile):
    assert read_profile(profile) == read_profile(audit) == profile


@pytest.mark.parametrize(("error", "rows"), [(1.0, 1), (0.0, 1), (0.5, 2), (1.0, 500), (0.0, 500)])
def test_an_increase_and_its_interval_lie_between_minus_one_and_one(audit, profile, error, rows):
    change = reference_noise(error, rows, {**profile, "model_error": 0.3}, audit.noise_rate)
    assert -1 <= change.low <= change.estimate <= change.high <= 1


@pytest.mark.parametrize(("error", "rows"), [(1.0, 1), (0.0, 1), (1.0, 500), (0.0, 500)])
def test_the_level_after_a_change_is_a_share(audit, profile, error, rows):
    level = reference_level(reference_noise(error, rows, profile, audit.noise_rate), profile)
    assert 0 <= level.low <= level.estimate <= level.high <= 1


def test_a_batch_of_one_row_says_nothing_of_the_change(audit, profile):
    change = reference_noise(0.0, 1, {**profile, "model_error": 0.25}, audit.noise_rate)
    assert change.low < 0 < change.high
    assert np.isfinite([change.low, change.high]).all()

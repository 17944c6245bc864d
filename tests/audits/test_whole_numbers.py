"""Whole numbers as the label: codes are classes, and what may be amounts is asked about, alike from every entry."""

from __future__ import annotations

import decimal
from collections.abc import Callable

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.command import run
from support.frames import WIDE_NUMBERS

import dqlabels
from dqlabels.audits.kinds import Resolved, kind_of_lazy_frame, kind_of_table
from dqlabels.audits.options import Options
from dqlabels.errors import LabelColumnError

QUESTION = "amounts, or a class each"


def drawn(rows: int, low: int, high: int) -> np.ndarray:
    """Whole numbers from low to high, each of them drawn."""
    return np.concatenate([np.arange(low, high + 1), np.random.default_rng(0).integers(low, high + 1, rows)])[-rows:]


def among(rows: int, codes: int, high: int) -> np.ndarray:
    """Codes that leave gaps below a largest one."""
    return np.random.default_rng(0).choice(np.random.default_rng(1).choice(high, codes, replace=False), rows)


CODES = {
    "digits": drawn(1_797, 0, 9),
    "ratings": drawn(200, 1, 10),
    "hours": drawn(300, 0, 23),
    "states": drawn(1_000, 1, 50),
    "products": drawn(40_000, 1, 50),
    "weeks": drawn(2_000, 1, 53),
    "minutes": drawn(20_000, 0, 59),
    "decades": drawn(120, 190, 202) * 10,
    "diagnoses": among(20_000, 300, 999),
    "zip codes": among(30_000, 400, 99_999),
}
AMOUNTS = {
    "ages of a few": drawn(300, 20, 65),
    "ages of 53 values": drawn(1_000, 19, 71),
    "ages": drawn(5_000, 18, 89),
    "ages of many": drawn(300_000, 18, 89),
    "years": drawn(20_000, 1_950, 2_024),
    "scores": drawn(2_000, 0, 100),
    "visits": np.random.default_rng(0).geometric(0.08, 1_500),
    "prices": among(2_000, 700, 900) * 1_000,
}


def asks(values: object, options: Options | None = None) -> bool:
    """Whether a label column is asked about, which is the same in memory and lazily."""
    frame, chosen = pl.DataFrame({"y": values}), options or Options()
    in_memory = _asks(lambda: kind_of_table(nw.from_native(frame), "y", chosen))
    lazily = _asks(lambda: kind_of_lazy_frame(frame.lazy(), "y", chosen, None))
    assert in_memory == lazily
    return in_memory


def _asks(kind_of: Callable[[], Resolved]) -> bool:
    try:
        return kind_of().kind.name != "classes"
    except LabelColumnError as error:
        return QUESTION in str(error)


@pytest.mark.parametrize("values", CODES.values(), ids=CODES)
def test_codes_are_classes(values):
    assert not asks(values)


@pytest.mark.parametrize("values", AMOUNTS.values(), ids=AMOUNTS)
def test_what_may_be_amounts_is_asked_about(values):
    assert asks(values)


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Float32, pl.Int128, pl.Decimal(9, 0)], ids=str)
def test_the_question_does_not_depend_on_how_the_numbers_are_held(dtype):
    if dtype in (pl.Int128, pl.Decimal(9, 0)) and WIDE_NUMBERS.args[0]:
        pytest.skip("older Polars makes 128-bit integers and decimals of its own kind")
    values = pl.Series([*AMOUNTS["ages"].tolist(), None]).cast(dtype)
    assert asks(values)


@WIDE_NUMBERS
def test_decimals_with_fractions_are_numbers_as_floats_are():
    values = pl.Series([decimal.Decimal(at).scaleb(-2) for at in range(90)], dtype=pl.Decimal(9, 2))
    assert kind_of_table(nw.from_native(pl.DataFrame({"y": values})), "y", Options()).kind.name == "regression"


@pytest.mark.parametrize("option", [{"task": "classes"}, {"cv": 3}, {"score": "self_confidence"}])
def test_who_says_classes_gets_them(option):
    assert not asks(AMOUNTS["ages"], Options(**option))


def people() -> pd.DataFrame:
    age = AMOUNTS["ages of a few"]
    return pd.DataFrame({"pension": age * 1.0 + np.arange(age.size) % 7, "age": age})


def test_the_question_names_the_numbers_and_what_to_say():
    words = r"'age' holds whole numbers from 20 to 65 \(45 values in 300 rows\).*'regression'.*'classes'.*'ordinal'"
    with pytest.raises(LabelColumnError, match=words):
        dqlabels.audit(people(), "age")
    assert "label_quality" in dqlabels.audit(people(), "age", task="regression").frame


def test_an_auditor_asks_before_it_is_fitted():
    with pytest.raises(LabelColumnError, match=QUESTION):
        dqlabels.LabelAuditor("age").fit(people())


@pytest.mark.parametrize("command", ["audit", "fit", "checkup"])
def test_a_command_asks(tmp_path, command):
    people().to_csv(tmp_path / "people.csv", index=False)
    output = ["-o", str(tmp_path / "out.dqlabels")] if command == "fit" else []
    done = run(command, str(tmp_path / "people.csv"), "--label", "age", *output)
    assert done.returncode == 2
    assert QUESTION in " ".join(done.stderr.decode().split())

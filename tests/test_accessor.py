"""``df.labels``: there whichever library is imported first, light, and never in the way of a column."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import polars as pl
import pytest
from support.frames import column, two_classes

import dqlabels
from dqlabels import accessor

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.LazyFrame}


@pytest.fixture(params=FRAMES)
def frame(request):
    return FRAMES[request.param](two_classes())


def test_audit_gives_the_frame(frame):
    assert type(frame.labels.audit("label")) is type(frame)


def test_report_gives_the_audit(frame):
    assert isinstance(frame.labels.report("label"), dqlabels.LabelAudit)


def test_noise_rate_gives_the_rate(frame):
    assert isinstance(frame.labels.noise_rate("label"), dqlabels.NoiseRate)


def test_issues_gives_the_suspicious_rows(frame):
    assert len(column(frame.labels.issues("label"), "row")) > 0


def test_options_are_forwarded(frame):
    assert column(frame.labels.audit("label", names=("q", "s", "f")), "q")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("first", [True, False])
def test_the_order_of_imports_does_not_matter(library, first):
    imports = [f"import {library}", "import dqlabels"]
    code = "; ".join(imports if first else imports[::-1])
    assert run(f"{code}; print(hasattr({library}.DataFrame, 'labels'))") == "True"


def test_importing_dqlabels_loads_nothing_heavy():
    heavy = "sklearn scipy pandas polars pyarrow great_expectations pandera pyspark numpy narwhals"
    code = f"import sys, dqlabels; print([name for name in '{heavy}'.split() if name in sys.modules])"
    assert run(code) == "[]"


def test_a_second_copy_of_the_library_takes_the_place_of_the_first():
    run(
        "import sys, dqlabels\n"
        "for name in [name for name in sys.modules if name.partition('.')[0] == 'dqlabels']: del sys.modules[name]\n"
        "import dqlabels, polars\n"
        "assert polars.DataFrame({'y': ['a']}).labels._frame.height == 1"
    )


def test_a_module_imported_later_keeps_its_own_loader():
    code = "import dqlabels, polars; print(type(polars.__spec__.loader).__name__)"
    assert run(code) == "SourceFileLoader"


def test_a_pandas_column_called_labels_goes_first(monkeypatch):
    monkeypatch.setattr(accessor, "_shadowed", [])
    frame = pd.DataFrame({"labels": ["a", "b"]})
    with pytest.warns(dqlabels.LabelWarning, match=r"Use dqlabels.labels\(df\) instead"):
        values = frame.labels
    assert values.tolist() == ["a", "b"]


@pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")
def test_a_pandas_column_called_labels_is_assigned_as_before():
    frame = pd.DataFrame({"labels": ["a", "b"]})
    frame.labels = ["c", "d"]
    assert frame["labels"].tolist() == frame.labels.tolist() == ["c", "d"]


def test_a_frame_with_a_column_called_labels_is_audited():
    frame = pd.DataFrame(two_classes()).rename(columns={"label": "labels"})
    assert dqlabels.audit(frame, "labels").audited == 120

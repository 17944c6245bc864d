"""What holds for the audit of every kind of label, in memory and streamed."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.large_tables import large_prices, table
from support.other_labels import TABLES, TAG_PROBS, graded, prices, tagged, ticked
from support.sized import Sized

import dqlabels
from dqlabels.audits.kinds import KINDS, kind_of_lazy_frame, kind_of_schema, kind_of_table
from dqlabels.audits.options import Options
from dqlabels.errors import OptionError
from dqlabels.frames.reading import read_frame
from dqlabels.models.sizes import Sizes

CHARTS = {
    "classes": ("quality", "confusions", "classes", "noise"),
    "ordinal": ("quality", "confusions", "classes", "noise"),
    "regression": ("quality", "values"),
    "annotators": ("noise", "agreement"),
    "multilabel": ("qualities", "labels", "noise"),
    "tokens": ("quality", "review", "confusions", "classes", "noise"),
}
streams = pytest.mark.skipif(
    not hasattr(pl.LazyFrame, "collect_batches"), reason="Polars before 1.34 hands out no batches, so nothing streams"
)


def audited(kind: str, make: Any = pl.DataFrame) -> dqlabels.Audit:
    rows, label, options = TABLES[kind]
    return dqlabels.audit(make(rows()), label, **options)


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def audit(kind: str) -> dqlabels.Audit:
    return audited(kind)


def test_there_is_a_table_for_every_kind():
    assert set(TABLES) == set(KINDS)


def test_an_audit_says_what_it_is_of(audit, kind):
    assert isinstance(audit, dqlabels.Audit)
    assert audit.options.task == kind


def test_the_report_is_written_with_its_verdict(audit, tmp_path):
    limit = next(name for name in audit.limits if name.startswith("max_"))
    gate = audit.gate(**{limit: 0.5})
    page = audit.to_html(tmp_path / "report.html", gate=gate)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    assert "The gate passed" in page


def test_a_notebook_shows_it(audit):
    assert audit._repr_html_().startswith("<div class='dqlabels'>")


def test_its_charts_draw_tables_of_the_callers_library(kind, make_frame):
    found = audited(kind, make_frame)
    for name in CHARTS[kind]:
        assert type(getattr(found.plot, name)().data) is type(found.issues)


def test_a_copy_says_the_same(audit):
    for other in (pickle.loads(pickle.dumps(audit)), copy.deepcopy(audit), copy.copy(audit)):  # noqa: S301
        assert other.to_dict() == audit.to_dict()
        assert other.frame.equals(audit.frame)


def test_a_worker_process_can_return_it():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        returned = pool.submit(audited, "classes").result()
    assert returned.to_dict() == audited("classes").to_dict()


def test_a_limit_of_another_kind_is_refused(audit):
    others = [name for name in ("max_pair_share", "max_flagged_share", "min_agreement") if name not in audit.limits]
    for name in others:
        with pytest.raises(OptionError, match=f"has no option '{name}'"):
            audit.gate(**{name: 0.1})


def test_the_rows_that_were_judged_are_told_the_same_way(audit):
    rows = audit.audited_rows()
    assert rows.positions.size == audit.audited == rows.quality.size
    assert len(rows.labels(np.arange(3))) == len(rows.suggestions(np.arange(3))) == 3


def test_an_audit_without_its_frame_decides_the_same(audit):
    limit = next(name for name in audit.limits if name.startswith("max_"))
    without = audit.without_frame()
    assert without.frame is None
    gates = [one.gate(**{limit: 0.02}, on_inconclusive="pass").to_dict() for one in (without, audit)]
    assert gates[0] == gates[1]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([at / 7 for at in range(99)], "regression"),
        ([at / 2 for at in range(10)] * 10, "classes"),
        (list(range(10)) * 10, "classes"),
        (["a", "b"] * 50, "classes"),
        ([["a"], []] * 50, "multilabel"),
        ([None, 0.5, 1.5] * 30, "classes"),
        ([float("nan"), *(at / 7 for at in range(98))], "regression"),
    ],
)
def test_a_column_has_one_kind_however_lazy_its_frame(values, kind):
    frame = pl.DataFrame({"x": range(len(values)), "y": values})
    eager, lazy = read_frame(frame)[1], frame.lazy()
    assert kind_of_table(eager, "y", Options()).kind.name == kind
    shown = kind_of_schema(lazy, "y", Options())
    assert kind_of_lazy_frame(lazy, "y", Options(), shown) == kind_of_table(eager, "y", Options())


@streams
@pytest.mark.parametrize("limit", [1_000, 1_000_000])
@pytest.mark.filterwarnings("ignore:Column 'price' holds fractional numbers:dqlabels.LabelWarning")
def test_a_column_has_one_kind_whatever_the_size_of_its_table(limit):
    sized, frame = Sized(Sizes(large_rows=limit)), large_prices(1_200)
    for audit in (sized.audit(frame, "price"), sized.audit(frame.lazy(), "price")):
        assert audit.options.task == "regression"
    assert sized.columns(frame.lazy(), "price").collect().equals(sized.columns(frame, "price"))


@pytest.mark.parametrize(
    ("rows", "label", "options"), [(tagged, "tags", TAG_PROBS), (graded, "grade", {}), (prices, "price", {})]
)
@pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")
def test_a_lazy_frame_is_not_read_before_its_rows_are_asked_for(rows, label, options):
    reads = []
    frame = pl.DataFrame(rows())
    pushed = dict.fromkeys(("predicate_pushdown", "projection_pushdown", "slice_pushdown"), False)
    lazy = frame.lazy().map_batches(lambda batch: reads.append(1) or batch, schema=frame.schema, **pushed)
    planned = lazy.labels.audit(label, **options)
    assert reads == []
    assert planned.collect().equals(frame.labels.audit(label, **options))


def test_several_label_columns_of_a_lazy_frame_come_back_lazy():
    lazy = pl.LazyFrame(ticked()).labels.audit(["cat", "dog", "owl"], task="multilabel", **TAG_PROBS)
    assert isinstance(lazy, pl.LazyFrame)


@streams
def test_a_streamed_audit_says_why_it_is_not_pickled_and_goes_without_its_frame():
    streamed = Sized(Sizes(large_rows=1_000)).audit(table().lazy(), "label")
    # Polars, which pickles the frame, wraps what stopped it.
    with pytest.raises((TypeError, pl.exceptions.ComputeError), match="keeps its rows in a file of this process"):
        pickle.dumps(streamed)
    without = pickle.loads(pickle.dumps(streamed.without_frame()))  # noqa: S301
    assert without.noise_rate.to_dict() == streamed.noise_rate.to_dict()


@streams
def test_a_streamed_audit_is_a_sibling_of_one_in_memory():
    streamed = Sized(Sizes(large_rows=1_000)).audit(table().lazy(), "label")
    assert isinstance(streamed, dqlabels.StreamedAudit)
    assert not isinstance(streamed, dqlabels.LabelAudit)
    with pytest.raises(OptionError, match=r"^review\(\) needs all rows in memory"):
        streamed.review()

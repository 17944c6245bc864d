"""Probabilities that the caller has, as columns of a table out of memory: judged as in memory, and nothing trained."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.sized import Sized

import dqlabels
from dqlabels.audits.classes.task import ClassTask
from dqlabels.errors import DQLabelsError, FeatureError, OptionError, ProbabilityError
from dqlabels.models.sizes import Sizes

pytestmark = pytest.mark.skipif(
    not hasattr(pl.LazyFrame, "collect_batches"), reason="Polars before 1.34 hands out no batches, so nothing streams"
)
ROWS = 3_000
small = Sized(Sizes(large_rows=1_000, block_rows=700, read_rows=512))
COLUMNS = ["ham", "spam", "eggs"]


def table(missing: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet([1, 1, 1], ROWS).astype(np.float32)
    labels = np.array(COLUMNS)[(probs.cumsum(axis=1) < rng.random((ROWS, 1))).sum(axis=1).clip(max=2)].astype(object)
    labels[:missing] = None
    return pl.DataFrame({**{name: probs[:, at] for at, name in enumerate(COLUMNS)}, "y": labels.tolist()})


@pytest.mark.parametrize("filter_by", [None, "prune_by_noise_rate", "both", "low_self_confidence"])
@pytest.mark.parametrize("missing", [0, 40])
def test_a_streamed_table_gets_the_columns_that_it_gets_in_memory(filter_by, missing):
    options = {"pred_probs": COLUMNS} | ({} if filter_by is None else {"filter_by": filter_by})
    streamed = small.columns(table(missing).lazy(), "y", **options).collect()
    assert streamed.equals(small.columns(table(missing), "y", **options))


def test_columns_under_other_names_need_their_classes():
    renamed = table().rename({name: f"p {name}" for name in COLUMNS}).lazy()
    named = small.columns(renamed, "y", pred_probs=[f"p {name}" for name in COLUMNS], classes=COLUMNS).collect()
    plain = small.columns(table(), "y", pred_probs=COLUMNS)
    assert named["label_quality"].equals(plain["label_quality"])


def test_the_order_of_the_columns_does_not_show():
    turned = small.columns(table().lazy(), "y", pred_probs=COLUMNS[::-1]).collect()
    assert turned.equals(small.columns(table(), "y", pred_probs=COLUMNS))


def test_double_precision_is_judged_as_in_memory_but_for_the_last_bits():
    frame = table().with_columns(pl.col(COLUMNS).cast(pl.Float64))
    total = pl.sum_horizontal(COLUMNS)
    frame = frame.with_columns(pl.col(name) / total for name in COLUMNS)
    streamed = small.columns(frame.lazy(), "y", pred_probs=COLUMNS).collect()
    whole = small.columns(frame, "y", pred_probs=COLUMNS)
    assert np.allclose(streamed["label_quality"], whole["label_quality"], atol=1e-4)


def test_nothing_is_trained(monkeypatch):
    def learn(*_: object) -> None:
        pytest.fail("a model was trained")

    monkeypatch.setattr(ClassTask, "learn", learn)
    audit = small.audit(table().lazy(), "y", pred_probs=COLUMNS)
    assert isinstance(audit, dqlabels.StreamedAudit)
    assert audit.model == "your probabilities (3 classes)"


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        ({}, {"pred_probs": ["ham", "spam"]}, ProbabilityError, "No probability column for 'eggs'"),
        ({}, {"pred_probs": [*COLUMNS, "bacon"]}, FeatureError, "'bacon'"),
        ({"ham": 0.9}, {"pred_probs": COLUMNS}, ProbabilityError, "sum"),
        ({"ham": "x"}, {"pred_probs": COLUMNS}, ProbabilityError, "ham"),
        ({"bacon": 0.0}, {"pred_probs": [*COLUMNS, "bacon"]}, OptionError, "carries 'bacon'.*leave these columns out"),
        ({}, {"pred_probs": np.full((ROWS, 3), 1 / 3)}, OptionError, "Write the probabilities into columns"),
        ({}, {"pred_probs": [["p_a", "p_b"], ["q_a", "q_b"]]}, OptionError, "Write one column for each class first"),
    ],
    ids=["class", "column", "sum", "text", "unused", "array", "several"],
)
def test_what_cannot_be_judged_by_is_refused(change, options, error, message):
    frame = table().with_columns(pl.lit(value).alias(name) for name, value in change.items()).lazy()
    with pytest.raises(DQLabelsError, match=message) as caught:
        small.columns(frame, "y", **options).collect()
    assert isinstance(caught.value, error)

"""Every cell of docs/kinds.md, tried: what a kind of label can do works, and the rest is refused with the reason."""

from __future__ import annotations

import importlib.util
import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from support.command import run
from support.frames import MAKERS, ROOT
from support.other_labels import ANNOTATORS, SPAN_TAGS, TABLES, TAG_PROBS
from support.sized import Sized

import dqlabels
from dqlabels.audits.abilities import ABILITIES
from dqlabels.audits.kinds import KINDS
from dqlabels.models.sizes import Sizes

spec = importlib.util.spec_from_file_location("kinds", ROOT / "docs/kinds.py")
assert spec
assert spec.loader
page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(page)

STREAMING = hasattr(pl.LazyFrame, "collect_batches")
SHARES = ("max_noise_rate", "max_flagged_share")


@dataclass(frozen=True)
class Example:
    """A small table of one kind of label, audited and learned from when that is first asked for."""

    kind: str

    @property
    def label(self) -> Any:
        return TABLES[self.kind][1]

    @cached_property
    def rows(self) -> dict[str, list[Any]]:
        """A table with something to judge by and a column of two segments."""
        rows = dict(TABLES[self.kind][0]())
        number = len(next(iter(rows.values())))
        shown = np.unique([str(value) for value in rows[self._first]], return_inverse=True)[1]
        noise = np.random.default_rng(0).normal(0, 0.2, number)
        return {"clue": (shown + noise).tolist(), **rows, "region": ["north", "south"] * (number // 2)}

    @property
    def options(self) -> dict[str, Any]:
        return {"task": self.kind, **TABLES[self.kind][2]}

    @property
    def trained(self) -> dict[str, Any]:
        """Options under which a model is trained."""
        features = [name for name in ("clue", "x", "p_cat", "p_dog", "p_owl", "vectors") if name in self.rows]
        return {"task": self.kind, "features": features}

    @property
    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows)

    @cached_property
    def audit(self) -> dqlabels.Audit:
        return dqlabels.audit(self.frame, self.label, **self.options)

    @cached_property
    def auditor(self) -> dqlabels.LabelAuditor:
        return dqlabels.LabelAuditor(self._first, **self.trained).fit(self.frame)

    @property
    def batch(self) -> pl.DataFrame:
        return self.frame.tail(60)

    @property
    def limits(self) -> dict[str, float]:
        return {next(name for name in SHARES if name in self.audit.limits): 0.5}

    @property
    def probs(self) -> tuple[Any, list[Any]]:
        """Probabilities of its classes, which say what the labels say, and these classes."""
        if self.kind == "tokens":
            return "probs", SPAN_TAGS
        first = self.rows[self._first]
        several = isinstance(first[0], list)
        classes = sorted({value for row in first for value in row} if several else set(first))
        hits = [[value in row if several else value == row for value in classes] for row in first]
        high = 0.9 if several else 1 - 0.1 * (len(classes) - 1)
        return np.where(hits, high, 0.1), classes

    @property
    def _first(self) -> str:
        return self.label if isinstance(self.label, str) else self.label[0]


def audited_by(make: str) -> Callable[[Example], Any]:
    def attempt(example: Example) -> None:
        found = dqlabels.labels(MAKERS[make](example.rows)).audit(example.label, **example.options)
        assert isinstance(found, type(MAKERS[make](example.rows)))
        assert len(found.lazy().collect() if make == "lazy" else found) == len(example.frame)

    return attempt


def from_arrow_stream(example: Example) -> None:
    reader = pa.Table.from_pydict(example.rows).to_reader()
    audit = dqlabels.audit(reader, example.label, **example.options)
    assert audit.frame.read_all().num_rows == audit.rows


def on_spark(example: Example, spark: Any) -> None:
    frame = spark.createDataFrame(example.frame.to_arrow()).coalesce(1)
    assert dqlabels.spark.audit(frame, example.label, **example.options).count() == len(example.frame)


def a_batch_on_spark(example: Example, spark: Any) -> None:
    batch = spark.createDataFrame(example.batch.to_arrow()).coalesce(1)
    assert example.auditor.audit(batch).count() == len(example.batch)


def a_gate_on_spark(example: Example, spark: Any) -> None:
    example.auditor.judge(spark.createDataFrame(example.batch.to_arrow())).gate(**example.limits)


def larger_than_memory(example: Example) -> None:
    audit = Sized(Sizes(large_rows=50)).audit(example.frame.lazy(), example.label, **example.options)
    assert "streams" not in KINDS[example.kind].cannot or not audit.needs_rows
    assert "streams" in KINDS[example.kind].cannot or audit.needs_rows


def by_models(*models: Any) -> Callable[[Example], Any]:
    chosen = models if len(models) > 1 else models[0]
    return lambda example: dqlabels.audit(example.frame, example.label, **example.trained, model=chosen)


def by_probabilities(example: Example) -> None:
    probs, classes = example.probs
    dqlabels.audit(example.frame, example.label, task=example.kind, pred_probs=probs, classes=classes)


def with_review(example: Example) -> Any:
    refused = "with_review" in KINDS[example.kind].cannot
    sample = example.frame if refused else example.audit.review_sample(40)
    if not refused:
        sample = sample.with_columns(reviewed_label=pl.col(example.label).cast(pl.String))
    return example.audit.with_review(sample).noise_rate.estimate


def review(example: Example) -> None:
    with tempfile.TemporaryDirectory() as folder, example.audit.review(f"{folder}/d.jsonl", start=False) as session:
        assert len(session.queue) == example.audit.flagged


def saved_and_loaded(example: Example) -> None:
    with tempfile.TemporaryDirectory() as folder:
        example.auditor.save(f"{folder}/it.dqlabels")
        loaded = dqlabels.load(f"{folder}/it.dqlabels")
    assert loaded.audit(example.batch).frame.equals(example.auditor.audit(example.batch).frame)


def monitored(example: Example) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monitor = dqlabels.LabelMonitor(example.auditor, history=f"{folder}/it.history.jsonl")
        assert monitor.check(example.batch).verdict == "pass"


def drift(example: Example) -> Any:
    judged = "auditor" not in KINDS[example.kind].cannot
    return (example.auditor.audit(example.batch) if judged else example.audit).drift["drifted"]


def on_the_command_line(example: Example) -> None:
    labels = [example.label] if isinstance(example.label, str) else example.label
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.parquet"
        example.frame.write_parquet(table)
        told = [part for name in labels for part in ("--label", name)]
        limit = [f"--{name.replace('_', '-')}={value}" for name, value in example.limits.items()]
        done = run("gate", table, *told, "--task", example.kind, *limit)
    assert done.stdout.startswith(b"PASS: "), done.stdout + done.stderr


def in_pandera(example: Example) -> None:
    pa_pandas = pytest.importorskip("pandera.pandas", reason="pandera is not installed")
    from dqlabels.integrations import pandera as checks

    made = {
        "classes": lambda: checks.label_noise_at_most("label", 0.5),
        "ordinal": lambda: checks.label_noise_at_most("grade", 0.5, task="ordinal"),
        "regression": lambda: checks.flagged_value_share_at_most("price", 0.5),
        "annotators": lambda: checks.annotator_noise_at_most(ANNOTATORS, 0.5),
        "multilabel": lambda: checks.tag_noise_at_most("tags", 0.5, **TAG_PROBS),
        "tokens": lambda: checks.label_noise_at_most("tags", 0.5, task="tokens"),
    }
    pa_pandas.DataFrameSchema(checks=made[example.kind]()).validate(pd.DataFrame(example.rows))


def in_great_expectations(example: Example) -> None:
    pytest.importorskip("great_expectations", reason="Great Expectations is not installed")
    from support.gx_runs import validate

    from dqlabels.integrations import great_expectations as expectations

    made = {
        "classes": lambda: expectations.ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.5),
        "ordinal": lambda: expectations.ExpectLabelNoiseRateToBeAtMost(column="grade", task="ordinal", max_value=0.5),
        "regression": lambda: expectations.ExpectFlaggedValueShareToBeAtMost(column="price", max_value=0.5),
        "annotators": lambda: expectations.ExpectAnnotatorNoiseRateToBeAtMost(column_list=ANNOTATORS, max_value=0.5),
        "multilabel": lambda: expectations.ExpectTagNoiseRateToBeAtMost(column="tags", max_value=0.5, **TAG_PROBS),
        "tokens": lambda: expectations.ExpectLabelNoiseRateToBeAtMost(column="tags", task="tokens", max_value=0.5),
    }
    (result,) = validate(pd.DataFrame(example.rows), made[example.kind]())
    assert result.success


ATTEMPTS: dict[str, Callable[[Example], Any]] = {
    "pandas": audited_by("pandas"),
    "polars": audited_by("polars"),
    "pyarrow": audited_by("pyarrow"),
    "lazy": audited_by("lazy"),
    "streams": larger_than_memory,
    "arrow_streams": from_arrow_stream,
    "model": by_models(LogisticRegression()),
    "several_models": by_models(LogisticRegression(), GaussianNB()),
    "pred_probs": by_probabilities,
    "noise_rate": lambda example: example.audit.noise_rate.estimate,
    "estimate_noise": lambda example: example.audit.estimate_noise(confidence=0.8).confidence,
    "probabilities": lambda example: example.audit.probabilities.columns,
    "review_curve": lambda example: example.audit.review_curve["low"],
    "by": lambda example: example.audit.by("region")["flagged"],
    "how_sure": lambda example: example.audit.how_sure,
    "gate": lambda example: example.audit.gate(**example.limits).raise_if_failed(),
    "to_html": lambda example: example.audit.to_html(),
    "checkup": lambda example: example.audit.checkup("features").findings,
    "planted_recall": lambda example: example.audit.planted_recall(repeats=1).planted,
    "review": review,
    "review_sample": lambda example: example.audit.review_sample(10)["reviewed_label"],
    "review_plan": lambda example: example.audit.review_plan(width=0.2).population,
    "with_review": with_review,
    "auditor": saved_and_loaded,
    "drift": drift,
    "monitor": monitored,
    "profile": lambda example: example.audit.profile()["rows"],
    "command_line": on_the_command_line,
    "great_expectations": in_great_expectations,
    "pandera": in_pandera,
}
ON_SPARK: dict[str, Callable[[Example, Any], Any]] = {
    "spark": on_spark,
    "spark_batch": a_batch_on_spark,
    "spark_gate": a_gate_on_spark,
}
EXAMPLES = {kind: Example(kind) for kind in TABLES}


def as_the_table_says(kind: str, ability: str, attempt: Callable[[], Any]) -> None:
    reason = KINDS[kind].cannot.get(ability)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dqlabels.LabelWarning)
        if reason is None or ability == "streams":  # what does not stream is audited in memory
            attempt()
            return
        with pytest.raises(ValueError, match=re.escape(reason)):  # pydantic makes one of its own
            attempt()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ability", ATTEMPTS)
def test_a_cell_of_the_table_is_true(kind, ability):
    if ability == "streams" and not STREAMING:
        pytest.skip("Polars before 1.34 hands out no batches, so nothing streams")
    as_the_table_says(kind, ability, lambda: ATTEMPTS[ability](EXAMPLES[kind]))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ability", ON_SPARK)
def test_a_cell_on_spark_is_true(spark, kind, ability):
    as_the_table_says(kind, ability, lambda: ON_SPARK[ability](EXAMPLES[kind], spark))


def test_every_ability_is_tried():
    assert {*ATTEMPTS, *ON_SPARK} == set(ABILITIES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_is_of_an_ability_and_a_sentence(kind):
    assert KINDS[kind].cannot.keys() <= ABILITIES.keys()
    assert [reason for reason in KINDS[kind].cannot.values() if not re.match(r"[A-Z].*\.$", reason)] == []


def test_the_page_has_the_table_of_the_code():
    written = page.PAGE.read_text(encoding="utf-8")
    assert written == page.with_table(written), "python docs/kinds.py writes it again"

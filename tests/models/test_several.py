"""Several models judge as one: weighed by what they know, in any order, with their names said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import dqlabels
from dqlabels.errors import DQLabelsError, ModelError, OptionError, ProbabilityError
from dqlabels.models.several import pool_probabilities
from dqlabels.testing import corrupt_labels

ROWS = 160
CLASSES = ["low", "high"]


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    high = np.arange(ROWS) % 2 == 1
    columns = {"x": rng.normal(size=ROWS) + 3 * high, "z": rng.normal(size=ROWS), "y": np.where(high, "high", "low")}
    return corrupt_labels(pl.DataFrame(columns), "y", 0.05)[0]


def probabilities(model, frame=None) -> np.ndarray:
    frame = table() if frame is None else frame
    audit = dqlabels.audit(frame, "y", model=model)
    return np.asarray(audit.probabilities[CLASSES].to_numpy())


def test_models_judge_together_and_are_named_with_their_weights():
    audit = dqlabels.audit(table(), "y", model=[LogisticRegression(), GaussianNB()])
    first, second = audit.model.split(", ")[:2]
    assert first.startswith("LogisticRegression ")
    assert second.startswith("GaussianNB ")
    assert audit.model.endswith("5 folds")


def test_one_model_in_a_list_is_that_model():
    assert np.array_equal(probabilities([GaussianNB()]), probabilities(GaussianNB()))


def test_a_model_that_knows_nothing_counts_for_little():
    model = [DummyClassifier(strategy="stratified"), LogisticRegression()]
    audit = dqlabels.audit(table(), "y", model=model)
    share = float(audit.model.partition("DummyClassifier ")[2].partition("%")[0])
    assert share < 20


def test_models_together_are_likelier_than_the_likelier_of_them():
    codes = (np.arange(400) % 2).astype(np.int64)
    rng = np.random.default_rng(1)
    logs = [rng.normal(scale=1.5, size=400) + np.where(codes == 1, 1, -1) for _ in range(2)]
    answers = [np.column_stack([1 / (1 + np.exp(one)), 1 / (1 + np.exp(-one))]) for one in logs]
    pooled, _ = pool_probabilities(answers, codes, np.arange(400))
    likelihoods = [np.log(one[np.arange(400), codes]).mean() for one in (pooled, *answers)]
    assert likelihoods[0] > max(likelihoods[1:])


@pytest.mark.parametrize("make", [lambda frame: frame, lambda frame: frame.to_pandas()], ids=["polars", "pandas"])
def test_the_order_of_the_models_and_of_the_rows_does_not_show(make):
    frame, order = table(), np.random.default_rng(2).permutation(ROWS)
    models = [LogisticRegression(), GaussianNB()]
    whole = probabilities(models, make(frame))
    assert np.allclose(whole, probabilities(models[::-1], make(frame)), atol=2e-3)
    assert np.allclose(whole[order], probabilities(models, make(frame[order.tolist()])), atol=1e-5)


def given() -> list[np.ndarray]:
    return [probabilities(model) for model in (LogisticRegression(), GaussianNB())]


def test_given_probabilities_of_several_models_are_pooled_like_the_models():
    audit = dqlabels.audit(table(), "y", pred_probs=given(), classes=CLASSES)
    found = np.asarray(audit.probabilities[CLASSES].to_numpy())
    assert np.allclose(found, probabilities([LogisticRegression(), GaussianNB()]), atol=5e-3)
    assert audit.model.startswith("your probabilities by 2 models, weighed ")


def test_given_probabilities_may_be_columns_of_the_frame():
    first, second = given()
    columns = {"a_low": first[:, 0], "a_high": first[:, 1], "b_low": second[:, 0], "b_high": second[:, 1]}
    pairs = [["a_low", "a_high"], ["b_low", "b_high"]]
    audit = dqlabels.audit(table().with_columns(**columns), "y", pred_probs=pairs, classes=CLASSES)
    beside = dqlabels.audit(table(), "y", pred_probs=given(), classes=CLASSES)
    assert audit.frame["label_quality"].equals(beside.frame["label_quality"])
    assert not set(columns) & set(audit.features)


def test_given_frames_are_aligned_each_by_its_own_index():
    frame = table().to_pandas().set_index(pd.Index([f"row {at}" for at in range(ROWS)]))
    frames = [pd.DataFrame(one, index=frame.index, columns=CLASSES) for one in given()]
    whole = dqlabels.audit(frame, "y", pred_probs=frames)
    with pytest.warns(dqlabels.LabelWarning, match="in another order, and was aligned"):
        mixed = dqlabels.audit(frame, "y", pred_probs=[frames[0], frames[1].iloc[::-1]])
    assert whole.frame["label_quality"].equals(mixed.frame["label_quality"])


def test_models_judge_lists_of_tags():
    tags = table().with_columns(tags=pl.when(pl.col("x") > 1).then(pl.lit(["big"])).otherwise(pl.lit([""])))
    audit = dqlabels.audit(tags.drop("y"), "tags", task="multilabel", model=[GaussianNB(), LogisticRegression()])
    assert len(audit.frame) == ROWS


def test_an_auditor_says_that_it_keeps_one_model():
    with pytest.raises(ModelError, match="An auditor keeps one model.*VotingClassifier"):
        dqlabels.LabelAuditor("y", model=[GaussianNB(), LogisticRegression()]).fit(table())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": []}, ModelError, "a list without a model"),
        ({"model": [GaussianNB(), DecisionTreeClassifier]}, ModelError, "DecisionTreeClassifier is a class"),
        ({"model": [GaussianNB(), object()]}, ModelError, "object gives no probabilities"),
        ({"pred_probs": [np.full((ROWS, 2), 0.5)] * 2, "classes": CLASSES, "compat": "cleanlab"}, OptionError, "mean"),
        ({"pred_probs": [np.full((ROWS, 2), 0.5), np.full((9, 2), 0.5)], "classes": CLASSES}, ProbabilityError, "160"),
        ({"pred_probs": [np.full((ROWS, 2), 0.5), np.full((ROWS, 2), 0.6)], "classes": CLASSES}, DQLabelsError, "sum"),
    ],
    ids=["none", "class", "no probabilities", "compat", "rows", "sums"],
)
def test_what_cannot_be_pooled_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        dqlabels.audit(table(), "y", **options)

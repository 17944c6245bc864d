"""What type checkers are told of ``dqlabels.audit`` is what it is."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, get_args

import polars as pl
import pytest
from support.other_labels import (
    ANNOTATORS,
    TAG_PROBS,
    TOKEN_PROBS,
    graded,
    prices,
    rated,
    rated_long,
    sentences,
    tagged,
    ticked,
)

import dqlabels
from dqlabels.audits import options
from dqlabels.audits.annotators.result import AnnotatorAudit
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.kinds import KINDS
from dqlabels.audits.options import (
    FITTING,
    OPTION_GROUPS,
    OPTION_NAMES,
    SPARK,
    AuditOptions,
    FittingOptions,
    Options,
    SparkOptions,
)
from dqlabels.audits.tags.result import MultilabelAudit
from dqlabels.audits.tokens.result import TokenAudit
from dqlabels.audits.values.result import ValueAudit
from dqlabels.errors import OptionError
from dqlabels.frames import columns
from dqlabels.statistics.consensus import METHODS

# The result by the name that it is annotated with, and a call by the overload that promises it, in their order.
RESULTS: list[tuple[type, Any, Any, dict[str, Any]]] = [
    (LabelAudit, graded, "grade", {"task": "ordinal"}),
    (ValueAudit, prices, "price", {"task": "regression"}),
    (MultilabelAudit, ticked, ["cat", "dog", "owl"], {"task": "multilabel", **TAG_PROBS}),
    (TokenAudit, sentences, "tags", TOKEN_PROBS),
    (AnnotatorAudit, rated_long, "said", {"annotator": "who", "item": "item"}),
    (AnnotatorAudit, rated, ANNOTATORS, {}),
    (LabelAudit, graded, "grade", {}),
]


def test_editors_are_told_the_options_that_there_are():
    assert set(AuditOptions.__annotations__) == set(OPTION_NAMES)
    assert set(FittingOptions.__annotations__) == set(FITTING)
    assert set(SparkOptions.__annotations__) == set(SPARK)


def test_editors_are_told_the_types_that_are_checked():
    types = {one.name: one.type for one in dataclasses.fields(Options) if one.name in OPTION_NAMES}
    told = {name: getattr(shown, "__forward_arg__", shown) for name, shown in AuditOptions.__annotations__.items()}
    assert told == types


def test_the_signature_shows_every_option_with_its_choices():
    for function in (dqlabels.audit, dqlabels.labels(None).audit, dqlabels.labels(None).report):
        parameters = inspect.signature(function).parameters
        assert [name for name in parameters if name in OPTION_NAMES] == list(OPTION_NAMES)
        assert "prune_by_class" in str(parameters["filter_by"].annotation)
        assert parameters["random_state"].default == 0


def test_the_help_says_what_each_option_means():
    for function in (dqlabels.audit, dqlabels.labels(None).audit):
        assert all(f"{name}: " in function.__doc__ for name in OPTION_NAMES)


def test_choices_are_those_that_the_statistics_know():
    assert get_args(options.FilterBy) == dqlabels.FILTERS
    assert get_args(options.Score) == dqlabels.SCORES
    assert get_args(options.Consensus) == METHODS
    assert get_args(options.Task) == tuple(KINDS)


def test_the_columns_of_an_audit_are_those_that_frames_know():
    assert options.AUDIT_COLUMNS == columns.AUDIT_COLUMNS


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("filter", "filter_by"),
        ("seed", "random_state"),
        ("clf", "model"),
        ("threshold", "filter_by"),
        ("feature", "features"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda **given: dqlabels.audit(pl.DataFrame(graded()), "grade", **given),
        lambda **given: dqlabels.labels(pl.DataFrame(graded())).audit("grade", **given),
        lambda **given: dqlabels.labels(pl.LazyFrame(graded())).audit("grade", **given),
        lambda **given: dqlabels.checkup(pl.DataFrame(graded()), "grade", **given),
        lambda **given: dqlabels.LabelAuditor("grade", **given),
    ],
    ids=["audit", "accessor", "lazy", "checkup", "auditor"],
)
def test_an_option_that_does_not_exist_is_refused_with_the_one_that_was_meant(call, given, meant):
    with pytest.raises(dqlabels.DQLabelsError, match=rf"has no option '{given}'\. Did you mean {meant}=\?"):
        call(**{given: 1})


def test_an_option_like_no_other_is_refused_with_all_there_are_by_subject():
    with pytest.raises(dqlabels.DQLabelsError) as refused:
        dqlabels.audit(pl.DataFrame(graded()), "grade", colour="red")
    assert str(refused.value) == (
        "dqlabels.audit has no option 'colour'. Its options are task, annotator, item, consensus, classes (about the "
        "label); features, exclude, embed, groups, sample_weight, names (about the columns); model, cv, pred_probs, "
        "sample_rows (about the model); filter_by, min_precision, score, adjust, fdr, compat (about the flags); "
        "random_state, n_jobs, progress (about the run). See help(dqlabels.audit)."
    )


def test_every_option_is_listed_in_one_group():
    listed = [name for names in OPTION_GROUPS.values() for name in names]
    assert sorted(listed) == sorted(OPTION_NAMES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_jobs": 0}, "n_jobs=0 is not a whole number"),
        ({"n_jobs": 1.5}, "n_jobs=1.5 is not a whole number"),
        ({"n_jobs": True}, "n_jobs=True is not a whole number"),
        ({"adjust": "no"}, "adjust='no' is neither True nor False"),
        ({"names": "abc"}, "names='abc' must be three different names"),
        ({"names": ("a", "b", "a")}, "must be three different names"),
        ({"random_state": -1}, "random_state=-1 is not a whole number"),
        ({"score": "margin"}, "score='margin' is none of"),
        ({"filter_by": None}, "filter_by=None is none of"),
        ({"sample_rows": 7}, "sample_rows=7 is not a whole number of at least 100"),
        ({"progress": "yes"}, "progress='yes' is not True"),
        ({"exclude": 3}, "exclude=3 is not a list of column names"),
        ({"embed": "image"}, "embed='image' is not a mapping"),
        ({"cv": 1}, "pass at least 2 folds"),
        ({"cv": 2.5}, "cv=2.5 is no number of folds"),
        ({"cv": [([0], [1])]}, "is no number of folds"),
        ({"groups": 3}, "groups=3 is neither the name of a column nor"),
    ],
)
def test_a_value_that_means_nothing_is_refused(given, message):
    for call in (dqlabels.labels(pl.DataFrame(graded())).audit, dqlabels.labels(pl.LazyFrame(graded())).audit):
        with pytest.raises(OptionError, match=message):
            call("grade", **given)
    with pytest.raises(OptionError, match=message):
        dqlabels.LabelAuditor("grade", **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"annotator": 3}, "annotator=3 is not the name of a column"),
        ({"classes": "abc"}, "classes='abc' is not a list of classes"),
        ({"pred_probs": 3}, "pred_probs=3 is neither a list of column names nor"),
    ],
)
def test_a_value_that_means_nothing_to_an_audit_is_refused(given, message):
    with pytest.raises(OptionError, match=message):
        dqlabels.audit(pl.DataFrame(graded()), "grade", **given)


@pytest.mark.parametrize("fdr", [2, 0, "0.1", True])
def test_a_rate_of_false_discoveries_outside_its_range_is_refused(fdr):
    with pytest.raises(OptionError, match="is not a share between 0 and 1"):
        dqlabels.audit(pl.DataFrame(prices()), "price", task="regression", fdr=fdr)


@pytest.mark.parametrize("limit", ["5%", 5, -0.1, True, {"low": "5%"}])
def test_a_limit_that_is_no_share_is_refused(limit):
    name = "max_class_noise_rate" if isinstance(limit, dict) else "max_noise_rate"
    with pytest.raises(OptionError, match=f"{name}=.* is not a share of rows between 0 and 1"):
        dqlabels.Limits(**{name: limit})


@pytest.mark.filterwarnings("ignore:Column 'grade' holds whole numbers:dqlabels.LabelWarning")
@pytest.mark.parametrize(("result", "table", "label", "chosen"), RESULTS)
def test_a_promise_is_kept(result, table, label, chosen):
    assert type(dqlabels.audit(pl.DataFrame(table()), label, **chosen)) is result


def test_a_column_of_lists_has_a_task_of_its_own():
    audit = dqlabels.audit(pl.DataFrame(tagged()), "tags", task="multilabel", **TAG_PROBS)
    assert type(audit) is MultilabelAudit


def test_no_limit_of_a_class_is_refused():
    with pytest.raises(OptionError, match="max_class_noise_rate=None is no limit"):
        dqlabels.Limits(max_class_noise_rate={"low": None})


def test_minus_one_job_is_as_many_as_there_are_cores():
    assert Options(n_jobs=-1).n_jobs is None

"""Audits of frames whose rows are sentences, with a label for each token."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import MAKERS, column, eager
from support.other_labels import SPAN_TAGS, TOKEN_PROBS, sentences

import dqlabels
from dqlabels.audits.tokens.probabilities import WholeSentences
from dqlabels.errors import (
    FeatureError,
    LabelColumnError,
    LabelWarning,
    OptionError,
    OutputColumnError,
    ProbabilityError,
)

TOKENS: dict[str, Any] = {"task": "tokens"}
LAWS = settings(max_examples=10, deadline=None)
noted = pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")


@cache
def audited(library: str = "polars") -> dqlabels.TokenAudit:
    """The audit of sentences with 5% wrong tags, which no test changes."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)
        return dqlabels.audit(MAKERS[library](sentences(wrong=0.05)), "tags", **TOKEN_PROBS)


def flat(table: dict[str, list[Any]], name: str) -> list[Any]:
    return [entry for row in table[name] for entry in row]


def as_listed(values: list[Any]) -> list[Any]:
    return [None if one is None else list(one) for one in values]


def test_the_tokens_are_judged_as_rows_of_classes_are():
    table, probs = sentences(wrong=0.05), np.array(flat(sentences(wrong=0.05), "probs"))
    rows = dqlabels.audit(pl.DataFrame({"tag": flat(table, "tags")}), "tag", pred_probs=probs, classes=SPAN_TAGS)
    audit = audited()
    assert audit.flagged_tokens == rows.flagged
    assert audit.noise_rate.estimate == rows.noise_rate.estimate
    assert [one for row in audit.token_quality.to_list() for one in row] == rows.frame["label_quality"].to_list()
    assert [one for row in audit.frame["suggested_label"].to_list() for one in row] == rows.frame[
        "suggested_label"
    ].to_list()


def test_a_sentence_is_as_good_as_its_worst_token(library):
    audit = audited(library)
    worst = (
        [min(row) for row in audit.token_quality.to_list()]
        if library != "pyarrow"
        else [min(row) for row in audit.token_quality.to_pylist()]
    )
    assert column(audit.frame, "label_quality") == pytest.approx(worst)


def test_a_sentence_is_flagged_exactly_where_the_suggestion_is_another_list(library):
    frame = audited(library).frame
    pairs = zip(as_listed(column(frame, "tags")), as_listed(column(frame, "suggested_label")), strict=True)
    assert column(frame, "is_label_issue") == [given != suggested for given, suggested in pairs]


def test_wrong_tags_are_found_and_named_by_sentence_and_token(library):
    true, given = sentences()["tags"], sentences(wrong=0.05)["tags"]
    wrong = {(row, at) for row, tags in enumerate(given) for at, tag in enumerate(tags) if tag != true[row][at]}
    issues = eager(audited(library).token_issues)
    found = set(zip(issues["row"].to_list(), issues["token"].to_list(), strict=True))
    assert len(found & wrong) >= 0.9 * len(wrong)
    assert issues["quality"].is_sorted()
    at = (issues["row"][0], issues["token"][0])
    assert (issues["given"][0], issues["words"][0]) == (given[at[0]][at[1]], f"w{at[0]}_{at[1]}")


def test_every_library_finds_the_same(library):
    assert audited(library).to_dict() == audited().to_dict()


def test_the_frame_comes_back_as_it_was_with_three_more_columns(library, make_frame):
    frame = make_frame(sentences(wrong=0.05))
    audit = audited(library)
    assert type(audit.frame) is type(frame)
    assert eager(audit.frame).columns == [*eager(frame).columns, *audit.names]
    if library in ("polars", "pyarrow"):
        assert eager(audit.frame).schema["suggested_label"] == eager(frame).schema["tags"]


def test_the_quality_of_tokens_is_a_column_to_add():
    frame = audited().frame.with_columns(audited().token_quality)
    assert (frame["token_quality"].list.min() == frame["label_quality"]).all()
    pandas = audited("pandas").frame.assign(token_quality=audited("pandas").token_quality)
    assert pandas["token_quality"].map(min).equals(pandas["label_quality"].rename("token_quality"))


@noted
@pytest.mark.parametrize(
    "make",
    [
        lambda table: pd.DataFrame(table).set_index(pd.RangeIndex(7, 7 + len(table["tags"]))),
        lambda table: pd.DataFrame(
            {name: pd.Series(map(np.array, rows)) for name, rows in table.items() if name != "topic"}
        ),
        lambda table: pa.table(table).to_pandas(types_mapper=pd.ArrowDtype),
        lambda table: pl.DataFrame(table).with_columns(pl.col("tags").cast(pl.List(pl.Enum(SPAN_TAGS)))),
        lambda table: pl.DataFrame(table).with_columns(pl.col("probs").cast(pl.List(pl.Array(pl.Float32, 5)))),
        lambda table: pl.DataFrame(table).lazy(),
    ],
    ids=["index", "arrays", "arrow", "enum", "fixed", "lazy"],
)
def test_lists_may_be_stored_in_any_way(make):
    frame = make(sentences(wrong=0.05))
    audit = dqlabels.audit(frame, "tags", **TOKEN_PROBS)
    assert audit.token_issues[["row", "token", "given", "suggested"]].shape[0] == audited().flagged_tokens
    assert as_listed(column(audit.frame, "suggested_label")) == column(audited().frame, "suggested_label")
    if isinstance(frame, pd.DataFrame):
        assert audit.frame.index.equals(frame.index)
        assert audit.frame["tags"].equals(frame["tags"])


@noted
def test_probabilities_may_be_structs_or_an_array_for_each_row():
    table = sentences(wrong=0.05)
    structs = [[dict(zip(SPAN_TAGS, vector, strict=True)) for vector in row] for row in table["probs"]]
    by_name = dqlabels.audit(pl.DataFrame({"tags": table["tags"], "p": structs}), "tags", **TOKENS, pred_probs="p")
    arrays = [np.array(row) for row in table["probs"]]
    beside = dqlabels.audit(pl.DataFrame({"tags": table["tags"]}), "tags", **{**TOKEN_PROBS, "pred_probs": arrays})
    for audit in (by_name, beside):
        assert audit.frame["suggested_label"].equals(audited().frame["suggested_label"])


@noted
@given(st.randoms(use_true_random=False))
@LAWS
def test_the_order_of_the_sentences_changes_nothing(shuffled):
    order = list(range(80))
    shuffled.shuffle(order)
    audit = dqlabels.audit(pl.DataFrame(sentences(wrong=0.05))[order], "tags", **TOKEN_PROBS)
    assert audit.frame.equals(audited().frame[order])


@noted
@given(st.permutations(["lo", "p", "zip", "q", "x"]))
@LAWS
def test_other_names_of_the_classes_change_nothing_but_the_names(names):
    renamed = dict(zip(SPAN_TAGS, names, strict=True))
    table = sentences(wrong=0.05)
    tags = [[renamed[tag] for tag in row] for row in table["tags"]]
    audit = dqlabels.audit(pl.DataFrame({**table, "tags": tags}), "tags", **{**TOKEN_PROBS, "classes": names})
    assert audit.frame["label_quality"].to_list() == pytest.approx(audited().frame["label_quality"].to_list())
    expected = [[renamed[tag] for tag in row] for row in audited().frame["suggested_label"].to_list()]
    assert audit.frame["suggested_label"].to_list() == expected


@noted
def test_sentences_and_tokens_without_labels_are_kept_and_not_judged(library, make_frame):
    table = {name: list(rows) for name, rows in sentences().items()}
    table["tags"][3], table["tags"][4], table["probs"][4] = None, None, None
    table["tags"][5], table["probs"][5], table["vectors"][5], table["words"][5] = [], [], [], []
    table["tags"][6] = [None, *table["tags"][6][1:]]
    table["probs"][6] = [None, *table["probs"][6][1:]]
    if library == "pyarrow":
        frame = pa.table({"tags": table["tags"], "probs": table["probs"]})
    else:
        frame = make_frame({"tags": table["tags"], "probs": table["probs"]})
    audit = dqlabels.audit(frame, "tags", **TOKEN_PROBS)
    quality, flags = column(audit.frame, "label_quality"), column(audit.frame, "is_label_issue")
    assert [row for row in range(80) if flags[row] is None or flags[row] is pd.NA] == [3, 4, 5]
    assert [row for row in range(80) if quality[row] is None or np.isnan(quality[row])] == [3, 4, 5]
    suggested = column(audit.frame, "suggested_label")
    assert list(suggested[3]) == sentences()["tags"][3]  # the likeliest classes
    assert suggested[4] is None
    assert [list(suggested[5]), list(suggested[6])] == [[], table["tags"][6]]
    assert (audit.audited, audit.missing, audit.tokens) == (77, 3, sum(map(len, filter(None, table["tags"]))) - 1)
    assert any("1 sentences have no tokens" in note for note in audit.warnings)
    assert any("1 tokens have no label and were left out: row 6, token 0" in note for note in audit.warnings)


def spoilt(**columns: Any) -> pl.DataFrame:
    """Sentences of which some rows of some columns are others."""
    table = {name: list(rows) for name, rows in sentences().items()}
    for name, rows in columns.items():
        for row, value in rows.items():
            table[name][row] = value
    return pl.DataFrame(table, strict=False)


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (lambda: spoilt(tags={2: ["O"]}), ProbabilityError, r"Row 2 has 1 labels and \d+ vectors of probabilities in"),
        (lambda: spoilt(probs={2: None}), ProbabilityError, r"Row 2 has \d+ labels and no vectors"),
        (
            lambda: spoilt(tags={2: ["X"] * 2}, probs={2: [[0.2] * 5] * 2}),
            ProbabilityError,
            "row 2, token 0: 'X' is none",
        ),
        (
            lambda: spoilt(tags={2: ["O"] * 2}, probs={2: [[0.2] * 5, [0.5] * 5]}),
            ProbabilityError,
            "row 2, token 1: 0.5",
        ),
        (lambda: spoilt(tags={2: ["O"]}, probs={2: [[0.2] * 4]}), ProbabilityError, "Row 0 .* of 5 .*, row 2 of 4"),
        (lambda: spoilt(tags={2: ["O"]}, probs={2: [None]}), ProbabilityError, "row 2, token 0: nan"),
        (lambda: pl.DataFrame({"tags": [None, None], "probs": [None, None]}), LabelColumnError, "all 2 sentences are"),
        (lambda: pl.DataFrame({"tags": [[], []], "probs": [[], []]}), LabelColumnError, "no sentence holds"),
        (lambda: pl.DataFrame({"tags": [], "probs": []}), LabelColumnError, "has no rows"),
        (
            lambda: pl.DataFrame({"tags": ["O B"], "probs": [[[1.0]]]}),
            LabelColumnError,
            "row 0 holds 'O B', which is no",
        ),
        (
            lambda: pl.DataFrame({"tags": [["O"]], "probs": [1.0]}),
            ProbabilityError,
            "Row 0 of column 'probs' holds '1.0'",
        ),
        (
            lambda: pl.DataFrame({"tags": [["O", "B"]], "probs": [[[1.0], [1.0]]]}),
            ProbabilityError,
            "one probability for",
        ),
        (
            lambda: spoilt(probs={2: None}).with_columns(probs=pl.Series([[[[0.2]] * 5]] * 80)),
            ProbabilityError,
            "which is no list of vectors",
        ),
        (lambda: spoilt().with_columns(label_quality=1.0), OutputColumnError, "already in the frame"),
        (lambda: spoilt().drop("tags"), LabelColumnError, "no column 'tags'"),
        (lambda: spoilt().drop("probs"), FeatureError, "no column 'probs'"),
    ],
)
def test_what_cannot_be_audited_is_refused_with_its_row(frame, error, message):
    with pytest.raises(error, match=message):
        dqlabels.audit(frame(), "tags", **TOKEN_PROBS)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pred_probs": ["probs", "vectors"]}, ProbabilityError, "the name of a column of lists"),
        ({"pred_probs": [np.eye(5)]}, ProbabilityError, "holds 1 arrays for 80 rows"),
        ({"pred_probs": None}, OptionError, "classes= names the columns of pred_probs="),
        ({"classes": SPAN_TAGS[:4]}, ProbabilityError, "'O' is none of the 4 classes"),
        ({"classes": None}, ProbabilityError, "not known which class"),
        ({"classes": [*SPAN_TAGS[1:], SPAN_TAGS[0]]}, ProbabilityError, "look out of order"),
        ({"annotator": "topic"}, OptionError, "belong to task='annotators'"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        dqlabels.audit(pl.DataFrame(sentences()), "tags", **{**TOKEN_PROBS, **options})


def test_the_mark_of_tokens_to_leave_out_is_named():
    frame = pl.DataFrame({"tags": [[0, 1, -100]] * 9, "probs": [[[0.5, 0.5]] * 3] * 9})
    with pytest.raises(LabelColumnError, match="-100, by which Transformers"):
        dqlabels.audit(frame, "tags", **TOKENS, pred_probs="probs", classes=[0, 1])


def test_probabilities_of_tokens_without_the_task_lead_to_it():
    frame = pl.DataFrame(sentences())
    with pytest.raises(LabelColumnError, match="task='tokens'"):
        dqlabels.audit(frame, "tags", pred_probs="probs", classes=SPAN_TAGS)
    with pytest.raises(ProbabilityError, match="task='tokens'"):
        dqlabels.audit(frame, "tags", task="multilabel", pred_probs="probs", classes=SPAN_TAGS)


@noted
def test_embeddings_of_tokens_judge_them_by_default(library, make_frame):
    table = {name: rows for name, rows in sentences(wrong=0.05).items() if name not in ("probs", "words")}
    audit = dqlabels.audit(make_frame(table), "tags", **TOKENS)
    true, given = sentences()["tags"], table["tags"]
    wrong = {(row, at) for row, tags in enumerate(given) for at, tag in enumerate(tags) if tag != true[row][at]}
    issues = eager(audit.token_issues)
    found = set(zip(issues["row"].to_list(), issues["token"].to_list(), strict=True))
    assert len(found & wrong) >= 0.8 * len(wrong)
    assert audit.features == ("vectors",)
    assert any("'topic' have not one entry for each token" in note for note in audit.warnings)


@noted
def test_the_suggestions_of_an_earlier_audit_judge_nothing(library, make_frame):
    table = sentences(wrong=0.05)
    frame = make_frame({"tags": table["tags"], "probs": table["probs"], "vectors": table["vectors"]})
    names = ("how_good", "better", "odd")
    frame = dqlabels.audit(frame, "tags", **TOKEN_PROBS, names=names).frame
    audit = dqlabels.audit(frame, "tags", **TOKENS, exclude=["probs"])
    assert audit.features == ("vectors",)


def drawn(seed: int) -> dict[str, list[Any]]:
    """Sentences of 0 to 6 tokens, some of which, or of whose tokens, have no label or no probabilities."""
    rng = np.random.default_rng(seed)
    table: dict[str, list[Any]] = {"tags": [["a", "b", "a", "b"]], "probs": [[[0.8, 0.2], [0.2, 0.8]] * 2]}
    for codes in (rng.integers(0, 2, size) for size in rng.integers(0, 7, 12)):
        tags = [None if rng.random() < 0.1 else "ab"[code] for code in codes]
        probs = rng.dirichlet(np.ones(2), codes.size).tolist()
        lost = rng.random() < 0.2
        table["tags"].append(None if lost else tags)
        table["probs"].append(None if lost and rng.random() < 0.5 else probs)
    return table


@noted
@given(st.integers(0, 1_000))
@LAWS
def test_whatever_is_missing_a_flag_says_that_the_suggestion_is_another_list(seed):
    table = drawn(seed)
    audits = [
        dqlabels.audit(make(table), "tags", **TOKENS, pred_probs="probs", classes=["a", "b"])
        for make in (pl.DataFrame, pd.DataFrame, pa.table)
    ]
    frame = audits[0].frame
    for tags, suggested, flag in frame[["tags", "suggested_label", "is_label_issue"]].iter_rows():
        judged = any(tag is not None for tag in tags or ())
        assert flag is None if not judged else flag == (tags != suggested)
        assert judged or tags is None or tags == suggested
    assert all(audit.to_dict() == audits[0].to_dict() for audit in audits)


class Recorder:
    """A classifier that keeps what it was fitted on and asked."""

    classes_ = np.arange(5)
    fits: ClassVar[list[tuple[Any, Any]]] = []

    def fit(self, X, y):
        self.seen, self.classes_ = X, np.unique(y)
        return self

    def predict_proba(self, X):
        Recorder.fits.append((self.seen, X))
        return np.full((len(X), self.classes_.size), 1 / self.classes_.size)

    def get_params(self, deep=True):
        return {}

    def set_params(self, **params):
        return self


@noted
@pytest.mark.parametrize("cv", [4, "time"])
@pytest.mark.parametrize("groups", [None, "team"])
def test_no_sentence_is_on_both_sides_of_a_split(cv, groups):
    table = sentences()
    rows = [[[float(row), float(row // 4)]] * len(tags) for row, tags in enumerate(table["tags"])]
    frame = pl.DataFrame({"tags": table["tags"], "row": rows, "team": [row // 4 for row in range(80)]})
    Recorder.fits.clear()
    dqlabels.audit(frame, "tags", **TOKENS, features=["row"], model=Recorder(), cv=cv, groups=groups)
    assert len(Recorder.fits) >= 4
    kept = 1 if groups and cv == 4 else 0
    for seen, asked in Recorder.fits:
        assert not set(seen[:, kept].tolist()) & set(asked[:, kept].tolist())


def test_a_splitter_that_splits_sentences_is_refused():
    from sklearn.model_selection import KFold

    split = WholeSentences(KFold(2, shuffle=True, random_state=0), np.arange(40) // 4)
    with pytest.raises(OptionError, match="cv=KFold puts tokens of one sentence on both sides"):
        list(split.split(np.zeros((40, 1)), np.zeros(40, dtype=np.int64)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ["tags"]}, "is the label"),
        ({"features": ["gone"]}, "no column 'gone'"),
        ({"features": ["ragged"]}, "Row 1 has 4 labels and 1 entries in column 'ragged'"),
        ({"exclude": ["vectors"]}, "No column has lists with one entry for each token"),
    ],
)
def test_columns_that_cannot_judge_tokens_are_refused(options, message):
    table = {"tags": [["A", "B", "A", "B"]] * 20, "vectors": [[[1.0, 0.0]] * 4] * 20}
    table["ragged"] = [[1.0] * (1 if row == 1 else 4) for row in range(20)]
    with pytest.raises(FeatureError, match=message):
        dqlabels.audit(pl.DataFrame(table), "tags", **TOKENS, **options)


@noted
def test_columns_of_whole_sentences_judge_where_they_are_named():
    audit = dqlabels.audit(pl.DataFrame(sentences()), "tags", **TOKENS, features=["vectors", "topic"])
    assert set(audit.features) == {"vectors", "topic"}


@noted
def test_words_that_repeat_in_all_sentences_do_not_tie_them_together():
    rng = np.random.default_rng(0)
    words = rng.choice(["the", "cat", "Ada", "ran"], size=(60, 6))
    tags = [["PER" if word == "Ada" else "O" for word in row] for row in words]
    tags[7][2] = "PER" if tags[7][2] == "O" else "O"
    frame = pl.DataFrame({"words": words.tolist(), "tags": tags})
    audit = dqlabels.audit(frame, "tags", **TOKENS)
    assert audit.token_issues[["row", "token"]].rows() == [(7, 2)]


def test_rates_gates_and_report_are_of_tokens(tmp_path):
    audit = audited()
    assert audit.noise_rate.rows == audit.tokens
    assert "Tokens of one sentence are wrong together" in audit.noise_rate.assumption
    gate = audit.gate(max_noise_rate=0.001, max_class_noise_rate={"O": 0.5}, decide="estimate")
    assert f"{audit.tokens:,} tokens" in gate.message
    assert audit.by("topic")[["rows", "flagged"]].sum().row(0) == (audit.tokens, audit.flagged_tokens)
    page = audit.to_html(tmp_path / "report.html", by="topic")
    assert "Labels in" in page
    worst = audit.report_facts()["shown"][0]
    first = audit.token_issues.row(0, named=True)
    assert worst["chips"][0][0] == f"token {first['token']}, {first['words']}"
    assert "tokens that are flagged" in page
    assert "Tokens read" in page
    json.dumps(audit.to_dict(), allow_nan=False)
    assert audit.audited_rows().concerning(["O"]).sum() <= audit.flagged


def test_the_interval_widens_with_the_confidence():
    rates = [audited().estimate_noise(confidence=level) for level in (0.8, 0.9, 0.99)]
    assert rates[0].high < rates[1].high < rates[2].high
    assert rates[1].to_dict() == audited().noise_rate.to_dict()


def test_few_tokens_that_are_independent_pass_no_narrow_gate():
    audit = audited()
    few = dqlabels.audit(pl.DataFrame(sentences(rows=20)), "tags", **TOKEN_PROBS)
    assert few.gate(max_noise_rate=0.001, on_inconclusive="pass").verdict in ("inconclusive", "fail")
    assert audit.effect >= 1


@noted
def test_labels_that_break_the_rules_of_their_tags_are_named():
    frame = spoilt(tags={2: ["I-PER", "O", "I-LOC"]}, probs={2: [[0.2] * 5] * 3})
    audit = dqlabels.audit(frame.select("tags", "probs"), "tags", **TOKEN_PROBS)
    assert audit.broken_spans.rows() == [(2, 0, "I-PER"), (2, 2, "I-LOC")]
    sentence = "2 labels break the rules of tags of spans (row 2, token 0; row 2, token 2): audit.broken_spans."
    assert sentence in audit.summary()
    assert sentence in audit.report_facts()["notes"]
    assert audit.to_dict()["broken_spans"] == 2
    assert audit.warnings == ()


def test_right_tags_break_no_rule_and_are_no_look_alikes():
    audit = dqlabels.audit(pl.DataFrame(sentences()), "tags", **TOKEN_PROBS)
    assert audit.warnings == ()
    assert audit.broken_spans.is_empty()


def test_a_sample_to_review_is_of_whole_sentences(library):
    sample = eager(audited(library).review_sample(12))
    rows = sample["row"].to_list()
    assert len(set(rows)) == 12
    assert as_listed(sample["tags"].to_list()) == [sentences(wrong=0.05)["tags"][row] for row in rows]
    assert sample["reviewed_label"].is_null().all()
    assert not {"label_quality", "suggested_label", "is_label_issue"} & {*sample.columns}


def test_a_review_a_monitor_and_an_auditor_are_refused_with_the_way_out():
    with pytest.raises(OptionError, match=r"^review\(\) .* Read audit.token_issues"):
        audited().review()
    with pytest.raises(OptionError, match="Audit each batch by itself"):
        dqlabels.LabelAuditor("tags", task="tokens")


def test_cleanlabs_scores_are_no_probabilities():
    audit = dqlabels.audit(pl.DataFrame(sentences()), "tags", **TOKEN_PROBS, compat="cleanlab")
    assert audit.settings["score"] == "self_confidence"
    with pytest.raises(OptionError, match="no probabilities"):
        audit.by("topic")


def test_the_accessor_audits_tokens():
    frame = pl.DataFrame(sentences())
    assert frame.labels.audit("tags", **TOKEN_PROBS).equals(dqlabels.audit(frame, "tags", **TOKEN_PROBS).frame)

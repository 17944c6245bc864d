"""Audits of frames that several annotators labelled, side by side or a row a label."""

from __future__ import annotations

import json
import warnings
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import MAKERS, column, eager

import dqlabels
from dqlabels.errors import LabelColumnError, LabelNoiseError, LabelWarning, OptionError, OutputColumnError

ANNOTATORS = ["ann_1", "ann_2", "ann_3"]
WRONG = {"ann_1": 0.05, "ann_2": 0.25, "ann_3": 0.10}


def truth(rows: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 3, rows)


def wide(rows: int = 160, features: bool = True) -> dict[str, list]:
    """Three annotators of unequal skill; ``x`` tells the classes apart; row 0 has no label, row 1 a single one."""
    rng, true = np.random.default_rng(0), truth(rows)
    data: dict[str, list] = {"x": (true * 2 + rng.normal(0, 0.6, rows)).tolist()} if features else {}
    for name, share in WRONG.items():
        said = np.where(rng.random(rows) < share, (true + rng.integers(1, 3, rows)) % 3, true)
        data[name] = [("a", "b", "c")[k] for k in said]
        data[name][0] = None
    data["ann_2"][1] = data["ann_3"][1] = None
    return data


def long(rows: int = 160, features: bool = True) -> dict[str, list]:
    """The same labels, a row each, in an order of their own."""
    side_by_side = wide(rows, features)
    said = [
        (item, name, side_by_side[name][item])
        for name in reversed(ANNOTATORS)
        for item in range(rows)
        if side_by_side[name][item] is not None
    ]
    items, who, labels = (list(values) for values in zip(*said, strict=True))
    data = {"item": items, "who": who, "label": labels}
    return data | ({"x": [side_by_side["x"][item] for item in items]} if features else {})


def quietly(frame, label, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)
        return dqlabels.audit(frame, label, **options)


@cache
def audited(library: str = "polars"):
    """The audit, which no test changes."""
    return quietly(MAKERS[library](wide()), ANNOTATORS)


def test_a_wide_frame_gets_a_consensus_and_its_quality(library):
    audit = audited(library)
    suggested = column(audit.frame, "suggested_label")
    assert type(audit.frame) is type(MAKERS[library]({}))
    assert np.mean([given == "abc"[k] for given, k in zip(suggested[1:], truth(160)[1:], strict=True)]) > 0.9
    assert all(0 <= quality <= 1 for quality in column(audit.frame, "label_quality")[1:])


def test_a_row_is_flagged_where_at_least_half_of_its_labels_are_not_the_consensus(library):
    data, answer = wide(), audited(library).frame
    suggested, flags = column(answer, "suggested_label"), column(answer, "is_label_issue")
    for row in range(1, 160):
        given = [data[name][row] for name in ANNOTATORS if data[name][row] is not None]
        assert flags[row] == (sum(label == suggested[row] for label in given) <= len(given) / 2)


def test_a_row_without_labels_keeps_null_quality_and_gets_the_models_answer(library):
    answer = eager(audited(library).frame)
    assert answer["label_quality"].is_null()[0]
    assert answer["is_label_issue"].is_null()[0]
    assert answer["suggested_label"][0] in ("a", "b", "c")


def test_without_a_model_a_row_without_labels_has_no_suggestion(make_frame):
    answer = eager(quietly(make_frame(wide(features=False)), ANNOTATORS).frame)
    assert answer["suggested_label"].is_null()[0]
    assert not answer["suggested_label"].is_null()[1]


def test_a_long_frame_is_judged_label_by_label(make_frame):
    data = long()
    answer = quietly(make_frame(data), "label", annotator="who", item="item").frame
    suggested, flags = column(answer, "suggested_label"), column(answer, "is_label_issue")
    assert column(answer, "label") == data["label"]
    assert flags == [given != consensus for given, consensus in zip(data["label"], suggested, strict=True)]


@pytest.mark.parametrize("consensus", ["crowdlab", "ibcc", "dawid_skene", "majority"])
def test_wide_and_long_frames_agree(consensus):
    side_by_side = quietly(pl.DataFrame(wide()), ANNOTATORS, consensus=consensus).consensus
    one_a_row = quietly(pl.DataFrame(long()), "label", annotator="who", item="item", consensus=consensus).consensus
    labelled = side_by_side.filter(pl.col("labels") > 0)
    assert labelled["item"].to_list() == one_a_row["item"].to_list()
    assert labelled["consensus"].to_list() == one_a_row["consensus"].to_list()


def test_the_order_of_rows_does_not_show():
    data = pl.DataFrame(wide())
    order = np.random.default_rng(1).permutation(160)
    here = audited().frame[order.tolist()]
    there = quietly(data[order.tolist()], ANNOTATORS).frame
    assert here.equals(there)


def test_the_order_of_annotators_does_not_show():
    here, there = audited().frame, quietly(pl.DataFrame(wide()), ANNOTATORS[::-1]).frame
    assert here["suggested_label"].equals(there["suggested_label"])
    assert np.allclose(here["label_quality"].drop_nulls(), there["label_quality"].drop_nulls())


def test_other_names_for_the_classes_give_the_same_audit():
    renamed = {
        name: [{"a": "z", "b": "y", "c": "x"}.get(value, value) for value in values] for name, values in wide().items()
    }
    here, there = audited().frame, quietly(pl.DataFrame(renamed), ANNOTATORS).frame
    assert here["is_label_issue"].equals(there["is_label_issue"])
    assert np.allclose(here["label_quality"].drop_nulls(), there["label_quality"].drop_nulls(), atol=1e-6)


def test_the_worst_annotator_comes_first():
    audit = audited()
    assert audit.annotators["annotator"][0] == "ann_2"
    assert audit.annotators["noise_rate"][0] == pytest.approx(0.25, abs=0.1)


def test_a_perfect_annotator_has_no_noise():
    data = wide(features=False)
    data["ann_1"] = ["abc"[k] for k in truth(160)]
    data["ann_4"] = list(data["ann_1"])
    audit = quietly(pl.DataFrame(data), [*ANNOTATORS, "ann_4"])
    assert audit.estimate_noise(of="ann_1").estimate < 0.02


def test_agreement_is_measured_at_the_confidence_that_is_asked_for():
    usual, sure = audited().agreement, audited().measure_agreement(confidence=0.99)
    assert (sure.alpha, sure.confidence) == (usual.alpha, 0.99)
    assert sure.low < usual.low < usual.alpha < usual.high < sure.high


def test_confusions_count_each_annotators_labels():
    audit = audited()
    labels = audit.confusions.group_by("annotator").agg(pl.col("labels").sum()).sort("annotator")["labels"].to_list()
    assert labels == [159, 158, 158]
    shares = audit.confusions.group_by("annotator", "consensus").agg(pl.col("share").sum())["share"]
    assert shares.to_list() == pytest.approx([1] * 9)


def test_the_tables_come_in_the_callers_library(library):
    audit = audited(library)
    module = type(audit.frame).__module__.split(".")[0]
    for name in ("consensus", "annotators", "confusions", "votes", "pairs", "issues"):
        assert type(getattr(audit, name)).__module__.split(".")[0] == module, name
        assert len(eager(getattr(audit, name))) > 0, name


def test_items_to_label_next_are_the_least_settled():
    audit = audited()
    asked = audit.next_to_label(160)
    assert asked["score"].is_sorted()
    assert asked.head(10)["quality"].mean() < asked.tail(10)["quality"].mean()


def test_more_items_asked_for_than_there_are_gives_them_all():
    assert len(audited().next_to_label(1000)) == 160


@pytest.mark.parametrize("number", [0, -1, 2.5, True])
def test_a_number_of_items_that_is_none_is_refused(number):
    with pytest.raises(OptionError, match="next_to_label"):
        audited().next_to_label(number)


def test_an_index_stays():
    frame = pd.DataFrame(wide(), index=[f"r{row}" for row in range(160)])
    assert quietly(frame, ANNOTATORS).frame.index.equals(frame.index)


def test_the_callers_frame_is_not_touched():
    frame = pd.DataFrame(wide())
    before = frame.copy()
    quietly(frame, ANNOTATORS)
    pd.testing.assert_frame_equal(frame, before)


def test_categoricals_stay_categorical():
    frame = pd.DataFrame(wide()).astype(dict.fromkeys(ANNOTATORS, pd.CategoricalDtype(["c", "b", "a"])))
    assert quietly(frame, ANNOTATORS).frame["suggested_label"].dtype == frame["ann_1"].dtype


def test_categoricals_of_different_categories_are_compared_as_text():
    frame = pd.DataFrame(wide())
    frame["ann_1"] = frame["ann_1"].astype("category")
    frame["ann_2"] = frame["ann_2"].where(frame["ann_2"] != "a").astype("category")
    frame["ann_3"] = frame["ann_3"].astype("category")
    assert quietly(frame, ANNOTATORS).labels < 160 * 3


def test_the_accessor_takes_several_columns():
    frame = pl.DataFrame(wide())
    with pytest.warns(LabelWarning):
        assert "suggested_label" in frame.labels.audit(ANNOTATORS).columns


def test_your_own_probabilities_judge_beside_the_annotators():
    frame = pl.DataFrame(wide())
    probs = np.full((160, 3), 0.05)
    probs[np.arange(160), truth(160)] = 0.9
    audit = quietly(frame, ANNOTATORS, pred_probs=probs, classes=["a", "b", "c"])
    assert audit.model_error < 0.05
    right = [given == "abc"[k] for given, k in zip(audit.frame["suggested_label"], truth(160), strict=True)]
    assert np.mean(right) > 0.97


def test_probabilities_of_a_long_frame_have_a_row_a_label():
    data = long()
    probs = np.full((len(data["item"]), 3), 0.05)
    probs[np.arange(len(probs)), truth(160)[data["item"]]] = 0.9
    audit = quietly(
        pl.DataFrame(data), "label", annotator="who", item="item", pred_probs=probs, classes=["a", "b", "c"]
    )
    assert audit.model_error < 0.05


def test_columns_that_differ_within_an_item_are_no_features():
    data = long() | {"seconds": list(range(len(long()["item"])))}
    audit = quietly(pl.DataFrame(data), "label", annotator="who", item="item")
    without = quietly(pl.DataFrame(long()), "label", annotator="who", item="item")
    assert audit.frame["label_quality"].to_list() == without.frame["label_quality"].to_list()


def test_without_features_the_labels_alone_decide():
    audit = quietly(pl.DataFrame(wide(features=False)), ANNOTATORS)
    assert (audit.settings["consensus"], audit.model) == ("ibcc", None)


def test_where_no_feature_can_be_used_a_note_says_why():
    data = wide(features=False) | {"id": [f"row{row}" for row in range(160)]}
    audit = quietly(pl.DataFrame(data), ANNOTATORS)
    assert audit.model is None
    assert any("No model judges" in note for note in audit.warnings)


def test_boolean_annotators_are_taken_when_said_so():
    data = {name: [value == "a" if value else None for value in wide()[name]] for name in ANNOTATORS}
    audit = quietly(pl.DataFrame(data), ANNOTATORS, task="annotators")
    assert audit.frame["suggested_label"].dtype == pl.Boolean


# The two columns of one fact: the everyday case.


def two_systems(rows: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    status = rng.choice(["open", "closed", "lost"], rows, p=[0.5, 0.4, 0.1])
    crm, billing = status.copy(), status.copy()
    crm[rng.random(rows) < 0.06] = "open"
    billing[rng.random(rows) < 0.02] = "lost"
    return pl.DataFrame({"crm": crm, "billing": billing})


def test_two_columns_of_one_fact_are_flagged_where_they_differ():
    frame = two_systems()
    answer = dqlabels.audit(frame, ["crm", "billing"]).frame
    assert answer["is_label_issue"].equals((frame["crm"] != frame["billing"]).rename("is_label_issue"))


def test_two_columns_give_about_half_their_disagreement_as_noise():
    frame = two_systems()
    rate = dqlabels.audit(frame, ["crm", "billing"]).noise_rate
    differ = (frame["crm"] != frame["billing"]).mean()
    assert rate.method == "annotators"
    assert rate.low <= differ / 2 <= rate.high
    assert rate.estimate == pytest.approx(differ / 2, abs=0.02)


# Gates.


def test_a_gate_passes_and_fails_on_noise_agreement_and_annotators():
    audit = audited()
    assert audit.gate(max_noise_rate=0.5, min_agreement=0.2, max_annotator_noise_rate=0.5).verdict == "pass"
    assert audit.gate(max_noise_rate=0.02).verdict == "fail"
    assert audit.gate(min_agreement=0.95).verdict == "fail"
    assert audit.gate(max_annotator_noise_rate={"ann_2": 0.05}).verdict == "fail"
    assert audit.gate(max_annotator_noise_rate={"ann_1": 0.2}).verdict == "pass"


def test_a_failed_gate_says_who_and_how_far_they_agree():
    gate = audited().gate(min_agreement=0.95)
    assert "falls short of the minimum of 0.950" in gate.message
    assert "\n  ann_2: " in gate.message
    with pytest.raises(LabelNoiseError):
        gate.raise_if_failed()


def test_a_confident_gate_is_inconclusive_at_the_limit():
    audit = audited()
    limit = audit.noise_rate.estimate
    assert audit.gate(max_noise_rate=limit, decide="confident", on_inconclusive="pass").verdict == "inconclusive"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "no limit"),
        ({"min_agreement": 1.5}, "between 0 and 1"),
        ({"max_noise_rate": 5}, "for 5% pass 0.05"),
        ({"max_annotator_noise_rate": {"bob": 0.1}}, "'bob' gave no label"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(limits, said):
    with pytest.raises(OptionError, match=said):
        audited().gate(**limits)


def test_noise_by_another_method_or_of_nobody_is_refused():
    audit = audited()
    assert audit.estimate_noise(of="consensus").estimate < audit.noise_rate.estimate
    with pytest.raises(OptionError, match="by 'annotators'"):
        audit.estimate_noise("anchor")
    with pytest.raises(OptionError, match="none of 'labels', 'consensus', 'ann_1'"):
        audit.estimate_noise(of="bob")


def test_the_audit_is_ready_for_json_text_and_a_notebook():
    data = wide() | {"ann_1": ["<b>" if value == "a" else value for value in wide()["ann_1"]]}
    audit = quietly(pl.DataFrame(data), ANNOTATORS)
    facts = json.loads(json.dumps(audit.to_dict(), allow_nan=False))
    assert facts["labels"] == audit.labels
    assert "Krippendorff's alpha" in str(audit)
    assert "<b>'" not in audit._repr_html_().replace("&lt;b&gt;", "")
    assert "AnnotatorAudit of 'ann_1, ann_2, ann_3'" in repr(audit)


# Bad input: always a clear error, or a stated rule.


@pytest.mark.parametrize(
    ("label", "options", "error", "said"),
    [
        (["ann_1"], {}, OptionError, "two or more different columns"),
        (["ann_1", "ann_1"], {}, OptionError, "two or more different columns"),
        (["ann_1", "ann_9"], {}, LabelColumnError, "no column 'ann_9'"),
        (["ann_1", "x"], {}, LabelColumnError, "different types"),
        (ANNOTATORS, {"consensus": "mean"}, OptionError, "'crowdlab', 'ibcc'"),
        (ANNOTATORS, {"consensus": "ibcc", "features": ["x"]}, OptionError, "labels alone"),
        (ANNOTATORS, {"annotator": "x"}, OptionError, "one or the other"),
        (ANNOTATORS, {"task": "classes"}, OptionError, "takes one"),
        (ANNOTATORS, {"task": "ranking"}, OptionError, "none of 'classes'"),
        ("ann_1", {"consensus": "ibcc"}, OptionError, "for several annotators"),
        ("ann_1", {"annotator": "ann_2"}, OptionError, "without item="),
        ("ann_1", {"annotator": "ann_2", "item": "ann_2"}, OptionError, "must be three columns"),
        ("ann_1", {"annotator": "ann_2", "item": "x", "task": "multilabel"}, OptionError, "belong to"),
    ],
)
def test_what_cannot_be_meant_is_refused(label, options, error, said):
    with pytest.raises(error, match=said):
        quietly(pl.DataFrame(wide()), label, **options)


def test_boolean_columns_are_asked_about():
    frame = pl.DataFrame({"a": [True, False] * 10, "b": [True, True] * 10})
    with pytest.raises(OptionError, match="task='annotators' or task='multilabel'"):
        dqlabels.audit(frame, ["a", "b"])


def test_annotators_who_share_no_item_are_refused():
    frame = pl.DataFrame({"a": ["x", "y", None, None] * 6, "b": [None, None, "x", "y"] * 6})
    with pytest.raises(LabelColumnError, match="no item has labels of two annotators"):
        dqlabels.audit(frame, ["a", "b"])


def test_a_missing_annotator_is_refused_by_count():
    data = long()
    data["who"][3] = None
    with pytest.raises(LabelColumnError, match=r"'who' \(annotator\) is missing in 1 of"):
        dqlabels.audit(pl.DataFrame(data), "label", annotator="who", item="item")


def test_an_annotator_with_one_label_and_one_with_none_are_named():
    data = wide() | {"ann_4": ["a", *[None] * 159][::-1], "ann_5": [None] * 160}
    frame = pl.DataFrame(data, schema_overrides={"ann_5": pl.String})
    with pytest.warns(LabelWarning) as caught:
        audit = dqlabels.audit(frame, [*ANNOTATORS, "ann_4", "ann_5"])
    said = " ".join(str(note.message) for note in caught)
    assert "'ann_4' gave a single label" in said
    assert "'ann_5' gave no label" in said
    assert audit.annotators.filter(pl.col("annotator") == "ann_5")["labels"].item() == 0


def test_all_alike_is_refused_as_constant():
    frame = pl.DataFrame({"a": ["x"] * 30, "b": ["x"] * 30})
    with pytest.raises(LabelColumnError, match="all 60 labels are 'x'"):
        dqlabels.audit(frame, ["a", "b"])


def test_full_agreement_is_alpha_1_and_no_flag():
    frame = pl.DataFrame({"a": ["x", "y"] * 30, "b": ["x", "y"] * 30})
    audit = dqlabels.audit(frame, ["a", "b"])
    assert (audit.agreement.alpha, audit.flagged) == (1.0, 0)


def test_no_agreement_at_all_is_warned_of():
    frame = pl.DataFrame({"a": ["x", "y"] * 30, "b": ["y", "x"] * 30})
    with pytest.warns(LabelWarning, match="agree on no item"):
        audit = dqlabels.audit(frame, ["a", "b"])
    assert audit.agreement.alpha < 0
    assert audit.flagged == 60


def test_repeated_labels_count_and_are_said():
    data = long()
    for name in data:
        data[name] = [*data[name], data[name][5]]
    with pytest.warns(LabelWarning, match="1 labels repeat one by the same annotator"):
        dqlabels.audit(pl.DataFrame(data), "label", annotator="who", item="item")


def test_an_output_column_is_never_overwritten():
    frame = pl.DataFrame(wide() | {"label_quality": [0.5] * 160})
    with pytest.raises(OutputColumnError, match="names="):
        dqlabels.audit(frame, ANNOTATORS)


def test_a_missing_label_in_a_long_frame_is_kept_and_not_counted(make_frame):
    data = long(features=False)
    data["label"][0] = None
    audit = quietly(make_frame(data), "label", annotator="who", item="item")
    answer = eager(audit.frame)
    assert audit.audited == len(data["item"]) - 1
    assert answer["label_quality"].is_null()[0]
    assert answer["suggested_label"][0] in ("a", "b", "c")

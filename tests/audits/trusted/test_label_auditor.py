"""An auditor fitted once: how it judges batches, and the trusted rows themselves."""

from __future__ import annotations

import datetime
import decimal
import io
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from support.frames import ROOT, WIDE_NUMBERS, column, eager, planted, two_classes
from support.sized import Sized

import dqlabels
from dqlabels import LabelAuditor, LabelWarning
from dqlabels.audits.trusted.drift import label_shifts
from dqlabels.errors import AuditorFileError, FeatureError, LabelColumnError, OptionError, OutputColumnError
from dqlabels.models.sizes import BoostingSizes, Sizes

DATES = [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)]
MOMENTS = [datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1)]
COPIES = "ignore:.*copy rows the auditor was fitted on:dqlabels.errors.LabelWarning"


@pytest.fixture(scope="module")
def auditor() -> LabelAuditor:
    return LabelAuditor("label").fit(pl.DataFrame(two_classes()))


@pytest.fixture
def batch() -> dict:
    return two_classes(seed=5)


def coarse(rows: int = 240) -> pl.DataFrame:
    """Two kinds of row, so that rows alike judge each other; every tenth label is wrong."""
    kind = np.arange(rows) % 2
    label = np.where(np.arange(rows) % 10 == 3, 1 - kind, kind)
    return pl.DataFrame({"x": kind, "label": [("no", "yes")[k] for k in label]})


def test_a_batch_comes_back_as_it_was_with_three_more_columns(auditor, make_frame, batch):
    frame = make_frame(batch)
    audited = auditor.audit(frame).frame
    assert type(audited) is type(frame)
    assert eager(audited).columns == [*batch, "label_quality", "suggested_label", "is_label_issue"]
    assert {name: column(audited, name) for name in batch} == batch


def test_wrong_labels_of_a_batch_are_flagged(auditor, make_frame, batch):
    flags = column(auditor.audit(make_frame(batch)).frame, "is_label_issue")
    assert sum(flag for flag, wrong in zip(flags, planted(), strict=True) if wrong) >= 4  # of 6


def test_every_frame_library_gives_the_same_numbers(auditor, make_frame, batch):
    qualities = column(auditor.audit(make_frame(batch)).frame, "label_quality")
    assert qualities == auditor.audit(pl.DataFrame(batch)).frame["label_quality"].to_list()


def test_nothing_is_trained(auditor, batch, monkeypatch):
    from sklearn.tree import ExtraTreeClassifier

    monkeypatch.setattr(ExtraTreeClassifier, "fit", None)
    assert auditor.audit(pl.DataFrame(batch)).audited == 120


def test_the_order_of_the_rows_changes_nothing(auditor, batch):
    frame = pl.DataFrame(batch)
    order = np.random.default_rng(1).permutation(len(frame))
    assert auditor.audit(frame[order]).frame.equals(auditor.audit(frame).frame[order])


def test_the_thread_count_changes_nothing(batch):
    auditors = [LabelAuditor("label", n_jobs=n).fit(pl.DataFrame(two_classes())) for n in (1, 5)]
    one, five = (auditor.audit(pl.DataFrame(batch)).frame for auditor in auditors)
    assert one.equals(five)


@pytest.mark.filterwarnings(COPIES)
def test_the_trusted_table_is_judged_out_of_bag(auditor, make_frame):
    assert auditor.audit(make_frame(two_classes())).model_error == auditor.profile()["model_error"] > 0


def test_copies_of_trusted_rows_are_judged_out_of_bag_and_counted(auditor, batch):
    trusted = pl.DataFrame(two_classes())
    with pytest.warns(LabelWarning, match="120 rows"):
        alone = auditor.audit(trusted).probabilities.drop("row").head(7)
    with pytest.warns(LabelWarning, match="7 rows of the batch copy rows the auditor was fitted on"):
        audit = auditor.audit(pl.concat([pl.DataFrame(batch), trusted.head(7)]))
    assert audit.probabilities.drop("row").tail(7).equals(alone)


@pytest.mark.filterwarnings("ignore::dqlabels.errors.LabelWarning")
def test_a_trusted_row_under_another_label_is_still_judged_out_of_bag(auditor):
    trusted = pl.DataFrame(two_classes())
    turned = trusted.with_columns(pl.col("label").replace({"no": "yes", "yes": "no"}))
    right, wrong = (auditor.audit(frame).probabilities for frame in (trusted, turned))
    assert right.equals(wrong)


@pytest.mark.filterwarnings("ignore::dqlabels.errors.LabelWarning")
def test_rows_alike_on_a_coarse_table_do_not_vouch_for_themselves():
    table = coarse()
    # One row of a kind and label of its own: in sample the trees would know its label.
    lonely = pl.DataFrame({"x": [2], "label": ["yes"]})
    auditor = LabelAuditor("label").fit(pl.concat([table, lonely]))
    assert auditor.audit(pl.concat([table, lonely])).model_error == auditor.profile()["model_error"] > 0


@pytest.mark.filterwarnings(COPIES)
@pytest.mark.parametrize("options", [{"cv": 3}, {"model": LogisticRegression()}, {"model": DecisionTreeClassifier()}])
def test_a_cross_validated_model_judges_trusted_rows_out_of_fold(options):
    frame = pl.DataFrame(two_classes())
    audited = LabelAuditor("label", **options).fit(frame).audit(frame)
    assert audited.probabilities.equals(dqlabels.audit(frame, "label", **options).probabilities)


def test_a_small_clean_batch_reads_as_clean_as_a_large_one(auditor):
    trusted = auditor.profile()["noise_rate"]["estimate"]
    rates = [auditor.audit(pl.DataFrame(two_classes(rows, seed=7))).noise_rate for rows in (60, 600)]
    assert [rate.method for rate in rates] == ["trusted", "trusted"]
    assert all(abs(rate.estimate - trusted) < 0.04 and rate.low <= trusted <= rate.high for rate in rates)


@pytest.mark.filterwarnings("ignore::dqlabels.errors.LabelWarning")
def test_a_row_alone_has_the_quality_of_the_trusted_rows_with_its_score(auditor, batch):
    data = pl.DataFrame(batch)
    alone = [auditor.audit(data[at : at + 1]).frame["label_quality"][0] for at in range(10)]
    few = auditor.audit(data[:10]).frame["label_quality"].to_list()
    assert alone == few
    assert max(alone) > 0.9


def test_the_quality_of_a_batch_sums_to_its_noise_rate(auditor, batch):
    audit = auditor.audit(pl.DataFrame(batch))
    wrong = float((1 - audit.frame["label_quality"]).sum())
    assert wrong == pytest.approx(max(audit.noise_rate.estimate * audit.audited, 0.5), rel=1e-6)


def test_a_model_of_your_own_judges_a_batch(batch):
    auditor = LabelAuditor("label", model=LogisticRegression()).fit(pl.DataFrame(two_classes()))
    audit = auditor.audit(pl.DataFrame(batch))
    assert sum(flag for flag, wrong in zip(audit.frame["is_label_issue"], planted(), strict=True) if wrong) >= 3
    assert audit.model == "LogisticRegression, fitted on 120 trusted rows"


def test_the_trusted_thresholds_are_used(auditor, batch):
    thresholds = auditor.audit(pl.DataFrame(batch).head(10)).classes["threshold"].to_list()
    assert thresholds == auditor.audit(pl.DataFrame(batch)).classes["threshold"].to_list()


def test_groups_and_weights_are_needed_for_fitting_only(batch):
    data = two_classes() | {"group": [at // 2 for at in range(120)], "weight": [1.0] * 120}
    auditor = LabelAuditor("label", groups="group", sample_weight="weight").fit(pl.DataFrame(data))
    assert auditor.features == ("x", "z")
    assert auditor.audit(pl.DataFrame(batch)).audited == 120


def labelled(batch: dict, label: str) -> dict:
    rows = [at for at, value in enumerate(batch["label"]) if value == label]
    return {name: [values[at] for at in rows] for name, values in batch.items()}


@pytest.mark.filterwarnings("ignore::dqlabels.errors.LabelWarning")
def test_a_batch_of_one_class_is_fine(auditor, make_frame, batch):
    audit = auditor.audit(make_frame(labelled(batch, "no")))
    assert set(column(audit.frame, "suggested_label")) == {"no", "yes"}


def test_a_batch_of_one_row_is_fine(auditor, make_frame):
    row = {"x": [8.0], "z": [0.0], "label": ["no"]}
    assert column(auditor.audit(make_frame(row)).frame, "suggested_label") == ["yes"]


def with_new_class(batch: dict) -> dict:
    return batch | {"label": ["maybe", "perhaps", *batch["label"][2:]]}


def test_rows_of_a_new_class_are_kept_unjudged_and_named(auditor, make_frame, batch):
    with pytest.warns(LabelWarning, match=r"not fitted on: 'maybe' \(1 row\), 'perhaps' \(1 row\)"):
        audit = auditor.audit(make_frame(with_new_class(batch)))
    frame = eager(audit.frame)
    assert frame["suggested_label"].to_list()[:2] == ["maybe", "perhaps"]
    for name in ("label_quality", "is_label_issue"):
        assert np.flatnonzero(frame[name].is_null().to_numpy()).tolist() == [0, 1]
    assert (audit.rows, audit.audited) == (120, 118)


def test_a_new_class_can_be_refused(auditor, batch):
    with pytest.raises(
        LabelColumnError, match=r"'maybe', 'perhaps', which the auditor was not fitted on; it knows 'no', 'yes'"
    ):
        auditor.audit(pl.DataFrame(with_new_class(batch)), new_classes="error")


def test_a_batch_of_new_classes_alone_is_refused(auditor, batch):
    with pytest.raises(LabelColumnError, match=r"no label of the batch is one of the 2 classes .* but 'other'"):
        auditor.audit(pl.DataFrame(batch | {"label": ["other"] * 120}))


def test_a_missing_label_gets_the_models_answer(auditor, make_frame):
    rows = {"x": [8.0, -4.0, 8.0], "z": [0.0, 0.0, 0.0], "label": [None, None, "yes"]}
    frame = eager(auditor.audit(make_frame(rows)).frame)
    assert frame["suggested_label"].to_list() == ["yes", "no", "yes"]
    assert frame["label_quality"].is_null().to_list() == [True, True, False]


@pytest.mark.parametrize(
    ("trusted", "given"),
    [
        ([0, 1], ["0", "1"]),
        (["0", "1"], [0, 1]),
        ([0, 1], [0.0, 1.0]),
        ([0.0, 1.0], [0, 1]),
        ([False, True], ["False", "True"]),
        ([0, 1], [False, True]),
        (DATES, MOMENTS),
        (MOMENTS, DATES),
        pytest.param([1, 2], [decimal.Decimal(1), decimal.Decimal(2)], marks=WIDE_NUMBERS),
    ],
    ids=str,
)
def test_labels_written_otherwise_are_the_same_classes(trusted, given):
    rows = two_classes(rows=60)
    relabel = lambda kinds: pl.DataFrame(rows | {"label": [kinds[value == "yes"] for value in rows["label"]]})  # noqa: E731
    auditor = LabelAuditor("label").fit(relabel(trusted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)
        same, other = auditor.audit(relabel(trusted)), auditor.audit(relabel(given))
    assert other.frame["label_quality"].equals(same.frame["label_quality"])
    assert other.frame["suggested_label"].dtype == other.frame["label"].dtype
    assert other.audited == 60


def test_labels_that_cannot_be_the_classes_are_refused(auditor, batch):
    with pytest.raises(LabelColumnError, match=r"'label' was String in the trusted table and is Int32 now"):
        auditor.audit(pl.DataFrame(batch).with_columns(label=pl.lit(1)))


@pytest.mark.filterwarnings("ignore::dqlabels.errors.LabelWarning")
@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["yes", "no", "unused"]), pl.Enum(["no"])])
def test_polars_categories_are_suggested_as_such(auditor, batch, dtype):
    frame = pl.DataFrame(labelled(batch, "no")).with_columns(pl.col("label").cast(dtype))
    suggested = auditor.audit(frame).frame["suggested_label"]
    assert (suggested.dtype.base_type(), set(suggested)) == (frame["label"].dtype.base_type(), {"no", "yes"})


@pytest.mark.parametrize("dtype", ["category", "string", "object", "string[pyarrow]"])
def test_pandas_dtypes_and_index_survive(auditor, batch, dtype):
    frame = pd.DataFrame(batch, index=[f"r{at}" for at in range(120)]).astype({"label": dtype})
    audited = auditor.audit(frame).frame
    assert audited.index.equals(frame.index)
    assert audited["suggested_label"].dtype == frame["label"].dtype


def test_columns_may_come_in_any_order_with_others_beside(auditor, batch):
    turned = pl.DataFrame(batch).select("label", "z", pl.lit(1).alias("further"), "x")
    assert (
        auditor.audit(turned).frame["label_quality"].equals(auditor.audit(pl.DataFrame(batch)).frame["label_quality"])
    )


def test_a_missing_feature_is_named(auditor, make_frame, batch):
    del batch["z"]
    with pytest.raises(FeatureError, match=r"lacks 1 of the 2 columns .* 'z'"):
        auditor.audit(make_frame(batch))


def test_a_missing_label_column_is_named(auditor, make_frame, batch):
    del batch["label"]
    with pytest.raises(LabelColumnError, match="no column 'label'"):
        auditor.audit(make_frame(batch))


@pytest.mark.parametrize(
    ("rows", "why"), [([], "The batch has no rows"), ([None], "all 1 labels of the batch are missing")]
)
def test_a_batch_without_labels_is_refused(auditor, rows, why):
    frame = pl.DataFrame(
        {"x": [1.0] * len(rows), "z": [1.0] * len(rows), "label": rows}, schema_overrides={"label": pl.String}
    )
    with pytest.raises(LabelColumnError, match=why):
        auditor.audit(frame)


def test_an_output_column_is_never_overwritten(auditor, make_frame, batch):
    with pytest.raises(OutputColumnError, match="'label_quality' already in the frame"):
        auditor.audit(make_frame(batch | {"label_quality": [1.0] * 120}))


def test_unseen_categories_are_counted_in_a_note():
    data = two_classes() | {"c": ["a", "b", "c", "d"] * 30}
    auditor = LabelAuditor("label").fit(pl.DataFrame(data))
    batch = two_classes(seed=5) | {"c": [*["a", "b", "c", "d"] * 29, "a", "b", "c", "new"]}
    with pytest.warns(LabelWarning, match="'c': 1 row with a value that the trusted table did not hold"):
        auditor.audit(pl.DataFrame(batch))


def test_identifiers_left_out_while_fitting_need_not_be_in_a_batch(batch):
    data = two_classes() | {"key": list(range(120))}
    with pytest.warns(LabelWarning, match="'key' identify rows"):
        auditor = LabelAuditor("label").fit(pl.DataFrame(data))
    assert auditor.audit(pl.DataFrame(batch)).audited == 120


def test_an_auditor_not_fitted_says_so(batch):
    with pytest.raises(OptionError, match=r"not fitted\. Call fit\(trusted\) first"):
        LabelAuditor("label").audit(pl.DataFrame(batch))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"compat": "cleanlab"}, "reproduces numbers of one whole table"),
        ({"score": "guess"}, "score='guess' is none of"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_fitting(options, why):
    with pytest.raises(OptionError, match=why):
        LabelAuditor("label", **options)


def test_planted_errors_need_training(auditor, batch):
    with pytest.raises(OptionError, match="need a model to be trained again"):
        auditor.audit(pl.DataFrame(batch)).planted_recall()


def test_settings_and_names_of_the_fit_hold_for_batches(batch):
    auditor = LabelAuditor("label", names=("q", "s", "f"), score="self_confidence").fit(pl.DataFrame(two_classes()))
    audit = auditor.audit(pl.DataFrame(batch))
    assert audit.frame.columns[-3:] == ["q", "s", "f"]
    assert audit.settings["score"] == "self_confidence"


def test_a_gate_on_the_increase_needs_no_reference(auditor, batch):
    same = auditor.audit(pl.DataFrame(batch)).gate(max_increase=0.10)
    labels = [("no" if value == "yes" else "yes") if at % 3 == 0 else value for at, value in enumerate(batch["label"])]
    with pytest.warns(LabelWarning, match="The model disagrees with"):
        noisy = auditor.audit(pl.DataFrame(batch | {"label": labels}))
    assert (same.verdict, noisy.gate(max_increase=0.10).verdict) == ("pass", "fail")


def test_an_auditor_is_the_reference_of_what_it_judged(auditor, batch):
    audit = auditor.audit(pl.DataFrame(batch))
    assert audit.gate(max_increase=0.2, reference=auditor).verdict == "pass"


def test_an_auditor_is_no_reference_for_what_another_model_judged(auditor, batch):
    audit = dqlabels.audit(pl.DataFrame(batch), "label")
    gate = audit.gate(max_increase=0.2, reference=auditor, on_inconclusive="fail")
    assert (gate.verdict, gate.passed) == ("inconclusive", False)
    assert "judged by another model" in gate.check.what or "judged by another model" in gate.message


def test_thirty_rows_are_the_least_that_tell_an_increase(auditor, batch):
    few = {name: values[:29] for name, values in batch.items()}
    gate = auditor.audit(pl.DataFrame(few)).gate(max_increase=0.2, on_inconclusive="fail")
    assert (gate.verdict, gate.passed) == ("inconclusive", False)


def test_clean_batches_show_no_increase_on_average():
    def rows(seed, n):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=n)
        return pl.DataFrame(
            {"x": x, "z": rng.normal(size=n), "label": np.where(x + rng.normal(size=n) > 0, "yes", "no")}
        )

    increases = []
    for seed in range(12):
        auditor = LabelAuditor("label", n_jobs=1).fit(rows(seed, 300))
        increases.append(auditor.audit(rows(100 + seed, 2000)).estimate_noise("reference"))
    estimates = [rate.estimate for rate in increases]
    assert abs(np.mean(estimates)) < 2.5 * np.std(estimates) / len(estimates) ** 0.5
    assert sum(rate.low <= 0 <= rate.high for rate in increases) >= 9


def test_an_improvement_is_no_drift(auditor, batch):
    error = auditor.fitted.error
    shifts = label_shifts(auditor.profile(), ("no", "yes"), np.array([500, 500]), error, 0.0)
    assert not shifts[0].drifted


def test_the_drift_table_is_in_the_callers_library(auditor, make_frame, batch):
    audit = auditor.audit(make_frame(batch))
    assert type(audit.drift).__module__.split(".")[0] == type(make_frame(batch)).__module__.split(".")[0]
    assert column(audit.drift, "what")[:4] == ["noise rate", "model error", "classes", "class share"]


def test_drift_is_in_the_dict(auditor, batch):
    audit = auditor.audit(pl.DataFrame(batch))
    assert [line["name"] for line in audit.to_dict()["drift"] if line["what"] == "class share"] == ["no", "yes"]


def test_an_audit_without_an_auditor_has_no_drift(batch):
    with pytest.raises(OptionError, match="between a trusted table and a batch"):
        _ = dqlabels.audit(pl.DataFrame(batch), "label").drift


def test_features_that_moved_are_named(auditor, batch):
    moved = pl.DataFrame(batch).with_columns(pl.col("z") + 3)
    with pytest.warns(LabelWarning, match="Columns 'z' are spread over other values than in the trusted table"):
        audit = auditor.audit(moved)
    drifted = audit.drift.filter(pl.col("drifted"), pl.col("what") == "feature")
    assert drifted["name"].to_list() == ["z"]


def test_a_batch_like_the_trusted_table_moved_nowhere():
    table = pl.read_csv(ROOT / "examples/data/german_credit.csv").sample(fraction=1.0, shuffle=True, seed=3)
    audit = LabelAuditor("risk").fit(table.head(500)).audit(table.tail(500))
    assert audit.drift.filter(pl.col("drifted"), pl.col("what") == "feature").is_empty()
    assert audit.warnings == ()


def pictures(seed: int) -> dict:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    rng, data = np.random.default_rng(seed), two_classes(rows=60, seed=seed)
    cells = []
    for truth in np.arange(60) % 2:
        pixels = np.clip(rng.normal(60 + 120 * truth, 20, size=(8, 8, 3)), 0, 255).astype(np.uint8)
        written = io.BytesIO()
        image.fromarray(pixels).save(written, "PNG")
        cells.append(written.getvalue())
    return {"picture": cells, "label": data["label"]}


@pytest.mark.filterwarnings("ignore::dqlabels.errors.LabelWarning")
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_images_of_a_batch_are_turned_into_vectors_as_those_fitted_on(make, tmp_path):
    auditor = LabelAuditor("label").fit(make(pictures(0)))
    auditor.save(tmp_path / "a")
    batch = make(pictures(1))
    audit = dqlabels.load(tmp_path / "a").audit(batch)
    assert column(audit.frame, "label_quality") == column(auditor.audit(batch).frame, "label_quality")
    flags = column(audit.frame, "is_label_issue")
    assert sum(flag for flag, wrong in zip(flags, planted(60), strict=True) if wrong) >= 2  # of 3
    assert not any(flag for flag, wrong in zip(flags, planted(60), strict=True) if not wrong)
    assert column(audit.frame, "picture") == column(batch, "picture")


def words(values: list) -> np.ndarray:
    return np.array([[len(value), value.count("a")] for value in values], dtype=np.float32)


@pytest.mark.filterwarnings("ignore::dqlabels.errors.LabelWarning")
def test_a_callable_that_embeds_is_called_for_batches_and_refused_by_a_file(tmp_path):
    data = two_classes()
    texts = {"text": [("banana" if at % 2 else "fig") + "!" * (at % 7) for at in range(120)]}
    auditor = LabelAuditor("label", embed={"text": words}).fit(pl.DataFrame({"label": data["label"], **texts}))
    assert auditor.audit(pl.DataFrame({"label": data["label"], **texts})).audited == 120
    with pytest.raises(AuditorFileError, match="'text' are embedded by a callable"):
        auditor.save(tmp_path / "a")


# With so few rows per class a table is learnt in halves.
MANY = Sized(Sizes(rows_per_class=400, halves=BoostingSizes(trees=32)))


@pytest.fixture
def halves() -> pl.DataFrame:
    """A trusted table that counts as one of many rows a class; its labels are drawn at random, with no missing one."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1_000))
    return pl.DataFrame({"x": x, "y": y, "label": rng.choice(["no", "yes"], 1_000)})


def test_a_table_of_many_rows_a_class_is_learnt_in_halves(halves):
    auditor = MANY.auditor("label").fit(halves)
    assert auditor.fitted.model.name == "boosted trees, two halves of 1,000 kinds of row"


@pytest.mark.filterwarnings(COPIES)
def test_no_half_judges_rows_that_it_saw(halves):
    """A model that had seen a random label would know it better than chance."""
    auditor = MANY.auditor("label").fit(halves)
    found = auditor.audit(halves)
    assert 0.42 < found.model_error < 0.58
    assert found.model_error == auditor.profile()["model_error"]


def test_copies_of_rows_that_a_half_saw_are_counted(halves):
    batch = pl.concat([halves.head(7), halves.tail(50).with_columns(pl.col("x") + 0.001)])
    with pytest.warns(LabelWarning, match="7 rows of the batch copy rows the auditor was fitted on"):
        MANY.auditor("label").fit(halves).audit(batch)


@pytest.mark.parametrize("how", ["shuffled", "one thread"])
def test_halves_do_not_depend_on_the_order_of_rows_or_threads(halves, how):
    batch = halves.with_columns(pl.col("x") + 0.001)
    trusted = halves.sample(fraction=1.0, shuffle=True, seed=3) if how == "shuffled" else halves
    other = MANY.auditor("label", n_jobs=1 if how == "one thread" else None).fit(trusted)
    assert other.audit(batch).frame.equals(MANY.auditor("label").fit(halves).audit(batch).frame)


def test_groups_keep_the_bag(halves):
    trusted = halves.with_columns(group=pl.int_range(pl.len()) // 2)
    assert "extra-trees" in MANY.auditor("label", groups="group").fit(trusted).fitted.model.name


def test_a_table_of_many_rows_alike_keeps_the_bag(halves):
    trusted = halves.with_columns(pl.lit(1).alias("y"), pl.int_range(pl.len()).mod(9).alias("x"))
    with pytest.warns(LabelWarning):
        auditor = MANY.auditor("label").fit(trusted)
    assert "extra-trees" in auditor.fitted.model.name


@pytest.mark.filterwarnings(COPIES)
def test_an_auditor_of_a_large_table_agrees_with_the_audit_of_it(halves):
    small = Sized(Sizes(large_rows=600, halves=MANY.sizes.halves))
    assert small.auditor("label").fit(halves).audit(halves).frame.equals(small.audit(halves, "label").frame)


def test_what_to_do_with_new_classes_is_one_of_two(auditor):
    with pytest.raises(OptionError, match="new_classes='drop' is none of 'keep', 'error'"):
        auditor.audit(pl.DataFrame(two_classes()), new_classes="drop")


def test_it_shows_whether_it_is_fitted(auditor):
    assert repr(LabelAuditor("label")) == "<LabelAuditor of 'label', not fitted>"
    assert repr(auditor).startswith("<LabelAuditor of 'label': 2 classes, 2 features, extra-trees")

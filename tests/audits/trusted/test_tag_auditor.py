"""Auditors of several labels per row: a model per label of a trusted table judges batches, and a file keeps them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from support.command import run
from support.frames import column, eager

import dqlabels
from dqlabels import LabelAuditor, LabelMonitor
from dqlabels.audits.trusted import saved
from dqlabels.errors import AuditorFileError, FeatureError, LabelColumnError, LabelWarning, OptionError

TAGS = ["cat", "dog", "owl"]
ADDED = ("label_quality", "suggested_label", "is_label_issue")


def planted(seed: int, rows: int, wrong: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Given answers (n, 3), which of them are wrong, and features that tell the right ones."""
    rng = np.random.default_rng(seed)
    true, flipped = rng.random((rows, 3)) < [0.3, 0.5, 0.4], rng.random((rows, 3)) < wrong
    return true ^ flipped, flipped, true @ (3 * np.eye(3)) + rng.normal(0, 0.5, (rows, 3))


def photos(seed: int = 0, rows: int = 150, wrong: float = 0.04) -> dict[str, list]:
    given, _, features = planted(seed, rows, wrong)
    data = {f"x{j}": features[:, j].tolist() for j in range(3)}
    return data | {"tags": [[name for name, has in zip(TAGS, row, strict=True) if has] for row in given]}


@pytest.fixture(scope="module")
def auditor() -> LabelAuditor:
    return LabelAuditor("tags", task="multilabel").fit(pl.DataFrame(photos(rows=300, wrong=0.01)))


def test_wrong_answers_of_a_batch_are_found(auditor, make_frame):
    _, flipped, _ = planted(5, 150, 0.04)
    issues = eager(auditor.audit(make_frame(photos(5))).issues)
    pairs = zip(issues["row"].to_list(), issues["label"].to_list(), strict=True)
    found = {(row, TAGS.index(tag)) for row, tag in pairs}
    wrong = set(zip(*map(np.ndarray.tolist, np.nonzero(flipped)), strict=True))
    assert len(found & wrong) > 0.8 * max(len(wrong), len(found))


def test_a_batch_comes_back_as_an_audit_that_trains_gives_it(auditor, make_frame):
    frame = make_frame(photos(5))
    audited, trained = auditor.audit(frame).frame, dqlabels.audit(frame, "tags").frame
    assert type(audited) is type(frame)
    assert eager(audited).schema == eager(trained).schema
    assert column(audited, "tags") == column(frame, "tags")


@pytest.mark.filterwarnings("ignore:.*the auditor was fitted on:dqlabels.errors.LabelWarning")
def test_the_trusted_rows_get_nearly_the_flags_of_the_audit_that_trains():
    trusted = pl.DataFrame(photos())
    flags = LabelAuditor("tags", task="multilabel").fit(trusted).audit(trusted).frame["is_label_issue"]
    expected = dqlabels.audit(trusted, "tags").frame["is_label_issue"]
    assert (flags != expected).sum() <= 5


def test_a_row_is_flagged_exactly_where_the_suggestion_differs(auditor, make_frame):
    audited = auditor.audit(make_frame(photos(5))).frame
    pairs = zip(photos(5)["tags"], column(audited, "suggested_label"), strict=True)
    assert column(audited, "is_label_issue") == [set(given) != set(should) for given, should in pairs]


def test_a_row_alone_is_judged_as_in_its_batch(auditor):
    batch = pl.DataFrame(photos(5))[:40]
    together = auditor.audit(batch).frame["is_label_issue"].to_list()
    assert [bool(auditor.audit(batch[row]).flagged) for row in range(40)] == together
    assert any(together)


def test_a_row_without_a_list_gets_the_models_answer(auditor, make_frame):
    rows = photos(5, wrong=0.0)
    should, rows["tags"][3] = set(rows["tags"][3]), None
    answer = eager(auditor.audit(make_frame(rows)).frame)
    assert answer["label_quality"].is_null()[3]
    assert set(column(answer, "suggested_label")[3]) == should


@pytest.mark.filterwarnings("ignore:The model disagrees with:dqlabels.errors.LabelWarning")
def test_a_batch_of_empty_lists_is_judged_and_never_passes(auditor, make_frame):
    rows = photos(5) | {"tags": [[] for _ in range(150)]}
    audit = auditor.audit(make_frame(rows))
    given, _, _ = planted(5, 150, 0.0)
    assert audit.flagged > 0.9 * given.any(axis=1).sum()
    assert set(TAGS) >= {tag for row in column(audit.frame, "suggested_label") for tag in row}
    nothing = pl.DataFrame(rows).filter(pl.Series(~given.any(axis=1)))
    assert auditor.audit(nothing).gate(max_noise_rate=0.5, on_inconclusive="fail").verdict == "inconclusive"


@pytest.mark.filterwarnings("ignore:The model disagrees with:dqlabels.errors.LabelWarning")
def test_categories_that_a_batch_lacks_can_be_suggested(auditor):
    batch = pl.DataFrame(photos(5)).with_columns(pl.col("tags").list.set_difference(["owl"]))
    batch = batch.with_columns(pl.col("tags").cast(pl.List(pl.Enum(["cat", "dog"]))))
    assert "owl" in auditor.audit(batch).frame["suggested_label"].explode().to_list()


def test_a_label_that_is_not_known_is_noted_and_stays(auditor, make_frame):
    rows = photos(5)
    rows["tags"][7] = [*rows["tags"][7], "newt"]
    with pytest.warns(LabelWarning, match=r"cannot judge: 'newt' \(1 row\)"):
        audit = auditor.audit(make_frame(rows))
    assert "newt" in column(audit.frame, "suggested_label")[7]
    expected = auditor.audit(make_frame(photos(5))).frame
    assert column(audit.frame, "label_quality") == column(expected, "label_quality")
    assert audit.gate(max_noise_rate=0.3).passed


@pytest.mark.filterwarnings("ignore:.*cannot judge:dqlabels.errors.LabelWarning")
def test_a_batch_full_of_unknown_labels_does_not_pass(auditor):
    rows = photos(5, wrong=0.0)
    rows["tags"] = [[*tags, "newt"] for tags in rows["tags"]]
    result = auditor.audit(pl.DataFrame(rows)).gate(max_noise_rate=0.3, on_inconclusive="fail")
    assert (result.verdict, result.passed) == ("inconclusive", False)


def test_unknown_labels_can_be_refused(auditor):
    rows = photos(5)
    rows["tags"][7] = ["newt"]
    with pytest.raises(LabelColumnError, match="cannot judge: 'newt'"):
        auditor.audit(pl.DataFrame(rows), new_classes="error")


@pytest.mark.filterwarnings("ignore:.*every row has them:dqlabels.errors.LabelWarning")
def test_a_label_on_every_trusted_row_is_not_known():
    rows = photos()
    rows["tags"] = [[*tags, "pet"] for tags in rows["tags"]]
    assert LabelAuditor("tags", task="multilabel").fit(pl.DataFrame(rows)).classes == tuple(TAGS)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda frame: frame.drop("x1"), FeatureError, "lacks 1 of the 3 columns"),
        (lambda frame: frame.with_columns(tags=pl.lit(None)), LabelColumnError, "all 150 rows of the batch"),
        (lambda frame: frame.with_columns(tags=pl.lit("cat")), LabelColumnError, "is no list of labels"),
        (lambda frame: frame.with_columns(tags=["newt"]), LabelColumnError, r"knows \('cat', 'dog', 'owl'\), but"),
        (lambda frame: frame.drop("tags"), LabelColumnError, "tags"),
        (lambda frame: frame[:0], LabelColumnError, "The batch has no rows"),
    ],
)
def test_a_batch_that_cannot_be_judged_says_why(auditor, change, error, message):
    with pytest.raises(error, match=message):
        auditor.audit(change(pl.DataFrame(photos(5))))


@pytest.mark.filterwarnings("ignore:The model disagrees with:dqlabels.errors.LabelWarning")
def test_a_gate_limits_the_noise_rate(auditor):
    assert auditor.audit(pl.DataFrame(photos(5, wrong=0.0))).gate(max_noise_rate=0.1).passed
    noisy = auditor.audit(pl.DataFrame(photos(5, wrong=0.3)))
    assert noisy.gate(max_noise_rate=0.1, decide="confident").verdict == "fail"
    assert noisy.gate(max_class_noise_rate={"cat": 0.1}).verdict == "fail"


def test_a_clean_batch_has_no_more_noise_than_the_trusted_rows(auditor):
    rates = [auditor.audit(pl.DataFrame(photos(seed, wrong=0.01))).noise_rate for seed in (5, 6, 7)]
    assert {rate.method for rate in rates} == {"trusted"}
    assert all(rate.low <= 0.01 for rate in rates)


def test_a_saved_auditor_judges_as_the_one_in_memory(auditor, make_frame, tmp_path):
    auditor.save(tmp_path / "tags.dqlabels")
    loaded = dqlabels.load(tmp_path / "tags.dqlabels")
    batch = make_frame(photos(5))
    for name in ADDED:
        assert column(loaded.audit(batch).frame, name) == column(auditor.audit(batch).frame, name)
    assert (loaded.classes, loaded.features) == (tuple(TAGS), ("x0", "x1", "x2"))
    assert loaded.summary() == auditor.summary()


def test_the_same_auditor_gives_the_same_bytes(auditor, tmp_path):
    auditor.save(tmp_path / "one")
    dqlabels.load(tmp_path / "one").save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_auditor_with_a_model_of_ones_own_is_saved(tmp_path):
    pytest.importorskip("skops", reason="the extra skops is not installed")
    own = LabelAuditor("tags", task="multilabel", model=LogisticRegression(), cv=3).fit(pl.DataFrame(photos()))
    own.save(tmp_path / "tags.dqlabels")
    batch = pl.DataFrame(photos(5))
    assert dqlabels.load(tmp_path / "tags.dqlabels").audit(batch).frame.equals(own.audit(batch).frame)


def test_columns_are_embedded_for_batches_and_a_file_refuses_what_is_code(tmp_path):
    def tripled(values):
        return np.column_stack([np.array([value["x"] for value in values])] * 3)

    def packed(rows):
        return pl.DataFrame(rows).with_columns(pl.struct(x="x0").alias("x0"))

    auditor = LabelAuditor("tags", task="multilabel", embed={"x0": tripled}).fit(packed(photos()))
    plain = LabelAuditor("tags", task="multilabel").fit(pl.DataFrame(photos()))
    audits = [one.audit(batch) for one, batch in ((auditor, packed(photos(5))), (plain, pl.DataFrame(photos(5))))]
    assert abs(audits[0].flagged - audits[1].flagged) <= 3
    with pytest.raises(AuditorFileError, match="'x0' are embedded by a callable"):
        auditor.save(tmp_path / "tags.dqlabels")


def test_lists_that_are_fitted_as_classes_have_a_way_out():
    with pytest.raises(LabelColumnError, match="say task='multilabel' if these are lists of labels"):
        LabelAuditor("tags").fit(pl.DataFrame(photos()))


def flagged_photos(*seed) -> pl.DataFrame:
    """The same photos with a yes/no column for each tag."""
    frame = pl.DataFrame(photos(*seed))
    return frame.with_columns(pl.col("tags").list.contains(name).alias(name) for name in TAGS).drop("tags")


def test_yes_no_columns_are_judged_as_the_lists_that_they_make(auditor, tmp_path):
    of_columns = LabelAuditor(TAGS, task="multilabel").fit(flagged_photos(0, 300, 0.01))
    of_columns.save(tmp_path / "tags.dqlabels")
    listed, ticked = auditor.judge(pl.DataFrame(photos(5))), of_columns.judge(flagged_photos(5))
    loaded = dqlabels.load(tmp_path / "tags.dqlabels")
    assert loaded.judge(flagged_photos(5)).frame.equals(ticked.frame)
    assert (of_columns.label, loaded.classes) == ("cat, dog, owl", tuple(TAGS))
    assert ticked.label_columns == tuple(TAGS)
    for name in ("label_quality", "is_label_issue"):
        assert ticked.frame[name].equals(listed.frame[name])
    assert ticked.issues.equals(listed.issues)
    assert LabelMonitor(loaded, history=tmp_path / "history").check(flagged_photos(5, 150, 0.01)).verdict == "pass"


def test_a_batch_needs_every_yes_no_column():
    auditor = LabelAuditor(TAGS, task="multilabel").fit(flagged_photos(0, 150, 0.01))
    with pytest.raises(LabelColumnError, match="owl"):
        auditor.audit(flagged_photos(5).drop("owl"))
    with pytest.raises(LabelColumnError, match="all 150 rows of the batch are missing"):
        auditor.audit(flagged_photos(5).with_columns(pl.lit(None, pl.Boolean).alias(name) for name in TAGS))


def test_the_sample_of_a_large_table_is_refused():
    with pytest.raises(OptionError, match="sample_rows= is for one class per row"):
        LabelAuditor("tags", task="multilabel", sample_rows=50_000).fit(pl.DataFrame(photos()))


def test_a_check_on_classes_says_that_the_file_judges_several_labels(auditor, tmp_path):
    from dqlabels.integrations.sharing import audit_by_auditor

    auditor.save(tmp_path / "tags.dqlabels")
    with pytest.raises(AuditorFileError, match="'tag auditor', and here an auditor of classes is needed"):
        audit_by_auditor(pl.DataFrame(photos()), "tags", {"auditor": str(tmp_path / "tags.dqlabels")})


def test_the_header_says_that_it_judges_several_labels(auditor, tmp_path):
    auditor.save(tmp_path / "tags.dqlabels")
    with zipfile.ZipFile(tmp_path / "tags.dqlabels") as file:
        header = json.loads(file.read("header.json"))
    assert (header["kind"], len(header["tags"])) == ("tag auditor", 3)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("tag1.tally.rows", lambda array: -array),
        ("tag1.wrong.nodes", lambda array: array[::-1]),
        ("tag2.seen.keys", lambda array: array[::-1]),
        ("tag2.seen.probs", lambda array: array * 2),
        ("tag0.forest.feature", lambda array: array + 3),
        ("tag0.forest.left", lambda array: array * 0),
    ],
)
def test_an_altered_array_is_refused(auditor, tmp_path, monkeypatch, name, changed):
    def arrays(archive):
        return {**archive.arrays, name: np.ascontiguousarray(changed(archive.arrays[name]))}

    with pytest.raises(AuditorFileError):
        loaded_after(auditor, tmp_path, monkeypatch, lambda archive: replace(archive, arrays=arrays(archive)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "fitted on 0 rows"),
        ({"tags": []}, "names 3 different tags and has 0 models"),
        ({"label": {"name": "tags", "tags": [["str", "cat"]] * 3}}, "names 1 different tags"),
        ({"names": ["a", "a", "b"]}, "names 2 output columns"),
        ({"settings": {}}, "cannot be used"),
        ({"encoder": None}, "cannot be used"),
    ],
)
def test_an_altered_header_is_refused(auditor, tmp_path, monkeypatch, change, message):
    with pytest.raises(AuditorFileError, match=message):
        loaded_after(
            auditor, tmp_path, monkeypatch, lambda archive: replace(archive, header={**archive.header, **change})
        )


@pytest.mark.parametrize("change", [{"estimate": 2.0}, {"low": float("nan")}, {"supported": 1}, {"high": 0.0}])
def test_an_altered_noise_rate_is_refused(auditor, tmp_path, monkeypatch, change):
    def altered(archive):
        first, *rest = archive.header["tags"]
        first = {**first, "noise_rate": {**first["noise_rate"], "low": 0.001, "estimate": 0.01, **change}}
        return replace(archive, header={**archive.header, "tags": [first, *rest]})

    with pytest.raises(AuditorFileError, match="noise rate means nothing here"):
        loaded_after(auditor, tmp_path, monkeypatch, altered)


def loaded_after(auditor, folder, monkeypatch, altered):
    """Load a saved auditor whose content was altered."""
    auditor.save(folder / "tags.dqlabels")
    read = saved.read_archive
    monkeypatch.setattr(saved, "read_archive", lambda path: altered(read(path)))
    return dqlabels.load(folder / "tags.dqlabels")


def test_the_command_fits_lists_and_gates_by_them(tmp_path):
    pl.DataFrame(photos(rows=300)).write_parquet(tmp_path / "trusted.parquet")
    pl.DataFrame(photos(5)).write_parquet(tmp_path / "batch.parquet")
    path = str(tmp_path / "tags.dqlabels")
    fitted = run("fit", tmp_path / "trusted.parquet", "--label", "tags", "--task", "multilabel", "-o", path)
    said = " ".join(fitted.stdout.decode().split())  # a long path wraps the line
    assert (fitted.returncode, "judges 'tags' (3 labels, several per row)" in said) == (0, True), fitted
    done = run("gate", tmp_path / "batch.parquet", "--auditor", path, "--max-noise-rate", "0.2")
    assert done.returncode == 0, done.stdout + done.stderr

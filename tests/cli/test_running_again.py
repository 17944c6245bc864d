"""A command that is run again on its own output does what it did: a job may be retried."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from support import command
from support.frames import two_classes

from dqlabels.models.sizes import BoostingSizes, Sizes

TEXTS = pl.DataFrame(two_classes()).with_columns(
    label=pl.col("label").replace_strict({"no": "001", "yes": "002"}), id=pl.format("00{}", pl.int_range(pl.len()))
)


def twice(path: Path, *arguments: object, verb: str = "audit", **settings: object) -> None:
    written = []
    for _ in range(2):
        done = command.run(verb, path, "-q", "-o", path, *arguments, **settings)
        assert done.returncode == 0, done.stderr
        written.append(path.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson"])
@pytest.mark.parametrize("verb", ["audit", "checkup"])
def test_the_output_of_the_second_run_is_that_of_the_first(tmp_path, kind, verb):
    path = tmp_path / f"l.{kind}"
    getattr(TEXTS, f"write_{kind}")(path)
    twice(path, "-y", "label", verb=verb)


def test_a_file_judged_in_passes_may_be_run_again(tmp_path):
    path = tmp_path / "l.csv"
    TEXTS.write_csv(path)
    twice(path, "-y", "label", sizes=Sizes(large_rows=50, read_rows=40, halves=BoostingSizes(trees=4)))


def test_an_auditor_may_be_run_again(tmp_path):
    path, saved = tmp_path / "l.csv", tmp_path / "l.dqlabels"
    TEXTS.write_csv(path)
    assert command.run("fit", path, "-y", "label", "-q", "-o", saved).returncode == 0
    twice(path, "--auditor", saved)


def test_annotators_may_be_run_again_when_told_to_overwrite(tmp_path):
    path = tmp_path / "l.csv"
    rows = [(at % 2, (at + at % 9 // 8) % 2, (at + at % 7 // 6) % 2) for at in range(90)]
    pl.DataFrame(rows, schema=["a", "b", "c"], orient="row").write_csv(path)
    twice(path, "-y", "a,b,c", "--overwrite", verb="annotators")


def test_columns_of_those_names_that_no_audit_added_are_kept_unless_told(tmp_path):
    path = tmp_path / "l.csv"
    pl.DataFrame(two_classes()).with_columns(
        label_quality=0.5, suggested_label=pl.lit("yes"), is_label_issue=True
    ).write_csv(path)
    before = path.read_bytes()
    done = command.run("audit", path, "-y", "label", "-q", "-o", path)
    assert (done.returncode, path.read_bytes()) == (2, before)
    assert b"already in the frame" in done.stderr
    twice(path, "-y", "label", "--overwrite")


OWN = {
    "one of them": {"label_quality": pl.lit(0.5)},
    "of other types": {"label_quality": pl.lit("high"), "suggested_label": pl.lit("a"), "is_label_issue": pl.lit("no")},
}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_columns_of_the_user_that_are_named_like_ours_are_never_overwritten(tmp_path, own):
    path = tmp_path / "l.parquet"
    TEXTS.with_columns(**own).write_parquet(path)
    done = command.run("audit", path, "-y", "label", "-o", tmp_path / "out.parquet")
    assert done.returncode == 2
    assert b"label_quality" in done.stderr
    assert not (tmp_path / "out.parquet").exists()

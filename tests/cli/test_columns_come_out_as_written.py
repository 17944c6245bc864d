"""Every column of a text file comes out of every command character for character, whatever was judged."""

from __future__ import annotations

import csv
import io
import string
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support import command

from dqlabels.cli.sources import Source
from dqlabels.cli.verbatim import Written
from dqlabels.errors import OptionError
from dqlabels.models.sizes import BoostingSizes, Sizes

ROWS = 120
HEADER = ["id", "code", "amount", "when", "flag", "x", "label"]


def rows() -> list[list[str]]:
    found = []
    for at in range(ROWS):
        truth = at % 2
        label = 1 - truth if at % 20 == 7 else truth
        found.append(
            [f"{at:05d}", ["", "007", "+3"][at % 3], ["1e5", "1.50", "-0.0"][at % 3],
             f"2024-01-{at % 28 + 1:02d}T00:00:00Z", ["true", "TRUE"][at % 2], f"{truth * 4 + at % 7 / 10:.2f}",
             f"00{label + 1}"]
        )  # fmt: skip
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows()])
    return path


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="") as file:
        header, *found = csv.reader(file)
    return header, found


def check(path: Path) -> list[list[str]]:
    header, found = read(path)
    assert header[: len(HEADER)] == HEADER
    assert [row[: len(HEADER)] for row in found] == rows()
    return [row[len(HEADER) :] for row in found]


@pytest.mark.parametrize("verb", ["audit", "checkup"])
def test_the_columns_and_the_suggested_labels_are_those_of_the_file(source, tmp_path, verb):
    out = tmp_path / "out.csv"
    done = command.run(verb, source, "-y", "label", "-q", "-o", out)
    assert done.returncode == 0, done.stderr
    added = check(out)
    labels = [row[-1] for row in rows()]
    assert {row[1] for row in added} == {"001", "002"}
    assert [row[2] == "true" for row in added] == [row[1] != label for row, label in zip(added, labels, strict=True)]
    assert any(row[2] == "true" for row in added)


def test_a_file_that_is_judged_in_passes_comes_out_as_written(source, tmp_path):
    out, small = tmp_path / "out.csv", Sizes(large_rows=50, read_rows=40, halves=BoostingSizes(trees=4))
    done = command.run("audit", source, "-y", "label", "-q", "-o", out, sizes=small)
    assert done.returncode == 0, done.stderr
    assert {row[1] for row in check(out)} == {"001", "002"}


def test_a_pipe_comes_out_as_written(source, tmp_path):
    done = command.run("audit", "-", "-y", "label", "-q", "-o", "-", stdin=source.read_bytes())
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out.csv"
    out.write_bytes(done.stdout)
    check(out)


def test_numbers_judged_as_numbers_are_written_as_they_were(source, tmp_path):
    out = tmp_path / "out.csv"
    done = command.run("audit", source, "-y", "x", "--task", "regression", "-q", "-o", out)
    assert done.returncode == 0, done.stderr
    for row, added in zip(rows(), check(out), strict=True):
        assert added[2] == "true" or added[1] == row[5]


def test_annotators_come_out_as_written(tmp_path):
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    lines = [f"{at:04d},0{at % 2},0{at % 2},0{1 if at % 9 == 4 else at % 2}" for at in range(60)]
    path.write_text("\n".join(["id,a,b,c", *lines]) + "\n")
    done = command.run("annotators", path, "-y", "a,b,c", "-q", "-o", out)
    assert done.returncode == 0, done.stderr
    found = read(out)[1]
    assert [",".join(row[:4]) for row in found] == lines
    assert {row[5] for row in found} == {"00", "01"}


def test_a_binary_file_gets_numbers_but_keeps_zeros_in_front(source, tmp_path):
    out = tmp_path / "out.parquet"
    assert command.run("audit", source, "-y", "label", "-q", "-o", out).returncode == 0
    table = pl.read_parquet(out)
    assert table["id"].to_list() == [f"{at:05d}" for at in range(ROWS)]
    assert table["label"].dtype == table["suggested_label"].dtype == pl.String
    assert table["amount"].dtype == pl.Float64
    assert table["when"].dtype.is_temporal()


def test_a_review_sample_is_written_and_answered_as_the_file_writes_its_labels(source, tmp_path):
    sample, answered = tmp_path / "sample.csv", tmp_path / "answered.csv"
    done = command.run("review-sample", source, "-y", "label", "-n", "60", "-o", sample)
    assert done.returncode == 0, done.stderr
    header, found = read(sample)
    whole = [dict(zip(HEADER, row, strict=True)) for row in rows()]
    for row in (dict(zip(header, one, strict=True)) for one in found):
        expected = whole[int(row["row"])]
        assert {name: row[name] for name in HEADER} == expected
    answers = [[*row[:2], row[1] if at else "unclear", *row[3:]] for at, row in enumerate(found)]
    with answered.open("w", newline="") as file:
        csv.writer(file).writerows([header, *answers])
    done = command.run("audit", source, "-y", "label", "--reviewed", answered)
    assert done.returncode == 0, done.stderr
    assert b"no class of the label" not in done.stdout + done.stderr


FIELD = st.text(alphabet=string.digits + '+-.eTZ: ,"\n' + "äx", max_size=8)


@settings(deadline=None, max_examples=60)
@example([(chr(34) * 2 + "981-eä", "x")])
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=12))
def test_any_text_comes_out_of_reading_and_restoring(cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("a", "b"), *cells])
    source = Source("-", "csv", text.getvalue().encode())
    try:
        typed = source.read()
    except OptionError as error:  # old versions of Polars fail on a doubled quote before an umlaut
        assume("A newer Polars may read it" not in str(error))
        raise
    written = Written.of(source, typed)
    restored = written.restore(typed.with_columns(more=1), {}, "csv")
    out = io.BytesIO()
    restored.write_csv(out)
    found = list(csv.reader(io.StringIO(out.getvalue().decode(), newline="")))
    assert [tuple(row[:2]) for row in found[1:]] == cells

"""Where a warehouse keeps its tables: tab-separated and packed text, and folders of Parquet files with partitions."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from support import command
from support.frames import two_classes

from dqlabels.cli.files import table_format
from dqlabels.cli.sources import Source, read_table
from dqlabels.errors import OptionError

ADDED = ["label_quality", "suggested_label", "is_label_issue"]


def table() -> pl.DataFrame:
    return pl.DataFrame(two_classes()).with_columns(code=pl.Series([f"{at:04d}" for at in range(120)]))


def packed(text: bytes, how: str) -> bytes:
    if how == ".gz":
        return gzip.compress(text)
    return pytest.importorskip("zstandard").compress(text) if how == ".zst" else text


@pytest.mark.parametrize("how", ["", ".gz"])
@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_text_is_read_as_its_name_says_and_comes_out_as_written(tmp_path, suffix, separator, how):
    source, target = tmp_path / f"in{suffix}{how}", tmp_path / f"out{suffix}"
    text = table().write_csv(separator=separator)
    source.write_bytes(packed(text.encode(), how))
    done = command.run("audit", source, "--label", "label", "-o", target, "--exclude", "code", "--quiet")
    assert done.returncode == 0, done.stderr
    lines = target.read_text().splitlines()
    assert [line.split(separator)[: table().width] for line in lines] == [
        line.split(separator) for line in text.splitlines()
    ]
    assert lines[0].split(separator)[-3:] == ADDED


def folder(path: Path) -> Path:
    for half, part in enumerate((table().head(60), table().tail(60))):
        (path / f"month={half + 1}").mkdir(parents=True)
        part.write_parquet(path / f"month={half + 1}" / "part.parquet")
    return path


def test_a_folder_of_partitions_is_one_table(tmp_path):
    source, target = folder(tmp_path / "loans"), tmp_path / "out.parquet"
    done = command.run("audit", source, "--label", "label", "-o", target, "--exclude", "code", "--quiet")
    assert done.returncode == 0, done.stderr
    audited = pl.read_parquet(target)
    assert audited.select(table().columns).equals(table())
    assert audited["month"].to_list() == [1] * 60 + [2] * 60


@pytest.mark.skipif(not hasattr(pl.LazyFrame, "collect_batches"), reason="Polars before 1.34 hands out no batches")
def test_a_folder_can_be_read_in_passes(tmp_path):
    lazy = Source.of(str(folder(tmp_path / "loans"))).scan()
    assert lazy is not None
    assert lazy.collect().height == 120


@pytest.mark.parametrize(
    ("name", "message"),
    [("loans.parquet.gz", "of packed files only csv and tsv"), ("loans.gz", "of packed files"), ("a.xyz", "'.xyz'")],
)
def test_a_name_that_says_nothing_that_is_read_is_refused(name, message):
    with pytest.raises(OptionError, match=message):
        table_format(name, None)


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(OptionError, match="cannot be read as parquet"):
        read_table(str(tmp_path))


def test_a_folder_whose_name_is_a_pattern_is_refused(tmp_path):
    folder(tmp_path / "loans[1]")
    with pytest.raises(OptionError, match="under a name without any of"):
        read_table(str(tmp_path / "loans[1]"))


@pytest.mark.parametrize("output", ["out.csv.gz", "."])
def test_what_is_read_and_not_written_is_refused_before_any_work(tmp_path, output):
    source = tmp_path / "in.csv"
    table().write_csv(source)
    done = command.run("audit", source, "--label", "label", "-o", tmp_path / output)
    assert done.returncode == 2
    assert b"read and not written" in done.stderr.replace(b"\n", b" ")


def test_a_damaged_packed_file_is_named(tmp_path):
    source = tmp_path / "in.csv.gz"
    source.write_bytes(gzip.compress(table().write_csv().encode())[:-20])
    with pytest.raises(OptionError, match="in.csv.gz cannot be read"):
        read_table(str(source))

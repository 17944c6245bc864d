"""A path on the command line names one file, whatever signs are in it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from support import command
from support.frames import two_classes

from dqlabels.cli.files import FORMATS
from dqlabels.cli.sources import Source, read_table

NAMES = [
    "d[1]",
    "all*",
    "a?b",
    "{a,b}",
    "[!x]",
    "~x",
    "$HOME",
    "s3:x",
    "a%20b",
    "über den Wolken",
    "file:x",
    "a\\b",
    "#x",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [".csv", ".parquet", ".arrow", ".ndjson"])
def test_only_the_file_of_that_name_is_read(tmp_path: Path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    write = f"write_{FORMATS[kind]}"
    for other in ("d1", "all1", "allx", "aab", "a", "b", "y"):
        with Path(other + kind).open("wb") as file:
            getattr(pl.DataFrame({"x": [1, 2]}), write)(file)
    path = name + kind
    with Path(path).open("wb") as file:
        getattr(pl.DataFrame({"x": [7]}), write)(file)
    for given in (path, str(tmp_path / path)):
        assert read_table(given)["x"].to_list() == [7]
        scanned = Source.of(given).scan()
        assert scanned is None or scanned.collect()["x"].to_list() == [7]
        texts = Source.of(given).texts()
        assert texts is None or texts.collect()["x"].to_list() == ["7"]


@pytest.mark.parametrize("name", ["d[1]", "all*"])
@pytest.mark.parametrize("kind", [".csv", ".parquet", ".arrow", ".ndjson"])
def test_a_name_that_no_file_has_is_missing_though_others_match_it(tmp_path: Path, name, kind):
    with (tmp_path / f"d1{kind}").open("wb") as file:
        getattr(pl.DataFrame({"x": [1]}), f"write_{FORMATS[kind]}")(file)
    with pytest.raises(FileNotFoundError):
        read_table(str(tmp_path / (name + kind)))


def test_an_audit_reads_and_writes_the_files_of_those_names(tmp_path: Path):
    source, out = tmp_path / "in[1].csv", tmp_path / "out*.csv"
    pl.DataFrame(two_classes()).write_csv(tmp_path / "in1.csv")
    pl.DataFrame(two_classes(rows=100)).write_csv(source)
    done = command.run("audit", source, "-y", "label", "-q", "-o", out)
    assert done.returncode == 0, done.stderr
    with out.open("rb") as file:
        assert pl.read_csv(file).height == 100

"""``--embed``: columns that the user's own function, or a reader of images, turns into vectors."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest
from support.media import images, words
from typer.testing import CliRunner

from dqlabels.cli.app import app
from dqlabels.cli.fit import check_embeddings
from dqlabels.cli.parsing import embeddings
from dqlabels.errors import OptionError

MODULE = """
class Model:
    def encode(self, texts):
        return [[len(text), float("goal" in text)] for text in texts]

model = Model()
encode = model.encode
size = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a module, and a Python path that is put back."""
    (tmp_path / "words_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.delitem(sys.modules, "words_of_mine", raising=False)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("how", ["words_of_mine:encode", "words_of_mine:model.encode"])
def test_texts_are_embedded_by_a_function_of_the_working_folder(folder, how):
    data, wrong = words()
    pl.DataFrame(data).write_csv("texts.csv")
    done = run("audit", "texts.csv", "--label", "label", "--embed", f"text={how}", "-o", "out.parquet", "-q")
    assert done.exit_code == 0, done.output
    assert pl.read_parquet("out.parquet")["is_label_issue"].to_list() == wrong.tolist()


def test_files_of_images_are_read(folder):
    data, wrong = images(60)
    for at, content in enumerate(data["image"]):
        (folder / f"{at}.png").write_bytes(content)
    pl.DataFrame({"file": [f"{at}.png" for at in range(60)], "label": data["label"]}).write_csv("photos.csv")
    done = run("audit", "photos.csv", "--label", "label", "--embed", "file=image", "-o", "out.parquet", "-q")
    assert done.exit_code == 0, done.output
    assert (pl.read_parquet("out.parquet")["is_label_issue"].to_numpy() == wrong).mean() > 0.9


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("text", "write COLUMN=image or COLUMN=package.module:function"),
        ("text=encode", "'encode' is neither image nor package.module:function"),
        ("text=no_such_module_here:encode", "no_such_module_here cannot be imported"),
        ("text=words_of_mine:decode", "words_of_mine has no decode"),
        ("text=words_of_mine:size", "words_of_mine:size is of type int, which cannot be called"),
    ],
)
def test_a_mistake_is_named(folder, written, said):
    with pytest.raises(OptionError, match=said):
        embeddings([written])


def test_an_auditor_that_is_saved_takes_no_function(folder):
    check_embeddings(["file=image"])
    with pytest.raises(OptionError, match="a file holds no code"):
        check_embeddings(["text=words_of_mine:encode"])

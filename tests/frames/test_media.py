"""Columns of images, and of texts that a callable embeds."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import column, eager
from support.media import encoded, images, words

import dqlabels
from dqlabels.errors import FeatureError, MissingExtraError
from dqlabels.frames.media import image_features

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'dqlabels[images]'")


def found(audited, wrong):
    """Whether the worst rows by quality are those whose labels were changed, but for one."""
    worst = np.argsort(column(audited, "label_quality"))[: wrong.sum()]
    return wrong[worst].sum() >= wrong.sum() - 1


def test_wrong_labels_of_images_are_found(make_frame):
    data, wrong = images()
    frame = make_frame(data)
    audited = dqlabels.audit(frame, "label").frame
    assert type(audited) is type(frame)
    assert eager(audited).columns == ["image", "label", "label_quality", "suggested_label", "is_label_issue"]
    assert column(audited, "image") == data["image"]
    assert found(audited, wrong)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_formats_are_known_by_how_they_begin(kind):
    data, wrong = images(60, kind)
    audited = dqlabels.audit(pl.DataFrame(data), "label").frame
    assert found(audited, wrong)


def test_files_are_read_where_their_column_is_named(tmp_path):
    data, wrong = images(60)
    paths = [tmp_path / f"{at}.png" for at in range(60)]
    for path, content in zip(paths, data["image"], strict=True):
        path.write_bytes(content)
    frame = pd.DataFrame({"file": [str(path) for path in paths], "label": data["label"]})
    audited = dqlabels.audit(frame, "label", embed={"file": "image"}).frame
    assert found(audited, wrong)


def test_an_image_may_come_as_a_mapping_of_bytes():
    data, wrong = images(60)
    frame = pl.DataFrame({"image": [{"bytes": value, "path": None} for value in data["image"]], "label": data["label"]})
    audited = dqlabels.audit(frame, "label", embed={"image": "image"}).frame
    assert found(audited, wrong)


def test_an_image_that_is_missing_is_missing():
    data, wrong = images(100)
    data["image"][4] = None
    audited = dqlabels.audit(pl.DataFrame(data), "label").frame
    assert found(audited, wrong)
    assert not audited["is_label_issue"][4]


def test_an_index_is_kept():
    data, _ = images(60)
    frame = pd.DataFrame(data, index=np.arange(60)[::-1] * 7)
    assert dqlabels.audit(frame, "label").frame.index.equals(frame.index)


def test_a_broken_image_is_named_with_its_row():
    data, _ = images(60)
    data["image"][4] = data["image"][4][:30]
    with pytest.raises(FeatureError, match=r"Column 'image', row 4: 30 bytes cannot be read as an image"):
        dqlabels.audit(pl.DataFrame(data), "label")


def test_a_file_that_is_not_there_is_named():
    frame = pl.DataFrame({"file": ["no/such.png"] * 30, "label": ["a", "b"] * 15})
    with pytest.raises(FeatureError, match=r"row 0: no/such\.png cannot be read"):
        dqlabels.audit(frame, "label", embed={"file": "image"})


def test_an_image_of_absurd_size_is_refused():
    table = images(60)[0]
    table["image"][7] = encoded(np.zeros((7_000, 8_000)))
    with pytest.raises(FeatureError, match="row 7: an image of 8000 × 7000 pixels, more than 50,000,000"):
        dqlabels.audit(pl.DataFrame(table), "label")


def test_without_pillow_images_that_are_asked_for_name_the_cure(monkeypatch):
    frame = pl.DataFrame(images(60)[0])
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"dqlabels\[images\]"):
        dqlabels.audit(frame, "label", embed={"image": "image"})


def length_and_goal(texts):
    return np.array([[len(text), "goal" in text] for text in texts], dtype=float)


def test_texts_are_embedded_by_a_callable(make_frame):
    data, wrong = words()
    audited = dqlabels.audit(make_frame(data), "label", embed={"text": length_and_goal}).frame
    assert column(audited, "is_label_issue") == wrong.tolist()


def test_a_callable_is_asked_once_and_only_for_values_that_are_there():
    data, _ = words()
    data["text"][0] = None
    asked = []

    def embed(texts):
        asked.append(len(texts))
        return length_and_goal(texts)

    audit = dqlabels.audit(pl.DataFrame(data), "label", embed={"text": embed})
    assert audit.frame["text"].to_list() == data["text"]
    assert asked == [119]


@pytest.mark.parametrize("answer", [np.zeros(120), np.zeros((3, 2)), np.full((120, 2), "a")])
def test_an_embedding_of_the_wrong_shape_is_refused(answer):
    with pytest.raises(FeatureError, match="It must return one row of numbers for each"):
        dqlabels.audit(pl.DataFrame(words()[0]), "label", embed={"text": lambda texts: answer})


@pytest.mark.parametrize(
    ("embed", "words_"),
    [({"txt": "image"}, "Did you mean 'text'"), ({"text": "sound"}, "pass 'image', or a callable")],
)
def test_a_mistake_is_named(embed, words_):
    with pytest.raises(FeatureError, match=words_):
        dqlabels.audit(pl.DataFrame(words()[0]), "label", embed=embed)


def test_an_edge_counts_in_the_direction_it_runs():
    upright = np.zeros((32, 32, 3), dtype=np.uint8)
    upright[:, 16:] = 255
    edges = image_features(upright)[256:384].reshape(16, 8).sum(axis=0)
    lying = image_features(upright.transpose(1, 0, 2))[256:384].reshape(16, 8).sum(axis=0)
    assert edges.argmax() == 0
    assert lying.argmax() == 4
    assert edges.sum() == pytest.approx(1, abs=1e-5)

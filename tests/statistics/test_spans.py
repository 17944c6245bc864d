"""Tags of spans: which break the rules of their scheme."""

from __future__ import annotations

import numpy as np
import pytest

from dqlabels.statistics.spans import broken_spans, span_tags


def broken(*sentences: str) -> list[int]:
    """Which tokens of sentences, written with blanks between tags, break the rules."""
    tags = [tag for sentence in sentences for tag in sentence.split()]
    rows = np.repeat(np.arange(len(sentences)), [len(sentence.split()) for sentence in sentences])
    classes = sorted({*tags})
    read = span_tags(classes)
    assert read is not None
    return np.flatnonzero(broken_spans(read, np.array([classes.index(tag) for tag in tags]), rows)).tolist()


@pytest.mark.parametrize(
    ("sentences", "found"),
    [
        (["B-X I-X I-X O B-X"], []),
        (["B-X I-X O I-X B-X"], [3]),
        (["B-X", "I-X B-X"], [1]),  # a sentence of its own
        (["B-X I-Y B-Y"], [1]),
        (["B-X E-X O S-X O B-Y I-Y E-Y"], []),
        (["B-X O B-X E-X"], [0]),
        (["B-X E-X B-X"], [2]),
        (["B-X L-X U-X L-X B-X L-X"], [3]),
        (["B_X I_X O I_X"], [3]),
    ],
)
def test_a_span_goes_on_only_where_it_was_begun_and_ends_where_ends_are_marked(sentences, found):
    assert broken(*sentences) == found


def test_a_scheme_in_which_most_spans_begin_with_inside_is_another():
    assert broken("I-X I-X O I-Y O I-X B-X") == []  # IOB1


@pytest.mark.parametrize("classes", [["NOUN", "VERB"], ["I-X", "O"], ["B-X", "S-X", "O"], [0, 1], ["B-X", "I-X", None]])
def test_other_classes_are_no_tags_of_spans(classes):
    assert span_tags(classes) is None

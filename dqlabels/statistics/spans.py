"""Spans written as tags of tokens: which tags break the rules of BIO, or of BIOES and BILOU."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import BoolArray, IntArray

# What a letter before the hyphen says: B begins a span, I (or M) goes on, E or L ends it, S or U is one of one token.
BEGINS, INSIDE, ENDS, SINGLE, OUTSIDE = "B", "IM", "EL", "SU", "O"
TAG = re.compile(r"([BIMELSU])[-_](.+)")


@dataclass(frozen=True, slots=True, eq=False)
class SpanTags:
    """What K classes say of spans.

    ``opens`` (K,) is true of tags after which the span may go on, ``follows`` (K,) of those that go on with a span, and
    ``begins`` (K,) of those that begin one of several tokens. ``kinds`` (K,) is which of the ``names`` the span has, -1
    outside. It is ``closed`` where the scheme says where spans end, so that each must.
    """

    opens: BoolArray
    follows: BoolArray
    begins: BoolArray
    kinds: IntArray
    names: tuple[str, ...]
    closed: bool


def span_tags(classes: Sequence[object]) -> SpanTags | None:
    """Read K classes as tags of spans; None where they are not all ``O`` or a letter, a hyphen and a kind of span.

    >>> span_tags(["B-PER", "I-PER", "O"]).follows.tolist()
    [False, True, False]
    >>> span_tags(["NOUN", "VERB"]) is None
    True
    """
    found = [TAG.fullmatch(value) if isinstance(value, str) else None for value in classes]
    if not all(match or value == OUTSIDE for match, value in zip(found, classes, strict=True)):
        return None
    letters = [match[1] if match else OUTSIDE for match in found]
    if BEGINS not in letters or not any(letter in INSIDE + ENDS for letter in letters):
        return None
    names = [match[2] if match else "" for match in found]
    order = sorted({name for name in names if name})
    closed = any(letter in ENDS + SINGLE for letter in letters)
    return SpanTags(
        np.array([letter in BEGINS + INSIDE for letter in letters]),
        np.array([letter in INSIDE + ENDS for letter in letters]),
        np.array([letter == BEGINS for letter in letters]),
        np.array([order.index(name) if name else -1 for name in names]),
        tuple(order),
        closed,
    )


def broken_spans(tags: SpanTags, codes: IntArray, sentences: IntArray) -> BoolArray:
    """Return which tokens (m,) carry a tag that breaks the rules of the scheme.

    A tag that goes on with a span must follow a tag of the same span; where the scheme marks ends, a span that was
    begun must go on. Where more spans begin with I than with B the scheme is another (IOB1), and nothing is broken.

    Args:
        tags: What the K classes say.
        codes: (m,) class positions of the tokens, sentence by sentence.
        sentences: (m,) the sentence of each.

    Source: Ramshaw & Marcus (1995) for the tags; Tjong Kim Sang & Veenstra (1999) for the schemes.

    >>> tags = span_tags(["B-ORG", "B-PER", "I-PER", "O"])
    >>> broken_spans(tags, np.array([1, 2, 3, 0, 2, 1]), np.array([0, 0, 0, 1, 1, 2])).tolist()
    [False, False, False, False, True, False]
    """
    together = sentences[1:] == sentences[:-1]
    first, second = codes[:-1], codes[1:]
    on = together & tags.opens[first] & tags.follows[second] & (tags.kinds[first] == tags.kinds[second])
    follows, left = tags.follows[codes], np.zeros(codes.size, dtype=bool)
    follows[1:] &= ~on
    if tags.closed:
        left = tags.opens[codes]
        left[:-1] &= ~on
    if follows.sum() > tags.begins[codes].sum():
        return np.zeros(codes.size, dtype=bool)
    return follows | left

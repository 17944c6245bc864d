"""Class names that are likely one class written in two ways, and names as a reader can tell them apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from dqlabels.frames.arrays import IntArray

# Two names that differ in one letter are alike only if both have this many letters, and one this many times more rows.
MIN_NAME_LENGTH, TIMES_RARER = 5, 10
# Longer names are compared as they are: to leave out each letter in turn takes time with the square of the length.
MAX_NAME_LENGTH = 60
MAX_NAMED = 5
TWO_WAYS = "one class written in two ways?"
# Cyrillic and Greek letters that cannot be told from a Latin one, capital or small; the commonest in Unicode's list.
AS_LATIN = str.maketrans(
    "авекмнорстухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅԚԜαεικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abekmhopctyxijshdqwABEKMHOPCTYXIJSQWaeikvoptuxABEZHIKMNOPTYX",
)


def look_alikes(names: Sequence[str], counts: IntArray, known: int = 0) -> dict[int, int]:
    r"""Return, for each class that looks like one with more rows, that class.

    Names look alike if they contain a letter and differ only in case, blanks, underscores or hyphens between words,
    characters that are not seen, or Unicode form; or if they differ in one letter, both have 5 letters or more and no
    digit, and one has ten times as many rows. Letters of other scripts count as the Latin ones that they look like. The
    first ``known`` names count as those with more rows. The time is proportional to the length of all names together.

    >>> look_alikes(["benign", "benin", "malignant", "Benign\u200b "], np.array([90, 2, 40, 1]))
    {1: 0, 3: 0}
    >>> look_alikes(["A1", "A2", "A-", "A", "a", "cat", "bat", "10-20", "1020"], np.full(9, 9))
    {}
    """
    order = np.lexsort((-counts, np.arange(counts.size) >= known)).tolist()
    keys = [name_key(name) for name in names]
    plain: dict[str, int] = {}
    shorter: dict[str, int] = {}
    found: dict[int, int] = {}
    for at in order:
        if not counts[at]:
            continue
        key = keys[at]
        if not any(letter.isalpha() for letter in key):
            continue
        if key in plain:
            found[at] = found.get(plain[key], plain[key])
            continue
        plain[key] = at
        if not MIN_NAME_LENGTH <= len(key) <= MAX_NAME_LENGTH or any(letter.isdigit() for letter in key):
            continue
        variants = {key, *(key[:cut] + key[cut + 1 :] for cut in range(len(key)))}
        near = [shorter[one] for one in variants if one in shorter]
        near = [
            other for other in near
            if counts[at] * TIMES_RARER <= counts[other] and _differ_in_one_letter(key, keys[other])
        ]  # fmt: skip
        if near:
            found[at] = max(near, key=lambda other: (counts[other], -other))
            continue
        for one in variants:
            shorter.setdefault(one, at)
    return dict(sorted(found.items()))


def name_key(name: str) -> str:
    r"""Return what is left of a name without case, unseen characters, blanks at its ends, Unicode form and script.

    >>> name_key(" New\u00a0York\u200b"), name_key("new_york"), name_key("A-"), name_key("a"), name_key("y\u0435s")
    ('new york', 'new york', 'A-', 'a', 'yes')
    """
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    key = re.sub(r"(?<=\w\w)[\s_-]+(?=\w\w)|\s+", " ", seen).strip()
    # The case of a single letter can mean something, as in grades and in letters to read.
    letters = sum(letter.isalpha() for letter in key)
    return unicodedata.normalize("NFKC", key.casefold() if letters > 1 else key).translate(AS_LATIN)


def _differ_in_one_letter(one: str, other: str) -> bool:
    """Whether one name is the other with a letter changed, left out, or swapped with the next."""
    first, second = sorted((one, other), key=len)
    start = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first))
    if len(first) < len(second):
        return first[start:] == second[start + 1 :]
    swapped = first[start : start + 2] == second[start : start + 2][::-1] and first[start + 2 :] == second[start + 2 :]
    return swapped or first[start + 1 :] == second[start + 1 :]


def class_look_alikes(classes: Sequence[Any], counts: IntArray) -> dict[int, int]:
    """Return the look-alikes of K classes, none where they are not all words: numbers that look alike differ."""
    return look_alikes(classes, counts) if all(isinstance(value, str) for value in classes) else {}


def look_alike_notes(classes: Sequence[Any], counts: IntArray) -> list[str]:
    """Return the note on those of K classes that look alike, if any do.

    >>> look_alike_notes(["no", "No", "yes"], np.array([2, 90, 40]))
    ["'no' (2 rows) looks like 'No' (90 rows): one class written in two ways?"]
    """
    like = class_look_alikes(classes, counts)
    return [look_alike_note(classes, counts, like)] if like else []


def new_class_notes(known: Sequence[Any], known_rows: IntArray, new: Sequence[Any], new_rows: IntArray) -> list[str]:
    """Return the note on those of the new classes that look like one that is known, if any do.

    Args:
        known: K classes.
        known_rows: (K,) rows of each.
        new: Other classes.
        new_rows: Rows of each; 0 for those to leave out.

    >>> new_class_notes(["no", "yes"], np.array([20, 9]), ["Yes", "no"], np.array([40, 0]))
    ["'Yes' (40 rows) looks like 'yes' (9 rows): one class written in two ways?"]
    """
    classes, rows = [*known, *new], np.concatenate([known_rows, new_rows])
    if not all(isinstance(value, str) for value in classes):
        return []
    like = {at: other for at, other in look_alikes(classes, rows, len(known)).items() if at >= len(known) > other}
    return [look_alike_note(classes, rows, like)] if like else []


def look_alike_note(classes: Sequence[Any], counts: IntArray, like: dict[int, int]) -> str:
    """Say which classes look like which, with their rows; the first few of many.

    >>> look_alike_note(["no", "No"], np.array([2, 90]), {0: 1})
    "'no' (2 rows) looks like 'No' (90 rows): one class written in two ways?"
    """
    more = f", and {len(like) - MAX_NAMED:,} more do so" if len(like) > MAX_NAMED else ""
    return f"{', '.join(pairs_in_words(classes, counts, like))}{more}: {TWO_WAYS}"


def pairs_in_words(classes: Sequence[Any], counts: IntArray, like: dict[int, int]) -> list[str]:
    """Say of the first few classes which they look like, with their rows.

    >>> pairs_in_words(["no ", "No"], np.array([1, 90]), {0: 1})
    ["'no␣' (1 row) looks like 'No' (90 rows)"]
    """
    return [
        f"'{visible_name(classes[at])}' ({_rows(counts[at])}) looks like '{visible_name(classes[other])}' "
        f"({_rows(counts[other])})"
        for at, other in list(like.items())[:MAX_NAMED]
    ]


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{int(number):,} rows"


def visible_name(name: str) -> str:
    r"""Return a name in which blanks at its ends or in a row, and what else is not seen, show.

    So do Cyrillic and Greek letters that look Latin, in a name that has Latin letters too.

    >>> visible_name("Adelie "), visible_name("a\u00a0 b"), visible_name("Ade\u200blie"), visible_name("e\u0301")
    ('Adelie␣', 'a⍽␣b', 'Ade\\u200blie', 'e\\u0301')
    >>> visible_name("y\u0435s"), visible_name("\u043d\u0435\u0442") == "\u043d\u0435\u0442"
    ('y\\u0435s', True)
    """
    mixed = any(letter.isascii() and letter.isalpha() for letter in name)
    composed = unicodedata.normalize("NFC", name) == name
    shown = re.sub(r"^ +| +$| {2,}|(?<=\u00a0) +", lambda blanks: "␣" * len(blanks[0]), name).replace("\u00a0", "⍽")
    hidden = ("Cf", "Zs") if composed else ("Cf", "Zs", "Mn")
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if letter != " " and (unicodedata.category(letter) in hidden or (mixed and ord(letter) in AS_LATIN))
        else letter
        for letter in shown
    )

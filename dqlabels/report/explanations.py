"""Why a label looks wrong: values of the row that speak for the suggestion, and the nearest rows that carry it.

All of it is read off the table, not from the model. The ratio of a value says how many times more common it is among
rows with the suggested label than among rows with the given one, one column at a time; the model weighs columns
together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypedDict

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Column, ColumnKind, Frame, column_kind
from dqlabels.frames.encoders import holds_vectors
from dqlabels.frames.features import FeatureEncoder
from dqlabels.frames.look_alikes import visible_name
from dqlabels.frames.values import python_value
from dqlabels.report.evidence import Evidence
from dqlabels.statistics.arrays import FloatArray, IntArray

# Rows of a class to compare with: enough for a share of a few percent, few enough for any table.
MAX_ROWS_PER_CLASS = 2_000
MAX_NUMBERS_MIXED = 8
BINS = 10
# A value this many times more common, or less common, is worth a line.
TELLING_RATIO = 1.25
MAX_TOWARD, MAX_AGAINST, MAX_NEAREST = 5, 2, 3
# Only this many words of a text are compared.
MAX_WORDS = 400
MAX_VALUE_LENGTH = 80
# A few bytes may name a class; more of them are an image or something else that is not read.
MAX_BYTES_SHOWN = 20
METHOD = (
    "How many times more common a value is among rows with the suggested label than among rows with the given one, "
    "each column by itself and numbers in tenths (the row itself is left out). This is read off the table and does "
    "not explain the model, which weighs columns together. The nearest rows are those with the suggested label at the "
    f"smallest Gower distance. Both look at up to {MAX_ROWS_PER_CLASS:,} rows per class."
)


class Line(TypedDict):
    """What one column, or one word of a text, says about a row; shares are of the rows with either label."""

    column: str
    value: str
    where: str
    ratio: float
    suggested_share: float
    given_share: float


class NearRow(TypedDict):
    """A row with the suggested label: its number, its distance in [0, 1], and its values in the columns listed."""

    row: int
    distance: float
    values: dict[str, str]


class Explanation(TypedDict):
    """What speaks for the suggestion and what against it, strongest first, and the nearest rows with that label."""

    toward: list[Line]
    against: list[Line]
    nearest: list[NearRow]


Distance = Callable[[IntArray, IntArray], FloatArray | NDArray[np.bool_]]


def usable_kinds(table: Frame, features: Sequence[str], *, chosen: bool) -> dict[str, ColumnKind]:
    """Return the kind of each feature that can be compared; ``chosen`` includes identifiers that a model has seen."""
    kinds = {name: column_kind(table[name], named=chosen) for name in features}
    known = ("number", "boolean", "category", "text", "date", "vector")
    return {name: kind for name, kind in kinds.items() if kind in known}  # type: ignore[misc]


def explain(
    table: Frame,
    kinds: Mapping[str, ColumnKind],
    evidence: Evidence,
    shown: IntArray,
    *,
    max_rows_per_class: int = MAX_ROWS_PER_CLASS,
) -> list[Explanation]:
    """Explain what speaks for the suggestion of some rows, and what against it.

    Args:
        table: n rows, with every column of ``kinds``.
        kinds: Feature columns and their kind.
        evidence: The m audited rows.
        shown: (s,) audited positions of rows whose suggestion differs from their label.
        max_rows_per_class: How many rows of each class the shown ones are compared with at most.

    Returns:
        One explanation per row.

    Source: The ratios are those of naive Bayes with Laplace's add-one; distances are those of Gower (1971),
        Biometrics 27:857-871, with cosine distance for texts and vectors.
    """
    shown = np.asarray(shown, dtype=np.int64)
    if not shown.size:
        return []
    given, suggested = evidence.codes[shown], evidence.suggested[shown]
    classes = np.unique(np.concatenate([given, suggested]))
    sample = _sample(table, kinds, evidence, classes, max_rows_per_class)
    part = table[evidence.positions[np.concatenate([shown, sample])].tolist()]
    comparison = _Comparison(given, suggested, evidence.codes[sample], np.isin(shown, sample))
    lines: list[list[Line]] = [[] for _ in shown]
    for name, kind in kinds.items():
        column = part[name]
        for at, found in enumerate(_compare(column, kind, comparison)):
            lines[at] += found
    nearest = comparison.nearest()
    rows = evidence.positions[sample]
    return [_explanation(part, lines[at], nearest[at], shown.size, rows) for at in range(shown.size)]


def _explanation(
    part: Frame, lines: list[Line], nearest: list[tuple[int, float]], shown: int, positions: IntArray
) -> Explanation:
    lines.sort(key=lambda line: (-line["ratio"], line["column"]))
    toward = [line for line in lines if line["ratio"] >= TELLING_RATIO][:MAX_TOWARD]
    against = [line for line in reversed(lines) if line["ratio"] <= 1 / TELLING_RATIO][:MAX_AGAINST]
    columns = dict.fromkeys(line["column"] for line in (*toward, *against))
    near: list[NearRow] = [
        {
            "row": int(positions[at]),
            "distance": distance,
            "values": {name: shown_value(part[name][shown + at]) for name in columns},
        }
        for at, distance in nearest
    ]
    return {"toward": toward, "against": against, "nearest": near}


class _Comparison:
    """The shown rows (s,) compared with the sample (m,): counts by class, and distances to the suggested class."""

    def __init__(self, given: IntArray, suggested: IntArray, codes: IntArray, sampled: NDArray[np.bool_]) -> None:
        self.given, self.suggested, self.codes, self.sampled = given, suggested, codes, sampled
        self.pairs = [(np.flatnonzero(suggested == k), np.flatnonzero(codes == k)) for k in np.unique(suggested)]
        self.distances = [np.zeros((shown.size, rows.size)) for shown, rows in self.pairs]
        self.totals = np.bincount(codes, minlength=int(max(given.max(), suggested.max())) + 1)
        self.columns = 0

    def ratios(self, there: IntArray, of_given: IntArray, bins: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return ratio and shares (s,), from how many rows of either class hold what each shown row holds."""
        of_given = of_given - self.sampled
        given_rows = self.totals[self.given] - self.sampled
        suggested_rows = self.totals[self.suggested]
        first, second = (there + 1) / (suggested_rows + bins), (of_given + 1) / (given_rows + bins)
        return first / second, there / np.maximum(suggested_rows, 1), of_given / np.maximum(given_rows, 1)

    def add(self, distance: Distance) -> None:
        """Add the distance in one column: ``distance(shown, rows)`` returns (s', m') in [0, 1]."""
        self.columns += 1
        for at, (shown, rows) in enumerate(self.pairs):
            self.distances[at] += distance(shown, rows)

    def nearest(self) -> list[list[tuple[int, float]]]:
        """Return the nearest rows for each shown row, as places in the sample with their mean distance."""
        columns = self.columns
        found: list[list[tuple[int, float]]] = [[] for _ in self.given]
        for total, (shown, rows) in zip(self.distances, self.pairs, strict=True):
            for at, line in zip(shown, total, strict=True):
                best = np.argsort(line, kind="stable")[: MAX_NEAREST if columns else 0].tolist()
                found[at] = [(int(rows[place]), float(line[place] / columns)) for place in best]
        return found


def _sample(
    table: Frame, kinds: Mapping[str, ColumnKind], evidence: Evidence, classes: IntArray, max_rows: int
) -> IntArray:
    """Audited positions of up to ``max_rows`` rows per class, chosen by their content, not by their place."""
    found, numbers = [], None
    for k in classes:
        rows = np.flatnonzero(evidence.codes == k)
        if rows.size > max_rows:
            numbers = _numbers(table, kinds) if numbers is None else numbers
            mixed = _mixed(evidence.probs[rows], numbers[evidence.positions[rows]])
            cut = np.partition(mixed, max_rows - 1)[max_rows - 1]
            below, level = rows[mixed < cut], rows[mixed == cut]
            rows = np.sort(np.concatenate([below, level[: max_rows - below.size]]))
        found.append(rows)
    return np.concatenate(found)


def _numbers(table: Frame, kinds: Mapping[str, ColumnKind]) -> FloatArray:
    """(n, c) the first number columns: they tell rows apart that the model does not."""
    names = [name for name, kind in kinds.items() if kind == "number" and table[name].dtype.is_numeric()]
    columns = [table[name].cast(nw.Float64).to_numpy() for name in names[:MAX_NUMBERS_MIXED]]
    return np.nan_to_num(np.column_stack(columns)) if columns else np.empty((len(table), 0))


def _mixed(*parts: NDArray[np.floating]) -> NDArray[np.uint64]:
    """(n,) a hash of each row: a draw that does not depend on the order of the rows."""
    mixed = np.zeros(len(parts[0]), dtype=np.uint64)
    rng = np.random.default_rng(0xD91)
    for part in parts:
        bits = np.ascontiguousarray(part, dtype=np.float64).view(np.uint64)
        odd = rng.integers(0, 2**63, bits.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        mixed += (bits * odd).sum(axis=1, dtype=np.uint64)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)))


def _compare(column: Column, kind: ColumnKind, comparison: _Comparison) -> list[list[Line]]:
    """Add the distances of one column, and return its lines for each shown row."""
    shown = comparison.given.size
    if kind == "vector" and not holds_vectors(column):
        return [[] for _ in range(shown)]
    if kind in ("text", "vector"):
        matrix = FeatureEncoder.fit_encode(column.to_frame(), {column.name: kind})[1].matrix.astype(np.float64)
        matrix = _unit_rows(matrix)
        comparison.add(lambda at, rows: np.clip(1 - matrix[at] @ matrix[shown + rows].T, 0, 1))
        return _words(column, comparison) if kind == "text" else [[] for _ in range(shown)]
    if kind == "category":
        bins, names = _categories(column)
        comparison.add(lambda at, rows: bins[at][:, None] != bins[shown + rows][None, :])
    else:
        values = FeatureEncoder.fit_encode(column.to_frame(), {column.name: kind})[1].matrix[:, 0].astype(np.float64)
        comparison.add(_number_distance(values, shown))
        bins, names = _tenths(values, _moment if kind == "date" and _is_moment(column) else _number)
    return _lines(column, bins, names, comparison)


def _lines(column: Column, bins: IntArray, names: Sequence[str], comparison: _Comparison) -> list[list[Line]]:
    shown, width = comparison.given.size, len(names)
    counts = np.bincount(comparison.codes * width + bins[shown:], minlength=comparison.totals.size * width)
    here = bins[:shown]
    ratio, first, second = comparison.ratios(
        counts[comparison.suggested * width + here], counts[comparison.given * width + here], width
    )
    values = [shown_value(value) for value in column[:shown].to_list()]
    return [
        [
            {
                "column": column.name,
                "value": values[at],
                "where": names[here[at]],
                "ratio": float(ratio[at]),
                "suggested_share": float(first[at]),
                "given_share": float(second[at]),
            }
        ]
        for at in range(shown)
    ]


def _categories(column: Column) -> tuple[IntArray, list[str]]:
    missing = column.is_null().to_numpy().astype(bool).tolist()
    values = ["missing" if gone else f"={value}" for value, gone in zip(column.to_list(), missing, strict=True)]
    place = {value: at for at, value in enumerate(sorted(set(values)))}
    names = [shown_value(value.removeprefix("=")) for value in place]
    return np.array([place[value] for value in values], dtype=np.int64), names


def _is_moment(column: Column) -> bool:
    """Whether a column of dates says when, and not how long or at which time of any day."""
    return column.dtype in (nw.Date, nw.Datetime, nw.Object)


def _tenths(values: FloatArray, say: Callable[[float], str]) -> tuple[IntArray, list[str]]:
    """The tenth (n,) that each value is in, or the value itself where there are few; the last is for missing values."""
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    few = distinct.size <= BINS
    edges = distinct[1:] if few else np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, values, side="right")
    bins[np.isnan(values)] = edges.size + 1
    if few:
        names = [say(value) for value in distinct] or ["nothing"]
    else:
        inner = [f"{say(low)} to {say(high)}" for low, high in pairwise(edges.tolist())]
        names = [f"below {say(edges[0])}", *inner, f"{say(edges[-1])} or more"]
    return bins.astype(np.int64), [*names, "missing"]


def _number_distance(values: FloatArray, shown: int) -> Distance:
    known = values[~np.isnan(values)]
    low, high = np.quantile(known, [0.05, 0.95]) if known.size else (0.0, 0.0)
    scale = high - low or (float(np.ptp(known)) if known.size else 0.0) or 1.0

    def distance(at: IntArray, rows: IntArray) -> FloatArray:
        mine, theirs = values[at][:, None], values[shown + rows][None, :]
        apart = np.clip(np.abs(mine - theirs) / scale, 0, 1)
        gone = np.isnan(mine).astype(np.int64) + np.isnan(theirs)
        return np.where(gone == 0, apart, gone == 1)

    return distance


def _unit_rows(matrix: FloatArray) -> FloatArray:
    matrix = np.nan_to_num(matrix)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1))


def _words(column: Column, comparison: _Comparison) -> list[list[Line]]:
    """For each shown row, the word that most and the word that least speaks for the suggestion."""
    shown = comparison.given.size
    missing = column.is_null().to_numpy().astype(bool).tolist()
    texts = [set() if gone else _vocabulary(str(v)) for v, gone in zip(column.to_list(), missing, strict=True)]
    wanted = set().union(*texts[:shown])
    counts: dict[str, IntArray] = {word: np.zeros(comparison.totals.size, dtype=np.int64) for word in wanted}
    for code, words in zip(comparison.codes.tolist(), texts[shown:], strict=True):
        for word in words & wanted:
            counts[word][code] += 1
    return [_two_words(sorted(words), counts, comparison, at, column.name) for at, words in enumerate(texts[:shown])]


def _vocabulary(text: str) -> set[str]:
    return set(re.findall(r"\w{2,40}", text.lower())[:MAX_WORDS])


def _two_words(
    words: list[str], counts: dict[str, IntArray], comparison: _Comparison, at: int, column: str
) -> list[Line]:
    if not words:
        return []
    given, suggested, own = int(comparison.given[at]), int(comparison.suggested[at]), int(comparison.sampled[at])
    given_rows, suggested_rows = int(comparison.totals[given]) - own, int(comparison.totals[suggested])
    found: list[Line] = []
    for word in words:
        there, here = int(counts[word][suggested]), int(counts[word][given]) - own
        ratio = ((there + 1) / (suggested_rows + 2)) / ((here + 1) / (given_rows + 2))
        found.append(
            {
                "column": column,
                "value": word,
                "where": f"the word {word}",
                "ratio": ratio,
                "suggested_share": there / max(suggested_rows, 1),
                "given_share": here / max(given_rows, 1),
            }
        )
    found.sort(key=lambda line: (-line["ratio"], line["value"]))
    return [found[0]] if len(found) == 1 else [found[0], found[-1]]


def _number(value: float) -> str:
    return f"{value:.6g}"


def _moment(days: float) -> str:
    return str(np.datetime64(math.floor(days), "D"))


def shown_class(value: object) -> str:
    """Return the name of a class as text in which blanks and what else is not seen show.

    >>> shown_class("Adelie "), shown_class(3)
    ('Adelie␣', '3')
    """
    return shown_value(visible_name(value) if isinstance(value, str) else value)


def shown_value(value: Any, *, max_length: int = MAX_VALUE_LENGTH) -> str:
    """Return a value of the table as text: short, on one line, empty where it is missing.

    >>> shown_value(0.123456789), shown_value(None), shown_value(np.datetime64("2026-01-31T12:00", "ns"))
    ('0.123457', '', '2026-01-31 12:00:00')
    """
    value = python_value(value)
    if isinstance(value, (list, tuple, np.ndarray)) or (hasattr(value, "to_numpy") and hasattr(value, "__len__")):
        numbers = list(value)
        head = ", ".join(shown_value(item) for item in numbers[:3])
        return f"[{head}, … {len(numbers):,} in all]" if len(numbers) > 3 else f"[{head}]"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (bytes, bytearray, memoryview)) and len(value) > MAX_BYTES_SHOWN:
        return f"({len(value):,} bytes)"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = "".join(letter if letter.isprintable() or letter.isspace() else "�" for letter in text[: 2 * max_length])
    text = " ".join(text.split())
    return text if len(text) <= max_length else text[: max_length - 1] + "…"

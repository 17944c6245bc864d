"""Why a label looks wrong, read off the table: telling values of the row, and the nearest rows with the other label.

Nothing here asks the model. A value's ratio is how many times commoner it is among rows that carry the suggested
label than among rows that carry the given one, one column at a time; the model weighs columns together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Column, ColumnKind, Frame, column_kind
from dqlabels.frames.features import FeatureEncoder
from dqlabels.report.evidence import Evidence

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rows of a class that are compared with: enough for a share of a few percent, few enough for any table.
MOST_ROWS_A_CLASS = 2_000
MOST_NUMBERS_MIXED = 8
BINS = 10
# A value this many times commoner, or rarer, is worth a line.
TELLING_RATIO = 1.25
MOST_TOWARD, MOST_AGAINST, MOST_NEAREST = 5, 2, 3
# Words of a text beyond this many are not looked at.
MOST_WORDS = 400
LONGEST_VALUE = 80
METHOD = (
    "How many times commoner a value is among rows that carry the suggested label than among those that carry the "
    "given one, each column by itself and numbers in tenths (the row itself left out). It is read off the table and "
    "does not explain the model, which weighs columns together. Nearest rows are those with the suggested label at the "
    f"least Gower distance. Both look at up to {MOST_ROWS_A_CLASS:,} rows a class."
)


def usable_kinds(table: Frame, features: Sequence[str], *, chosen: bool) -> dict[str, ColumnKind]:
    """The kind of each of the features that can be compared; ``chosen`` keeps identifiers, which a model has seen."""
    kinds = {name: column_kind(table[name], named=chosen) for name in features}
    known = ("number", "boolean", "category", "text", "date", "vector")
    return {name: kind for name, kind in kinds.items() if kind in known}  # type: ignore[misc]


def explain(table: Frame, kinds: Mapping[str, ColumnKind], evidence: Evidence, shown: IntArray) -> list[dict[str, Any]]:
    """What speaks for the suggestion of some rows, and what against it.

    Args:
        table: n rows, with every column of ``kinds``.
        kinds: Feature columns and their kind.
        evidence: Of the m audited rows.
        shown: (s,) audited positions of rows whose suggestion differs from their label.

    Returns:
        A dict a row: ``toward`` and ``against``, each a list of column, value, ratio and its two shares, and
        ``nearest``, each the row number in the frame, the distance in [0, 1], and its values of those columns.

    Source: the ratios are those of naive Bayes with Laplace's add-one; distances are those of Gower (1971),
        Biometrics 27:857-871, with cosine distance for texts and vectors.
    """
    shown = np.asarray(shown, dtype=np.int64)
    if not shown.size:
        return []
    given, suggested = evidence.codes[shown], evidence.suggested[shown]
    sample = _sample(table, kinds, evidence, np.unique(np.concatenate([given, suggested])))
    part = table[evidence.positions[np.concatenate([shown, sample])].tolist()]
    beside = _Beside(given, suggested, evidence.codes[sample], np.isin(shown, sample))
    lines: list[list[dict[str, Any]]] = [[] for _ in shown]
    for name, kind in kinds.items():
        column = part[name]
        for at, found in enumerate(_compare(column, kind, beside)):
            lines[at] += [{"column": name, **line} for line in found]
    nearest = beside.nearest(len(kinds))
    return [_told(part, lines[at], nearest[at], shown.size, evidence.positions[sample]) for at in range(shown.size)]


def _told(
    part: Frame, lines: list[dict[str, Any]], nearest: list[tuple[int, float]], shown: int, positions: IntArray
) -> dict[str, Any]:
    lines.sort(key=lambda line: (-line["ratio"], line["column"]))
    toward = [line for line in lines if line["ratio"] >= TELLING_RATIO][:MOST_TOWARD]
    against = [line for line in reversed(lines) if line["ratio"] <= 1 / TELLING_RATIO][:MOST_AGAINST]
    columns = dict.fromkeys(line["column"] for line in (*toward, *against))
    near = [
        {
            "row": int(positions[at]),
            "distance": distance,
            "values": {name: shown_value(part[name][shown + at]) for name in columns},
        }
        for at, distance in nearest
    ]
    return {"toward": toward, "against": against, "nearest": near}


class _Beside:
    """The shown rows (s,) beside the sample (m,): counts by class, and distances to rows of the suggested class."""

    def __init__(self, given: IntArray, suggested: IntArray, codes: IntArray, sampled: NDArray[np.bool_]) -> None:
        self.given, self.suggested, self.codes, self.sampled = given, suggested, codes, sampled
        self.pairs = [(np.flatnonzero(suggested == k), np.flatnonzero(codes == k)) for k in np.unique(suggested)]
        self.distances = [np.zeros((shown.size, rows.size)) for shown, rows in self.pairs]
        self.totals = np.bincount(codes, minlength=int(max(given.max(), suggested.max())) + 1)

    def ratios(self, there: IntArray, of_given: IntArray, bins: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Ratio and the two shares (s,), from how many rows of either class are where each shown row is."""
        of_given = of_given - self.sampled
        given_rows = self.totals[self.given] - self.sampled
        suggested_rows = self.totals[self.suggested]
        first, second = (there + 1) / (suggested_rows + bins), (of_given + 1) / (given_rows + bins)
        return first / second, there / np.maximum(suggested_rows, 1), of_given / np.maximum(given_rows, 1)

    def add(self, distance: Any) -> None:
        """Add one column's distance: ``distance(shown, rows)`` gives (s', m') in [0, 1]."""
        for at, (shown, rows) in enumerate(self.pairs):
            self.distances[at] += distance(shown, rows)

    def nearest(self, columns: int) -> list[list[tuple[int, float]]]:
        """For each shown row the nearest of the sample, as places in it, with the mean distance over columns."""
        found: list[list[tuple[int, float]]] = [[] for _ in self.given]
        for total, (shown, rows) in zip(self.distances, self.pairs, strict=True):
            for at, line in zip(shown, total, strict=True):
                best = np.argsort(line, kind="stable")[: MOST_NEAREST if columns else 0].tolist()
                found[at] = [(int(rows[place]), float(line[place] / columns)) for place in best]
        return found


def _sample(table: Frame, kinds: Mapping[str, ColumnKind], evidence: Evidence, classes: IntArray) -> IntArray:
    """Audited positions of up to ``MOST_ROWS_A_CLASS`` rows of each class, chosen by what the rows are, not where."""
    found, numbers = [], None
    for k in classes:
        rows = np.flatnonzero(evidence.codes == k)
        if rows.size > MOST_ROWS_A_CLASS:
            numbers = _numbers(table, kinds) if numbers is None else numbers
            mixed = _mixed(evidence.probs[rows], numbers[evidence.positions[rows]])
            cut = np.partition(mixed, MOST_ROWS_A_CLASS - 1)[MOST_ROWS_A_CLASS - 1]
            below, level = rows[mixed < cut], rows[mixed == cut]
            rows = np.sort(np.concatenate([below, level[: MOST_ROWS_A_CLASS - below.size]]))
        found.append(rows)
    return np.concatenate(found)


def _numbers(table: Frame, kinds: Mapping[str, ColumnKind]) -> FloatArray:
    """(n, c) the first number columns: they tell rows apart that the model does not."""
    names = [name for name, kind in kinds.items() if kind == "number" and table[name].dtype.is_numeric()]
    columns = [table[name].cast(nw.Float64).to_numpy() for name in names[:MOST_NUMBERS_MIXED]]
    return np.nan_to_num(np.column_stack(columns)) if columns else np.empty((len(table), 0))


def _mixed(*parts: NDArray[Any]) -> NDArray[np.uint64]:
    """(n,) a hash of each row: a draw that does not depend on the order of the rows."""
    mixed = np.zeros(len(parts[0]), dtype=np.uint64)
    rng = np.random.default_rng(0xD91)
    for part in parts:
        bits = np.ascontiguousarray(part, dtype=np.float64).view(np.uint64)
        odd = rng.integers(0, 2**63, bits.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        mixed += (bits * odd).sum(axis=1, dtype=np.uint64)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    hashed: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(32))
    return hashed


def _compare(column: Column, kind: ColumnKind, beside: _Beside) -> list[list[dict[str, Any]]]:
    """The lines of one column for each shown row, and its distances."""
    shown = beside.given.size
    if kind in ("text", "vector"):
        matrix = FeatureEncoder.fit_encode(column.to_frame(), {column.name: kind})[1].matrix.astype(np.float64)
        matrix = _unit_rows(matrix)
        beside.add(lambda at, rows: np.clip(1 - matrix[at] @ matrix[shown + rows].T, 0, 1))
        return _words(column, beside) if kind == "text" else [[] for _ in range(shown)]
    if kind == "category":
        bins, names = _categories(column)
        beside.add(lambda at, rows: bins[at][:, None] != bins[shown + rows][None, :])
    else:
        values = FeatureEncoder.fit_encode(column.to_frame(), {column.name: kind})[1].matrix[:, 0].astype(np.float64)
        beside.add(_number_distance(values, shown))
        bins, names = _tenths(values, column)
    return _lines(column, bins, names, beside)


def _lines(column: Column, bins: IntArray, names: Sequence[str], beside: _Beside) -> list[list[dict[str, Any]]]:
    shown, width = beside.given.size, len(names)
    counts = np.bincount(beside.codes * width + bins[shown:], minlength=beside.totals.size * width)
    here = bins[:shown]
    ratio, first, second = beside.ratios(
        counts[beside.suggested * width + here], counts[beside.given * width + here], width
    )
    values = [shown_value(value) for value in column[:shown].to_list()]
    return [
        [
            {
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


def _tenths(values: FloatArray, column: Column) -> tuple[IntArray, list[str]]:
    """(n,) the tenth of each value, or the value itself where there are few, the last for missing ones."""
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    few = distinct.size <= BINS
    edges = distinct[1:] if few else np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, values, side="right")
    bins[np.isnan(values)] = edges.size + 1
    say = _moment if column.dtype in (nw.Date, nw.Datetime) else _number
    if few:
        names = [say(value) for value in distinct] or ["nothing"]
    else:
        inner = [f"{say(low)} to {say(high)}" for low, high in pairwise(edges.tolist())]
        names = [f"below {say(edges[0])}", *inner, f"{say(edges[-1])} or more"]
    return bins.astype(np.int64), [*names, "missing"]


def _number_distance(values: FloatArray, shown: int) -> Any:
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
    unit: FloatArray = matrix / np.where(lengths > 0, lengths, 1)
    return unit


def _words(column: Column, beside: _Beside) -> list[list[dict[str, Any]]]:
    """For each shown row the word of it that most, and the one that least, speaks for the suggestion."""
    shown = beside.given.size
    missing = column.is_null().to_numpy().astype(bool).tolist()
    texts = [set() if gone else _vocabulary(str(v)) for v, gone in zip(column.to_list(), missing, strict=True)]
    wanted = set().union(*texts[:shown])
    counts: dict[str, IntArray] = {word: np.zeros(beside.totals.size, dtype=np.int64) for word in wanted}
    for code, words in zip(beside.codes.tolist(), texts[shown:], strict=True):
        for word in words & wanted:
            counts[word][code] += 1
    return [_two_words(sorted(words), counts, beside, at) for at, words in enumerate(texts[:shown])]


def _vocabulary(text: str) -> set[str]:
    return set(re.findall(r"\w{2,40}", text.lower())[:MOST_WORDS])


def _two_words(words: list[str], counts: dict[str, IntArray], beside: _Beside, at: int) -> list[dict[str, Any]]:
    if not words:
        return []
    given, suggested, own = int(beside.given[at]), int(beside.suggested[at]), int(beside.sampled[at])
    given_rows, suggested_rows = int(beside.totals[given]) - own, int(beside.totals[suggested])
    found: list[dict[str, Any]] = []
    for word in words:
        there, here = int(counts[word][suggested]), int(counts[word][given]) - own
        ratio = ((there + 1) / (suggested_rows + 2)) / ((here + 1) / (given_rows + 2))
        shares = {"suggested_share": there / max(suggested_rows, 1), "given_share": here / max(given_rows, 1)}
        found.append({"value": word, "where": f"the word {word}", "ratio": ratio, **shares})
    found.sort(key=lambda line: (-line["ratio"], line["value"]))
    return [found[0]] if len(found) == 1 else [found[0], found[-1]]


def _number(value: float) -> str:
    return f"{value:.6g}"


def _moment(days: float) -> str:
    return str(np.datetime64(math.floor(days), "D"))


def shown_value(value: Any, *, longest: int = LONGEST_VALUE) -> str:
    """A value of the table as a person reads it: short, on one line, empty where missing."""
    if hasattr(value, "to_numpy") or isinstance(value, (list, tuple, np.ndarray)):
        numbers = list(value)
        head = ", ".join(shown_value(item) for item in numbers[:3])
        return f"[{head}, … {len(numbers):,} in all]" if len(numbers) > 3 else f"[{head}]"
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) in ("NaT", "<NA>"):
        return ""
    if hasattr(value, "as_py"):
        value = value.as_py()
    text = f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
    text = "".join(letter if letter.isprintable() or letter.isspace() else "�" for letter in text[: 2 * longest])
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"

"""How far a batch has moved from the trusted table: its classes, its noise, the model's error, its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import AuditorFileError
from dqlabels.frames.arrays import FloatMatrix
from dqlabels.frames.features import FeatureEncoder
from dqlabels.noise.increase import MIN_ROWS, Measured, Zero
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.reference import increase_rate, reference_noise
from dqlabels.statistics.arrays import IntArray

# Values of a number are counted between the trusted table's deciles.
BINS = 10
# By convention a stability index from here on is a large shift (below 0.1 none to speak of).
LARGE_SHIFT = 0.25
# A small batch shifts by chance alone: its index must lie beyond this quantile of what chance gives.
CHANCE = 0.001
CONFIDENCE = 0.90
MOVED = {"classes": "The shares of the classes", "values": "The values"}
COLUMNS = ("what", "name", "trusted", "batch", "change", "low", "high", "drifted")


@dataclass(frozen=True, slots=True)
class Shift:
    """One line of the drift table.

    ``what`` is ``noise rate``, ``model error``, ``class share`` (``trusted`` and ``batch`` are shares of rows in
    [0, 1]), or ``classes``, ``values`` or ``feature`` (``change`` is a population stability index of at least 0).
    ``low`` and ``high`` are the 90% interval of the change where there is one. ``drifted`` asks for more: a change that
    chance gives once in a thousand audits, however many columns and classes there are, of an index a large one too; and
    of the noise rate and the model's error a rise.
    """

    what: str
    name: str
    trusted: float | None
    batch: float | None
    change: float
    low: float | None
    high: float | None
    drifted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """The trusted profile that a batch was compared with, and how far it moved; the model's error comes first.

    ``zero`` and ``measured`` are what the increase of the noise rate follows from; an auditor that an earlier version
    saved has neither. Of numbers the ``profile`` is empty, since the noise rate of the trusted rows is not known.
    """

    profile: Mapping[str, Any]
    shifts: tuple[Shift, ...]
    zero: Zero | None = None
    measured: Measured | None = None

    def change(self, rate: NoiseRate, rows: int, confidence: float) -> NoiseRate:
        """Return the increase of the noise rate over the trusted rows, as a rate of method ``"reference"``.

        Args:
            rate: The batch's own, from which the noise matrix is taken.
            rows: How many rows of the batch were judged.
            confidence: Confidence of the interval, in (0, 1).
        """
        if self.zero is None or self.measured is None:
            error = float(self.shifts[0].batch or 0.0)
            return reference_noise(error, rows, self.profile, rate, confidence=confidence)
        increase = self.zero.increase(self.measured.sums)
        return increase_rate(increase, rate, is_telling=self.zero.is_telling, confidence=confidence)

    def with_rate(self, rate: NoiseRate | None, rows: int) -> Drift:
        """Add the noise rate of the trusted rows and its increase, which are computed only when asked for.

        Args:
            rate: The batch's own; None of numbers, which have none.
            rows: How many rows of the batch were judged.
        """
        if rate is None:
            return replace(self, shifts=(*self._rise(), *self.shifts))
        change, sure = self.change(rate, rows, CONFIDENCE), self.change(rate, rows, 1 - 2 * CHANCE)
        trusted = float(self.profile["noise_rate"]["estimate"])
        batch = min(max(trusted + change.estimate, 0.0), 1.0)
        risen = sure.low > 0 and sure.supported
        level = Shift("noise rate", "", trusted, batch, change.estimate, change.low, change.high, risen)
        return replace(self, shifts=(level, *self.shifts))

    def _rise(self) -> list[Shift]:
        """The increase of the noise rate where no rate itself is known; nothing where it was not measured."""
        if self.zero is None or self.measured is None:
            return []
        increase = self.zero.increase(self.measured.sums)
        low, high = increase.interval(CONFIDENCE)
        sure, _ = increase.interval(1 - 2 * CHANCE)
        risen = sure > 0 and self.zero.is_telling and increase.rows >= MIN_ROWS
        return [Shift("noise rate", "", None, None, increase.estimate, low, high, risen)]

    def columns(self) -> dict[str, list[object]]:
        """The shifts by column."""
        return {name: [getattr(shift, name) for shift in self.shifts] for name in COLUMNS}

    def to_list(self) -> list[dict[str, object]]:
        """Plain values, ready for JSON."""
        return [{name: getattr(shift, name) for name in COLUMNS} for shift in self.shifts]

    def notes(self) -> list[str]:
        """What a reader should know before acting on the audit."""
        notes = []
        features = [shift.name for shift in self.shifts if shift.what == "feature" and shift.drifted]
        if features:
            listed = ", ".join(map(repr, features[:10])) + (", …" if len(features) > 10 else "")
            notes.append(
                f"Columns {listed} are spread over other values than in the trusted table, so the model judges rows "
                "it knows less of. See audit.drift; fit again if this is the new normal."
            )
        for shift in self.shifts:
            if shift.what in MOVED and shift.drifted:
                notes.append(
                    f"{MOVED[shift.what]} moved (stability index {shift.change:.2f}). See audit.drift; fit again if "
                    "this is the new normal."
                )
            if shift.what == "model error" and shift.drifted:
                notes.append(
                    f"The model disagrees with {shift.batch:.1%} of the labels, {shift.trusted:.1%} on the trusted "
                    "table: there is more noise in them, or the rows themselves changed."
                )
        return notes


@dataclass(frozen=True, slots=True, eq=False)
class ColumnSpread:
    """Rows of the trusted table by value of one feature column.

    ``edges`` (B,) part its values into B + 1 bins, beside one for missing values; without edges the bins are
    the columns of a one-hot block, beside one for none of them. ``rows`` counts each bin.
    """

    edges: NDArray[np.float32]
    rows: IntArray

    @classmethod
    def of_numbers(cls, values: NDArray[np.float32]) -> ColumnSpread:
        """Count values (n,) between their deciles, the missing ones by themselves."""
        there = values[~np.isnan(values)]
        inner = np.arange(1, BINS) / BINS
        edges = np.unique(np.quantile(there, inner, method="lower")) if there.size else there[:0]
        return cls(edges, _binned(values, edges))

    def shift(self, what: str, name: str, values: NDArray[np.float32], chance: float = CHANCE) -> Shift:
        """Return how far the values (n,) of a batch are spread over other bins.

        Args:
            what: What they are.
            name: The name of the column.
            values: Its numbers.
            chance: How seldom chance gives what counts as drifted.
        """
        change, drifted = stability_index(self.rows, _binned(values, self.edges), chance)
        return Shift(what, name, None, None, change, None, None, drifted)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain values, ready for JSON."""
        return {"edges": self.edges.tolist(), "rows": self.rows.tolist()}


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """How the trusted table's features were spread, by column; text and vectors are not followed."""

    spreads: Mapping[str, ColumnSpread]

    @classmethod
    def of(cls, matrix: FloatMatrix, encoder: FeatureEncoder) -> Baseline:
        """Count the features (n, d) of the trusted rows."""
        spreads = {}
        for name, block in encoder.blocks.items():
            kind, part = encoder.kinds[name], matrix[:, block]
            if kind in ("text", "vector"):
                continue
            if kind == "category" and part.shape[1] > 2:
                spreads[name] = ColumnSpread(np.empty(0, dtype=np.float32), _one_hot_rows(part))
                continue
            spreads[name] = ColumnSpread.of_numbers(np.ascontiguousarray(part[:, 0]))
        return cls(spreads)

    def to_dict(self) -> dict[str, dict[str, list[float]]]:
        """Plain values, ready for JSON; ``from_dict`` reads them back."""
        return {name: spread.to_dict() for name, spread in self.spreads.items()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any], encoder: FeatureEncoder) -> Baseline:
        """The baseline that ``to_dict`` gave, checked against the columns it is of.

        Raises:
            AuditorFileError: Not a baseline of these columns.
        """
        spreads = {}
        try:
            for name, spread in saved.items():
                spreads[name] = read_spread(spread, encoder.encoders[name].width)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise AuditorFileError(f"The saved spread of a feature cannot be used ({error!r}).") from error
        return cls(spreads)

    def shifts(self, matrix: FloatMatrix, encoder: FeatureEncoder) -> list[Shift]:
        """The stability index of each column of a batch's features (n, d), the largest first."""
        shifts, chance = [], CHANCE / max(len(self.spreads), 1)
        for name, spread in self.spreads.items():
            part = matrix[:, encoder.blocks[name]]
            if spread.edges.size or part.shape[1] <= 2:
                shifts.append(spread.shift("feature", name, np.ascontiguousarray(part[:, 0]), chance))
                continue
            change, drifted = stability_index(spread.rows, _one_hot_rows(part), chance)
            shifts.append(Shift("feature", name, None, None, change, None, None, drifted))
        return sorted(shifts, key=lambda shift: -shift.change)


def read_spread(saved: Mapping[str, Any], width: int = 1) -> ColumnSpread:
    """The spread that ``to_dict`` gave, checked.

    Args:
        saved: Its plain values.
        width: How many columns of features the column has.

    Raises:
        ValueError: Not a spread of such a column.
    """
    edges, rows = np.array(saved["edges"], np.float32), np.array(saved["rows"], np.int64)
    bins = edges.size + 2 if edges.size or width <= 2 else width + 1
    if edges.ndim != 1 or rows.shape != (bins,) or (rows < 0).any() or not np.isfinite(edges).all():
        raise ValueError(f"{edges.size} edges, {rows.size} bins")
    return ColumnSpread(edges, rows)


def _one_hot_rows(part: FloatMatrix) -> IntArray:
    """(w + 1,) rows of each column of a one-hot block, and of none."""
    rows = part.sum(axis=0, dtype=np.float64).astype(np.int64)
    return np.append(rows, len(part) - rows.sum())


def _binned(values: NDArray[np.float32], edges: NDArray[np.float32]) -> IntArray:
    """(B + 2,) values up to each edge, beyond the last, and missing."""
    missing = int(np.isnan(values).sum())
    up_to = [int(np.count_nonzero(values <= edge)) for edge in edges]
    return np.array([*np.diff([0, *up_to, len(values) - missing]), missing], dtype=np.int64)


def stability_index(trusted: IntArray, batch: IntArray, chance: float = CHANCE) -> tuple[float, bool]:
    """Population stability index of a batch's counts (B,) against trusted ones, and whether it is a large shift.

    Large is from 0.25 on where chance alone would not give as much: without drift the index, times the
    harmonic sum of both sizes, follows a chi-square distribution of one degree of freedom fewer than bins.

    Source: Yurdakul & Naranjo (2020), "Statistical properties of the population stability index", Journal of
    Risk Model Validation 14(4).

    >>> stability_index(np.array([500, 500]), np.array([500, 500]))
    (0.0, False)
    >>> stability_index(np.array([500, 500]), np.array([800, 200]))[1]
    True
    """
    from scipy.special import chdtri

    used = (trusted + batch) > 0
    before, after = trusted[used] + 0.5, batch[used] + 0.5
    before, after = before / before.sum(), after / after.sum()
    index = float(((after - before) * np.log(after / before)).sum())
    spread = 1 / max(int(trusted.sum()), 1) + 1 / max(int(batch.sum()), 1)
    by_chance = float(chdtri(max(int(used.sum()) - 1, 1), chance)) * spread
    return index, index > max(LARGE_SHIFT, by_chance)


def label_shifts(
    profile: Mapping[str, Any], classes: Sequence[object], class_rows: IntArray, trusted_error: float, error: float
) -> list[Shift]:
    """The model's error and the class shares of a batch against the trusted profile.

    Args:
        profile: The profile of the trusted table, as ``LabelAudit.profile()`` gives it.
        classes: The K classes.
        class_rows: (K,) audited rows of the batch.
        trusted_error: Share of the trusted labels that are not the model's likeliest class, each judged by as much of
            the model as the batch's.
        error: Share of the batch's labels that are not.
    """
    trusted_rows = np.array(profile["class_rows"], dtype=np.int64)
    shifts = [error_shift(trusted_error, int(profile["rows"]), error, int(class_rows.sum()))]
    index, large = stability_index(trusted_rows, class_rows)
    shifts.append(Shift("classes", "", None, None, index, None, None, large))
    shares = trusted_rows / trusted_rows.sum(), class_rows / class_rows.sum()
    for k, value in enumerate(classes):
        rows = int(trusted_rows.sum()), int(class_rows.sum())
        shifts.append(share_shift(str(value), float(shares[0][k]), rows[0], float(shares[1][k]), rows[1], len(classes)))
    return shifts


def error_shift(trusted: float, trusted_rows: int, batch: float, batch_rows: int) -> Shift:
    """Return how far the model's error on a batch is from that on the trusted rows.

    Args:
        trusted: Its share of the trusted labels.
        trusted_rows: How many these are.
        batch: Its share of the batch's labels.
        batch_rows: How many these are.
    """
    low, high, sure = _difference(trusted, trusted_rows, batch, batch_rows, CHANCE)
    return Shift("model error", "", trusted, batch, batch - trusted, low, high, sure and batch > trusted)


def share_shift(name: str, trusted: float, trusted_rows: int, batch: float, batch_rows: int, classes: int) -> Shift:
    """Return how far the share of a class in a batch is from that in the trusted rows.

    Args:
        name: The class.
        trusted: Its share of the trusted rows.
        trusted_rows: How many these are.
        batch: Its share of the batch.
        batch_rows: How many rows that has.
        classes: How many classes are asked about.
    """
    low, high, sure = _difference(trusted, trusted_rows, batch, batch_rows, CHANCE / classes)
    return Shift("class share", name, trusted, batch, batch - trusted, low, high, sure)


def _difference(a: float, rows_a: int, b: float, rows_b: int, chance: float) -> tuple[float, float, bool]:
    """Interval of the difference b - a of two shares, and whether ``chance`` explains as much less often than that.

    Source: Agresti & Caffo (2000), The American Statistician 54(4): one more row of either kind in each.
    """
    before, after = ((share * rows + 1) / (rows + 2) for share, rows in ((a, rows_a), (b, rows_b)))
    error = (before * (1 - before) / (rows_a + 2) + after * (1 - after) / (rows_b + 2)) ** 0.5
    half = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * error
    sure = NormalDist().inv_cdf(1 - chance / 2) * error
    return after - before - half, after - before + half, abs(after - before) > sure

"""How far the noise rate of a batch lies above that of trusted rows which the same model judged.

Each label counts by its doubt: how likely it would be wrong, by its score among the trusted rows, if 6% of their labels
were wrong. The doubt that a batch has beyond the trusted rows' of the same classes, over what labels drawn at
random would add, is the share of its labels that became wrong. This tells two to three times as much from as many rows
as counting the labels that the model disagrees with (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from dqlabels.noise.probability import WrongProbability, by_scores, wrong_probability
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.scores import N_BINS, ScoreTally, every_logit_margin, logit_margin

# The rate at which doubt is counted. Smaller ones tell more of noise at random and less of noise at the border of the
# classes, larger ones the other way round.
RATE = 0.06
# The doubt of a class with few trusted rows is drawn to that of the table, as by so many rows of it.
PRIOR_ROWS = 20.0
# Trusted rows from which the scores of other labels are taken.
MAX_ROWS = 100_000
# Labels that the model hardly tells from others drawn at random tell nothing about noise.
MIN_GAIN = 0.02
# That the shape of the doubt is found from the trusted rows too doubles the variance of their zero where there are so
# many of them (measured: 40 zeros each of 150 to 2,000 rows).
SHAPE_ROWS = 300.0
# Doubt is added up in whole numbers of 1 / UNIT.
UNIT = 2**24
# Below so many rows the interval of an increase, which takes its mean to be normal, does not hold.
MIN_ROWS = 30


@dataclass(frozen=True, slots=True, eq=False)
class _Margin:
    """The logit margin as a score, whatever the audit ranks by."""

    by_rival: ClassVar[bool] = True

    def __call__(self, codes: IntArray, probs: RealArray) -> FloatArray:
        return logit_margin(codes, probs)

    def of_every_class(self, probs: RealArray) -> FloatArray:
        return every_logit_margin(probs)


@dataclass(frozen=True, slots=True, eq=False)
class DoubtSums:
    """Rows and the doubt of their labels, (K,) each by given class, and ``pairs`` (K, K), given x likelier class.

    Sums over any parts of a table add up to those of the whole.
    """

    rows: IntArray
    doubt: FloatArray
    pairs: IntArray

    @property
    def error(self) -> float:
        """The share of the rows whose likeliest class is not the given one."""
        return float(self.pairs.sum()) / max(int(self.rows.sum()), 1)

    def __add__(self, other: DoubtSums) -> DoubtSums:
        return DoubtSums(self.rows + other.rows, self.doubt + other.doubt, self.pairs + other.pairs)

    @classmethod
    def beside(cls, parts: Sequence[DoubtSums]) -> DoubtSums:
        """Return the sums of several questions, each with classes of its own, as those of all their classes."""
        rows, doubt = (np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "doubt"))
        pairs = np.zeros((rows.size, rows.size), dtype=np.int64)
        start = 0
        for part in parts:
            there = slice(start, start + part.rows.size)
            pairs[there, there] = part.pairs
            start = there.stop
        return cls(rows, doubt, pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The rows (m,) of a batch that were measured, their class positions (m,) and doubt (m,), and the sums of these."""

    rows: IntArray
    codes: IntArray
    doubt: FloatArray
    sums: DoubtSums

    @classmethod
    def beside(cls, parts: Sequence[Measured]) -> Measured:
        """Return the answers to several questions about the same rows, each with classes of its own, as one."""
        starts = np.cumsum([0, *(part.sums.rows.size for part in parts[:-1])])
        codes = [part.codes + start for part, start in zip(parts, starts.tolist(), strict=True)]
        rows, doubt = (np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "doubt"))
        return cls(rows, np.concatenate(codes), doubt, DoubtSums.beside([part.sums for part in parts]))


@dataclass(frozen=True, slots=True)
class Increase:
    """The increase of a noise rate over trusted rows, in [-1, 1], with its standard errors.

    ``error`` is that of the batch, by chance alone; ``zero_error`` that of the trusted rows, which all batches share.
    """

    estimate: float
    error: float
    zero_error: float
    rows: int

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return low and high, within [-1, 1]."""
        half = NormalDist().inv_cdf(0.5 + confidence / 2) * float(np.hypot(self.error, self.zero_error))
        return max(self.estimate - half, -1.0), min(self.estimate + half, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Zero:
    """The doubt of trusted rows, judged by models that had not seen them: what the doubt of batches is measured from.

    ``nodes`` (m, 2) are scores in factors of two with the log-odds of being wrong; ``sums`` those of the trusted rows.
    ``planted`` (K,) is the mean doubt of labels of each class given at random to rows of the others. ``variance`` and
    ``skewness`` are those of a row's doubt within its class. ``questions`` is how many classes in turn exclude each
    other, by default all of them: a question of a single class is about values, a wrong one being that of another row.
    """

    nodes: FloatArray
    sums: DoubtSums
    planted: FloatArray
    variance: float
    skewness: float
    questions: tuple[int, ...] = ()

    @classmethod
    def of_values(cls, units: FloatArray, others: FloatArray) -> Zero:
        """Measure trusted rows that hold values, not classes.

        Args:
            units: (n,) scores of their values by models that had not seen them, in whole units, low is suspicious.
            others: (n, m) scores that values of other rows would have in their place.

        >>> rng = np.random.default_rng(0)
        >>> right, wrong = np.rint(-rng.normal(-1, 1, 1000) * 2**20), np.rint(-rng.normal(3, 1, 1000) * 2**20)
        >>> zero = Zero.of_values(right, wrong[:, None])
        >>> batch = zero.measure_values(np.concatenate([right[:950], wrong[:50]]), np.arange(1000))
        >>> round(zero.increase(batch.sums).estimate, 2)
        0.05
        """
        tally, drawn = ScoreTally.empty(), ScoreTally.empty()
        tally.update(units)
        drawn.update(others.ravel())
        shape = by_scores(tally, drawn, RATE)
        doubt = shape.wrong(units)
        sums = _sums(np.zeros(units.size, dtype=np.int64), doubt, np.ones((units.size, 1)))
        apart = doubt - _means(sums)[0]
        variance = max(float((apart**2).mean()), 1e-12)
        planted = np.array([shape.wrong(others.ravel()).mean()])
        return cls(shape.nodes, sums, planted, variance, float((apart**3).mean()) / variance**1.5)

    @classmethod
    def beside(cls, zeros: Sequence[Zero]) -> Zero:
        """Return the zero of several questions about the same rows, such as one for each tag: of all their answers."""
        sums = DoubtSums.beside([zero.sums for zero in zeros])
        shares = np.array([zero.rows for zero in zeros]) / max(int(sums.rows.sum()), 1)
        variance = float(shares @ [zero.variance for zero in zeros])
        third = float(shares @ [zero.skewness * zero.variance**1.5 for zero in zeros])
        nodes, planted = (np.concatenate([getattr(zero, name) for zero in zeros]) for name in ("nodes", "planted"))
        questions = tuple(zero.sums.rows.size for zero in zeros)
        return cls(nodes, sums, planted, variance, third / variance**1.5, questions)

    @classmethod
    def of(cls, codes: IntArray, probs: RealArray) -> Zero:
        """Measure trusted rows.

        Args:
            codes: (n,) their class positions, none missing.
            probs: (n, K) what models that had not seen them said.

        >>> codes = np.array([0, 1] * 500)
        >>> right = np.random.default_rng(0).uniform(0.6, 1, 1000)
        >>> probs = np.column_stack([np.where(codes == 0, right, 1 - right), np.where(codes == 1, right, 1 - right)])
        >>> zero = Zero.of(codes, probs)
        >>> wrong = codes.copy()
        >>> wrong[:50] = 1 - wrong[:50]
        >>> [round(zero.increase(zero.measure(batch, probs).sums).estimate, 2) for batch in (codes, wrong)]
        [0.0, 0.05]
        """
        n_classes = probs.shape[1]
        units = logit_margin(codes, probs)
        tally = ScoreTally.empty()
        tally.update(units)
        some = _by_score(units, codes) if codes.size > MAX_ROWS else np.arange(codes.size)
        others = np.full((n_classes, n_classes), 1 / (n_classes - 1))
        np.fill_diagonal(others, 0.0)
        shape = wrong_probability(tally, codes[some], probs[some], others, RATE, _Margin())
        doubt, every = shape.wrong(units), every_logit_margin(probs[some])
        planted = np.empty(n_classes)
        for label in range(n_classes):
            elsewhere = codes[some] != label
            planted[label] = shape.wrong(every[elsewhere, label]).mean() if elsewhere.any() else doubt.mean()
        sums = _sums(codes, doubt, probs)
        apart = doubt - _means(sums)[codes]
        variance = max(float((apart**2).mean()), 1e-12)
        return cls(shape.nodes, sums, planted, variance, float((apart**3).mean()) / variance**1.5)

    @property
    def rows(self) -> int:
        """How many trusted rows there are."""
        return int(self.sums.rows.sum())

    @property
    def means(self) -> FloatArray:
        """The mean doubt (K,) of the trusted rows of each class; of few rows drawn to that of all."""
        parts = [DoubtSums(self.sums.rows[one], self.sums.doubt[one], self.sums.pairs[one, one]) for one in self.parts]
        return np.concatenate([_means(part) for part in parts])

    @property
    def gain(self) -> float:
        """How much doubt a wrong label adds: a label of any other class, each as often."""
        return float((self.planted - self.means) @ self._landing)

    @property
    def is_telling(self) -> bool:
        """Whether the model tells labels drawn at random from those given, so that doubt says something of noise."""
        return self.gain >= MIN_GAIN

    @property
    def error_of_a_row(self) -> float:
        """Standard deviation of the increase that one row would give."""
        return float(self.variance**0.5 / max(self.gain, MIN_GAIN))

    @property
    def zero_error(self) -> float:
        """Standard error of the zero: of the trusted rows' mean, and of the shape of doubt, which they gave too."""
        rows = max(self.rows, 1)
        return float(self.error_of_a_row * ((1 + SHAPE_ROWS / rows) / rows) ** 0.5)

    @property
    def _landing(self) -> FloatArray:
        """The share (K,) of random labels that are of each class."""
        landing = []
        for rows in (self.sums.rows[one] for one in self.parts):
            others = rows.sum() - rows if rows.size > 1 else rows
            landing.append(others / (max(rows.size - 1, 1) * max(self.rows, 1)))
        return np.concatenate(landing)

    @property
    def parts(self) -> list[slice]:
        """Where the classes of each question lie."""
        ends = np.cumsum(self.questions or (self.sums.rows.size,)).tolist()
        return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def doubt(self, codes: IntArray, probs: RealArray) -> FloatArray:
        """Return the doubt (m,) of labels (m,) by probabilities (m, K)."""
        return WrongProbability.of(self.nodes).wrong(logit_margin(codes, probs))

    def measure(self, codes: IntArray, probs: RealArray, rows: IntArray | None = None) -> Measured:
        """Measure the doubt of a batch.

        Args:
            codes: (m,) class positions, none missing.
            probs: (m, K) the answers of as much of the model for each row as the trusted rows had.
            rows: (m,) their places in the batch; by default 0 to m - 1.
        """
        doubt = self.doubt(codes, probs)
        places = np.arange(codes.size) if rows is None else rows
        return Measured(places, codes, doubt, _sums(codes, doubt, probs))

    def measure_values(self, units: FloatArray, rows: IntArray) -> Measured:
        """Measure the doubt of a batch of values.

        Args:
            units: (m,) scores of its values, by as much of the model for each row as the trusted rows had.
            rows: (m,) their places in the batch.
        """
        doubt, codes = WrongProbability.of(self.nodes).wrong(units), np.zeros(units.size, dtype=np.int64)
        return Measured(rows, codes, doubt, _sums(codes, doubt, np.ones((units.size, 1))))

    def increase(self, sums: DoubtSums) -> Increase:
        """Return the increase of the noise rate over the trusted rows."""
        rows = int(sums.rows.sum())
        beyond = float((sums.doubt - sums.rows * self.means).sum()) / max(rows, 1)
        error = self.error_of_a_row / max(rows, 1) ** 0.5
        return Increase(float(np.clip(beyond / max(self.gain, MIN_GAIN), -1, 1)), error, self.zero_error, rows)

    def by_class(self, sums: DoubtSums) -> tuple[FloatArray, FloatArray]:
        """Return the increase (K,) among the rows given each class, and its standard error (K,), both errors in it.

        A class of which the batch has no row has an increase of 0 and an error of 1.
        """
        gains = np.maximum(self.planted - self.means, MIN_GAIN)
        shares = np.divide(sums.doubt, sums.rows, out=self.means.copy(), where=sums.rows > 0)
        inverse = 1 / np.maximum(sums.rows, 1) + 1 / (self.sums.rows + PRIOR_ROWS)
        error = np.where(sums.rows > 0, np.sqrt(self._class_variances * inverse) / gains, 1.0)
        return np.clip((shares - self.means) / gains, -1, 1), error

    def by_pair(self, sums: DoubtSums) -> tuple[FloatArray, FloatArray]:
        """Return how much more often rows given each class (K, K) are likelier of each other, and the standard errors.

        Both are shares of the rows given the class; the errors are those of the difference of two shares.
        """
        before, after = ((one.pairs + 0.5) / (one.rows + 1.0)[:, None] for one in (self.sums, sums))
        variance = before * (1 - before) / (self.sums.rows + 1.0)[:, None]
        variance = variance + after * (1 - after) / (sums.rows + 1.0)[:, None]
        return after - before, np.sqrt(variance)

    @property
    def _class_variances(self) -> FloatArray:
        """Variance (K,) of a row's doubt within each class: at most that of a number in [0, 1] with this mean."""
        return np.asarray(np.minimum(self.means * (1 - self.means), 2 * self.variance))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; ``from_dict`` reads them back."""
        return {
            "nodes": self.nodes.tolist(),
            "rows": self.sums.rows.tolist(),
            "doubt": self.sums.doubt.tolist(),
            "pairs": self.sums.pairs.tolist(),
            "planted": self.planted.tolist(),
            "variance": self.variance,
            "skewness": self.skewness,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any], n_classes: int) -> Zero:
        """Read what ``to_dict`` gave; every value is checked, since it may come from a file.

        Raises:
            ValueError: Not the zero of so many classes.
        """
        nodes = np.array(saved["nodes"], dtype=np.float64)
        rows, pairs = np.array(saved["rows"], dtype=np.int64), np.array(saved["pairs"], dtype=np.int64)
        doubt, planted = np.array(saved["doubt"], dtype=np.float64), np.array(saved["planted"], dtype=np.float64)
        variance, skewness = float(saved["variance"]), float(saved["skewness"])
        shapes = [array.shape for array in (rows, doubt, planted)]
        if shapes != [(n_classes,)] * 3 or pairs.shape != (n_classes, n_classes):
            raise ValueError(f"the zero has arrays of shapes {shapes} and {pairs.shape} for {n_classes} classes")
        if nodes.ndim != 2 or nodes.shape[1] != 2 or not 0 < len(nodes) <= N_BINS:
            raise ValueError(f"the zero has nodes of shape {nodes.shape}")
        finite = all(np.isfinite(array).all() for array in (nodes, doubt, planted))
        if not finite or not np.isfinite([variance, skewness]).all() or (np.diff(nodes, axis=0) * [1, -1] < 0).any():
            raise ValueError("the zero has numbers that are not finite, or doubt that rises with the score")
        within = (rows >= 0).all() and (pairs >= 0).all() and (doubt >= 0).all() and (doubt <= rows).all()
        if not within or not ((planted >= 0) & (planted <= 1)).all() or variance <= 0:
            raise ValueError("the zero has counts, shares or a variance out of range")
        return cls(nodes, DoubtSums(rows, doubt, pairs), planted, variance, skewness)


def _sums(codes: IntArray, doubt: FloatArray, probs: RealArray) -> DoubtSums:
    n_classes = probs.shape[1]
    rows = np.bincount(codes, minlength=n_classes).astype(np.int64)
    likely = probs.argmax(axis=1)
    apart = likely != codes
    pairs = np.bincount(codes[apart] * n_classes + likely[apart], minlength=n_classes**2)
    sums = np.bincount(codes, weights=doubt_units(doubt), minlength=n_classes) / UNIT
    return DoubtSums(rows, np.minimum(sums, rows), pairs.reshape(n_classes, n_classes).astype(np.int64))


def doubt_units(doubt: FloatArray) -> FloatArray:
    """Return doubt in whole numbers of 1 / ``UNIT``: neither the order of rows nor their parts show in such sums."""
    return np.asarray(np.rint(doubt * UNIT))


def _means(sums: DoubtSums) -> FloatArray:
    overall = float(sums.doubt.sum()) / max(int(sums.rows.sum()), 1)
    return np.asarray((sums.doubt + PRIOR_ROWS * overall) / (sums.rows + PRIOR_ROWS))


def _by_score(units: FloatArray, codes: IntArray) -> IntArray:
    """At most about ``MAX_ROWS`` rows, spread evenly over the scores."""
    order = np.lexsort((codes, units))
    return np.asarray(order[:: -(-codes.size // MAX_ROWS)])

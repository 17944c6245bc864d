"""The memory engine: blocks of rows that stay in cache, fed to the statistics by threads.

Its two verbs are ``reduce``, which merges a statistic over all blocks, and ``map``, which fills arrays with
what each block's rows say.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dqlabels import compat as cleanlab
from dqlabels.confident import (
    FILTERS,
    SCORES,
    BoolArray,
    ClassTally,
    FloatArray,
    IntArray,
    JointTally,
    Judgement,
    Rows,
    Selection,
    adjust_probs,
    calibrate,
    confident_class,
    entropy_quality,
    margin_quality,
    offer_margins,
    prune_counts,
    read_rows,
    take,
)
from dqlabels.errors import OptionError, ProbabilityError

# A block of probabilities with its scratch fits a core's second-level cache.
BLOCK_BYTES = 512 * 1024
FEWEST_ROWS = 256


# Margins are looked at from the top: few cells want more rows than have a positive one.
DEPTHS = (0.0, -0.05, -0.25, -np.inf)


class Mergeable(Protocol):
    """A statistic that can take in what another one saw."""

    def merge(self, other: Any) -> None:
        """Add what ``other`` saw."""


State = TypeVar("State", bound=Mergeable)


@dataclass(frozen=True, slots=True, eq=False)
class MemoryEngine:
    """Feeds n rows in blocks of ``block_rows`` on ``n_threads`` threads; the answer depends on neither."""

    n_rows: int
    block_rows: int
    n_threads: int

    @classmethod
    def over(cls, probs: NDArray[Any], n_threads: int | None = None, block_rows: int | None = None) -> MemoryEngine:
        """An engine whose blocks suit a matrix of this width."""
        width = max(1, probs.shape[1] * probs.itemsize)
        threads = n_threads if n_threads and n_threads > 0 else os.cpu_count() or 1
        return cls(len(probs), block_rows or max(FEWEST_ROWS, BLOCK_BYTES // width), threads)

    def _blocks(self) -> list[slice]:
        starts = range(0, self.n_rows, self.block_rows)
        return [slice(start, min(start + self.block_rows, self.n_rows)) for start in starts]

    def reduce(self, make: Callable[[], State], observe: Callable[[State, slice], None]) -> State:
        """Merge a statistic over all blocks: ``observe`` updates one state with one block."""
        blocks = self._blocks()

        def run(worker: int) -> State:
            state = make()
            for block in blocks[worker :: self.n_threads]:
                observe(state, block)
            return state

        states = self._on_threads(run, len(blocks))
        whole = states[0] if states else make()
        for state in states[1:]:
            whole.merge(state)
        return whole

    def map(self, fill: Callable[[slice], None]) -> None:
        """Call ``fill`` for every block; blocks never overlap."""
        blocks = self._blocks()

        def run(worker: int) -> None:
            for block in blocks[worker :: self.n_threads]:
                fill(block)

        self._on_threads(run, len(blocks))

    def _on_threads(self, run: Callable[[int], Any], n_blocks: int) -> list[Any]:
        workers = min(self.n_threads, n_blocks)
        if workers <= 1:
            return [run(0)] if n_blocks else []
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(run, range(workers)))


@dataclass(slots=True, eq=False)
class Pass:
    """The rows under judgement and what the passes so far found of each: kept narrow, a few bytes a row."""

    engine: MemoryEngine
    codes: IntArray
    probs: NDArray[Any]
    rival: NDArray[Any]
    margin_up: BoolArray
    wins: BoolArray

    def rows(self, block: slice) -> Rows:
        """The comparison of a block again, from what was kept."""
        probs, rival = self.probs[block], self.rival[block].astype(np.int64)
        return Rows(take(probs, self.codes[block]), rival, take(probs, rival))


def judge(
    codes: IntArray,
    probs: NDArray[Any],
    *,
    filter_by: str = "prune_by_noise_rate",
    score: str = "normalized_margin",
    adjust: bool = False,
    compat: str | None = None,
    frozen_classes: BoolArray | None = None,
    n_threads: int | None = None,
    block_rows: int | None = None,
) -> Judgement:
    """Confident learning over arrays in memory.

    Args:
        codes: (n,) class positions 0..K-1, none missing.
        probs: (n, K) out-of-sample probabilities, float32 or float64, K >= 2.
        filter_by: The rule that flags rows, one of ``FILTERS``.
        score: The quality of a label, one of ``SCORES``.
        adjust: Score on probabilities less each class's threshold.
        compat: ``"cleanlab"`` for cleanlab 2.9's numbers where it departs from the paper.
        frozen_classes: (K,) true for classes that are never flagged.
        n_threads: Default one a core; the answer does not depend on it.
        block_rows: Rows a block; the answer does not depend on it.

    Raises:
        OptionError: An unknown rule, score or compatibility.
        ProbabilityError: Shapes that do not fit, or values that are not probabilities.

    >>> judge(np.array([0, 0, 1, 1, 1]), np.array([[.9, .1], [.8, .2], [.2, .8], [.1, .9], [.9, .1]])).flagged.tolist()
    [False, False, False, False, True]
    """
    _check(codes, probs, filter_by, score, adjust, compat)
    engine = MemoryEngine.over(probs, n_threads, block_rows)
    n, k = probs.shape
    work = Pass(
        engine, codes, probs, np.empty(n, np.min_scalar_type(k)), np.empty(n, dtype=bool), np.empty(n, dtype=bool)
    )
    quality = np.empty(n)
    tally = _compare(work, quality)
    if compat == "cleanlab":
        found = cleanlab.judge_like_cleanlab(work.codes, probs, work.rival, filter_by, score, adjust=adjust)
        thresholds, counts, joint, flagged = found.thresholds, found.counts, found.joint, found.flagged
        quality = found.quality
    else:
        thresholds, bars = tally.finish(), tally.bars()
        counts, confident_off = _count(work, bars, keep=filter_by == "confident_learning")
        joint = calibrate(counts, tally.rows) / max(n, 1)
        flagged = _flag(work, filter_by, counts, tally.rows, confident_off, quality)
        if score != "normalized_margin" or adjust:
            _score(work, quality, score, thresholds if adjust else None)
    if frozen_classes is not None and frozen_classes.any():
        flagged = flagged & ~frozen_classes[codes]
    likely = np.where(work.wins, work.rival, codes)
    suggested = np.where(flagged, work.rival, codes)
    return Judgement(quality, flagged, suggested, likely, tally.rows, thresholds, counts, joint)


def _check(codes: IntArray, probs: NDArray[Any], filter_by: str, score: str, adjust: bool, compat: str | None) -> None:
    for option, value, choices in (
        ("filter_by", filter_by, FILTERS),
        ("score", score, SCORES),
        ("compat", compat, (None, "cleanlab")),
    ):
        if value not in choices:
            raise OptionError(f"{option}={value!r} is none of {', '.join(map(repr, choices))}.")
    if compat == "cleanlab" and adjust and score == "confidence_weighted_entropy":
        raise OptionError(
            "cleanlab has no adjusted confidence_weighted_entropy. Drop adjust=True, or compat='cleanlab'."
        )
    if probs.ndim != 2 or probs.shape[1] < 2 or probs.shape[0] != codes.shape[0]:
        raise ProbabilityError(
            f"pred_probs has shape {probs.shape} for {codes.shape[0]:,} labels; one row a label and one column for "
            "each of at least two classes are needed."
        )
    if probs.dtype not in (np.float32, np.float64):
        raise ProbabilityError(f"pred_probs is {probs.dtype}; pass float32 or float64.")
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < probs.shape[1]:
        raise ProbabilityError(
            f"Labels run from {int(codes.min())} to {int(codes.max())}, but pred_probs has {probs.shape[1]} columns."
        )


def _compare(work: Pass, quality: FloatArray) -> ClassTally:
    """First pass: check, compare each label with its rival, score by margin, tally self-confidence."""

    def observe(tally: ClassTally, block: slice) -> None:
        codes = work.codes[block]
        rows = read_rows(codes, work.probs[block], block.start)
        work.rival[block] = rows.rival
        work.margin_up[block] = rows.disagree()
        work.wins[block] = rows.wins(codes)
        quality[block] = margin_quality(rows.given, rows.top)
        tally.update(codes, rows.given)

    return work.engine.reduce(lambda: ClassTally.empty(work.probs.shape[1]), observe)


def _count(work: Pass, bars: FloatArray, *, keep: bool) -> tuple[IntArray, BoolArray]:
    """Second pass: the confident joint, and where asked which rows lie off its diagonal."""
    off = np.zeros(work.codes.size if keep else 0, dtype=bool)

    def observe(joint: JointTally, block: slice) -> None:
        codes = work.codes[block]
        confident = confident_class(codes, work.probs[block], work.rows(block), bars)
        joint.update(codes, confident)
        if keep:
            off[block] = (confident >= 0) & (confident != codes)

    counts = work.engine.reduce(lambda: JointTally.empty(work.probs.shape[1]), observe).counts
    return counts, off


def _flag(
    work: Pass, filter_by: str, counts: IntArray, label_counts: IntArray, off: BoolArray, quality: FloatArray
) -> BoolArray:
    """The rows a rule selects, of those where another class is likelier than the given one."""
    if filter_by == "predicted_neq_given":
        return work.margin_up
    if filter_by == "confident_learning":
        return off & work.margin_up
    prune = prune_counts(counts, label_counts)
    if filter_by.startswith("low_"):
        number = int(prune.sum() - np.trace(prune))
        scores = quality if filter_by == "low_normalized_margin" else _self_confidence(work)
        return _lowest(scores, number) & work.margin_up
    flagged = work.margin_up
    if filter_by in ("prune_by_class", "both"):
        flagged = flagged & _lowest_of_class(work, prune.sum(axis=1) - np.diagonal(prune))
    if filter_by in ("prune_by_noise_rate", "both"):
        flagged = flagged & _largest_margins(work, prune)
    return flagged


def _lowest(scores: FloatArray, number: int) -> BoolArray:
    if number <= 0:
        return np.zeros(scores.size, dtype=bool)
    number = min(number, scores.size)
    return np.asarray(scores <= np.partition(scores, number - 1)[number - 1])


def _self_confidence(work: Pass) -> FloatArray:
    return take(work.probs, work.codes).astype(np.float64)


def _lowest_of_class(work: Pass, numbers: IntArray) -> BoolArray:
    """Rows among the ``numbers`` (K,) least self-confident of their class."""
    given = _self_confidence(work)

    def observe(selection: Selection, block: slice) -> None:
        selection.update(np.arange(block.start, block.stop), work.codes[block], -given[block])

    cuts = work.engine.reduce(lambda: Selection.empty(numbers), observe).finish()
    return np.asarray(-given >= cuts[work.codes])


def _largest_margins(work: Pass, prune: IntArray) -> BoolArray:
    """Rows among the ``prune`` (K, K) largest margins of any of their given → likely cells.

    A row can be flagged only where some margin of it is positive, and positive margins come first in every
    cell; the others are looked at only for cells that want more than there are.
    """
    limits = prune.copy()
    np.fill_diagonal(limits, 0)
    found = np.zeros(work.codes.size, dtype=bool)
    only: BoolArray | None = work.margin_up
    for least in DEPTHS:
        selection = _select(work, limits, only=only, least=least)
        short = np.isneginf(selection.finish())
        found[selection.rows[~short[selection.cells]]] = True
        limits = np.where(short.reshape(limits.shape), limits, 0)
        if not short.any():
            return found
        only = None
    found[selection.rows] = True
    return found


def _select(work: Pass, limits: IntArray, *, only: BoolArray | None, least: float) -> Selection:
    wanted = limits > 0
    anywhere: BoolArray = np.asarray(wanted.any(axis=1))

    def observe(selection: Selection, block: slice) -> None:
        rows: BoolArray = np.asarray(anywhere[work.codes[block]])
        found = np.flatnonzero(rows if only is None else rows & only[block])
        codes, probs = work.codes[block][found], work.probs[block][found]
        given = take(probs, codes)
        offer_margins(selection, found + block.start, codes, probs, given, wanted, least=least)

    return work.engine.reduce(lambda: Selection.empty(limits.ravel()), observe)


def _score(work: Pass, quality: FloatArray, score: str, thresholds: FloatArray | None) -> None:
    """Last pass: a quality other than the plain margin."""

    def fill(block: slice) -> None:
        codes, probs = work.codes[block], work.probs[block]
        if thresholds is not None:
            probs = adjust_probs(probs, thresholds)
        quality[block] = block_quality(codes, probs, score)

    work.engine.map(fill)


def block_quality(codes: IntArray, probs: NDArray[Any], score: str) -> FloatArray:
    """The quality (m,) of a block's labels by one of ``SCORES``."""
    given = probs[np.arange(codes.size), codes]
    if score == "self_confidence":
        return np.clip(given.astype(np.float64), 0.0, 1.0)
    if score == "confidence_weighted_entropy":
        return entropy_quality(probs, given)
    rivals = probs.copy()
    rivals[np.arange(codes.size), codes] = -1
    return margin_quality(given, rivals.max(axis=1, initial=-1))

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
    ClassTally,
    JointTally,
    Judgement,
    OfTwo,
    adjust_probs,
    block_quality,
    calibrate,
    check_block,
    confident_class,
    in_units,
    likeliest_checked,
    prune_counts,
    take,
)
from dqlabels.errors import OptionError, ProbabilityError
from dqlabels.pruning import Cells, Margins
from dqlabels.selection import BoolArray, FloatArray, IntArray, Selection

# Large enough that threads seldom wait for each other; what is gone over twice is so in parts that stay in cache.
BLOCK_BYTES = 8192 * 1024
MOST_ROWS = 16384
FEWEST_ROWS = 64
# Where only a few values of a row, or a few rows, are picked out, more rows make a block: so many are picked.
FEWEST_ROWS_PICKED = 4096


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
        return cls(len(probs), block_rows or max(FEWEST_ROWS, min(MOST_ROWS, BLOCK_BYTES // width)), threads)

    def wider(self) -> MemoryEngine:
        """An engine for work on a few values of each row, whose blocks may be larger."""
        return MemoryEngine(self.n_rows, max(self.block_rows, FEWEST_ROWS_PICKED), self.n_threads)

    def picking(self, share: float) -> MemoryEngine:
        """An engine for work on this share of the rows, spread over all blocks."""
        rows = int(FEWEST_ROWS_PICKED / max(share, 1 / 16))
        return MemoryEngine(self.n_rows, max(self.block_rows, rows), self.n_threads)

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
        while len(states) > 1:
            whole.merge(states.pop())  # let go of, so that it is not held twice
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


@dataclass(frozen=True, slots=True, eq=False)
class Flags:
    """What the rules need and find of n rows and K classes.

    ``flagged`` (n,) bool; ``likely`` (n,) likeliest class, in as few bytes as hold it; ``label_counts`` (K,);
    ``thresholds`` (K,); ``counts`` (K, K) raw confident joint; ``joint`` (K, K) calibrated, sums to 1.
    """

    flagged: BoolArray
    likely: NDArray[Any]
    label_counts: IntArray
    thresholds: FloatArray
    counts: IntArray
    joint: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """The rows under judgement and what the passes so far found of each: kept narrow, a few bytes a row.

    ``likely`` (n,) is the likeliest class; ``disagree`` (n,) true where it is likelier than the given one.
    """

    engine: MemoryEngine
    codes: IntArray
    probs: NDArray[Any]
    likely: NDArray[Any]
    disagree: BoolArray


def judge(
    codes: IntArray,
    probs: NDArray[Any],
    *,
    filter_by: str = "prune_by_noise_rate",
    score: str = "normalized_margin",
    adjust: bool = False,
    compat: str | None = None,
    frozen_classes: BoolArray | None = None,
    trusted: ClassTally | None = None,
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
        trusted: Gives the thresholds, where they are not those of these rows.
        n_threads: Default one a core; the answer does not depend on it.
        block_rows: Rows a block; the answer does not depend on it.

    Raises:
        OptionError: An unknown rule, score or compatibility.
        ProbabilityError: Shapes that do not fit, or values that are not probabilities.

    >>> judge(np.array([0, 0, 1, 1, 1]), np.array([[.9, .1], [.8, .2], [.2, .8], [.1, .9], [.9, .1]])).flagged.tolist()
    [False, False, False, False, True]
    """
    _check(codes, probs, filter_by, score, adjust, compat)
    threads: dict[str, Any] = {"n_threads": n_threads, "block_rows": block_rows}
    found = flag(codes, probs, filter_by=filter_by, compat=compat, trusted=trusted, **threads)
    flagged, likely = found.flagged, found.likely.astype(np.int64)
    if frozen_classes is not None and frozen_classes.any():
        flagged = flagged & ~frozen_classes[codes]
    if compat == "cleanlab":
        quality = cleanlab.label_quality(codes, probs, score, adjust=adjust)
    else:
        engine = MemoryEngine.over(probs, n_threads, block_rows)
        quality = _score(engine, codes, probs, score, found.thresholds if adjust else None)
    suggested = np.where(flagged, likely, codes)
    same = np.flatnonzero(flagged & (likely == codes))  # only cleanlab flags a row whose label is its likeliest class
    if same.size:
        others = probs[same].copy()
        others[np.arange(same.size), codes[same]] = -1
        suggested[same] = others.argmax(axis=1)
    return Judgement(
        quality, flagged, suggested, likely, found.label_counts, found.thresholds, found.counts, found.joint
    )


def flag(
    codes: IntArray,
    probs: NDArray[Any],
    *,
    filter_by: str = "prune_by_noise_rate",
    compat: str | None = None,
    trusted: ClassTally | None = None,
    n_threads: int | None = None,
    block_rows: int | None = None,
) -> Flags:
    """The flags alone, in three passes over the probabilities; arguments and errors are those of ``judge``.

    >>> flag(np.array([0, 0, 1, 1, 1]), np.array([[.9, .1], [.8, .2], [.2, .8], [.1, .9], [.9, .1]])).flagged.sum()
    np.int64(1)
    """
    _check(codes, probs, filter_by, SCORES[0], False, compat)
    engine = MemoryEngine.over(probs, n_threads, block_rows)
    n, k = probs.shape
    work = Pass(engine, codes, probs, np.empty(n, np.min_scalar_type(k - 1)), np.empty(n, dtype=bool))
    tally = _tally(work)
    bar = tally if trusted is None else trusted
    counts, off = _count(work, bar.bars(), keep_off=filter_by == "confident_learning" and compat is None)
    if compat == "cleanlab":
        found = cleanlab.flag_like_cleanlab(codes, probs, filter_by)
        return Flags(found.flagged, work.likely, tally.rows, found.thresholds, found.counts, found.joint)
    flagged = _flag(work, filter_by, prune_counts(counts, tally.rows), off)
    joint = calibrate(counts, tally.rows)
    joint /= max(n, 1)
    return Flags(flagged, work.likely, tally.rows, bar.finish(), counts, joint)


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


def _tally(work: Pass) -> ClassTally:
    """First pass: the self-confidence of each class."""

    def observe(tally: ClassTally, block: slice) -> None:
        codes = work.codes[block]
        tally.update(codes, take(work.probs[block], codes))

    return work.engine.wider().reduce(lambda: ClassTally.empty(work.probs.shape[1]), observe)


def _count(work: Pass, bars: FloatArray, *, keep_off: bool) -> tuple[IntArray, BoolArray]:
    """Second pass: check every row, compare its label with the likeliest class, count the confident joint.

    Where asked, also (n,) which rows count off the diagonal of the joint.
    """
    off = np.zeros(work.codes.size if keep_off else 0, dtype=bool)

    def observe_two(joint: JointTally, block: slice) -> None:
        codes, probs = work.codes[block].astype(bool), work.probs[block]
        check_block(probs, block.start)
        found = OfTwo.of(codes, probs, bars)
        work.likely[block], work.disagree[block] = found.likely, found.disagree
        joint.add(found.counts, len(probs))
        if keep_off:
            off[block] = found.off

    def observe(joint: JointTally, block: slice) -> None:
        codes, probs = work.codes[block], work.probs[block]
        given = take(probs, codes)
        likely, top = likeliest_checked(codes, given, probs, block.start)
        work.likely[block] = likely
        np.greater(top, given, out=work.disagree[block])
        confident = confident_class(probs, likely, top, bars)
        joint.update(codes, confident)
        if keep_off:
            off[block] = (confident >= 0) & (confident != codes)

    k = work.probs.shape[1]
    return work.engine.reduce(lambda: JointTally.empty(k), observe_two if k == 2 else observe).finish(), off


def _flag(work: Pass, filter_by: str, prune: IntArray, off: BoolArray) -> BoolArray:
    """The rows a rule selects, of those where another class is likelier than the given one."""
    if filter_by == "predicted_neq_given":
        return work.disagree
    if filter_by == "confident_learning":
        return off & work.disagree
    number = np.array([prune.sum() - np.trace(prune)])
    if filter_by == "low_normalized_margin":
        return _largest_margin(work, number)
    if filter_by == "low_self_confidence":
        return work.disagree & _least_confident(work, np.zeros_like(work.codes), number)
    if filter_by == "prune_by_noise_rate":
        return _largest_margins(work, prune)
    flagged = work.disagree & _least_confident(work, work.codes, prune.sum(axis=1) - np.diagonal(prune))
    return flagged if filter_by == "prune_by_class" else flagged & _largest_margins(work, prune)


def _least_confident(work: Pass, cells: IntArray, numbers: IntArray) -> BoolArray:
    """Rows among the ``numbers`` (C,) least self-confident of their cell (n,)."""

    def observe(selection: Selection, block: slice) -> None:
        given = in_units(take(work.probs[block], work.codes[block]))
        selection.update(np.arange(block.start, block.stop), cells[block], -given)

    return _among(work, work.engine.reduce(lambda: Selection.empty(numbers), observe))


def _largest_margin(work: Pass, number: IntArray) -> BoolArray:
    """Rows that disagree and are among the ``number`` (1,) with the largest margin of the likeliest class."""

    def observe(selection: Selection, block: slice) -> None:
        rows = np.flatnonzero(work.disagree[block])
        codes, probs = work.codes[block][rows], work.probs[block].take(rows, axis=0)
        margins = in_units(take(probs, work.likely[block][rows])) - in_units(take(probs, codes))
        selection.update(rows + block.start, np.zeros_like(rows), margins)

    return _among(work, work.engine.reduce(lambda: Selection.empty(number), observe))


def _among(work: Pass, selection: Selection) -> BoolArray:
    """(n,) true for the rows selected in any cell, full or not."""
    selection.finish()
    found = np.zeros(work.codes.size, dtype=bool)
    found[selection.selected(selection.limits > 0)] = True
    return found


def _largest_margins(work: Pass, prune: IntArray) -> BoolArray:
    """Rows among the ``prune`` (K, K) largest margins of any of their given → other cells where that one is likelier.

    Only rows that disagree have such a margin. The answer takes the place of ``work.disagree``, so that no other
    array of n is held.
    """
    k = len(prune)
    given, likely = np.nonzero(prune != 0)
    off = given != likely
    margins = _select(work, Cells.of(k, (given * k + likely)[off], prune[given, likely][off]))
    margins.finish()
    found = work.disagree
    found[:] = False
    for rows in margins.chosen.selected_parts(margins.cells.limits > 0):
        found[rows] = True
    return found


def _select(work: Pass, cells: Cells) -> Margins:
    """The largest margins that ``cells`` want, offered by the rows that disagree."""
    share, cuts = float(work.disagree.mean()) if work.disagree.size else 0.0, None
    engine = work.engine.picking(share)

    def rows(block: slice) -> IntArray:
        return np.flatnonzero(work.disagree[block])

    if cells.dense:
        # Most of what a cell wants are rows whose likeliest class is its own. Their margins alone, a value a row,
        # leave of all others only those that are as large.
        def observe_likeliest(margins: Margins, block: slice) -> None:
            margins.update_likeliest(rows(block), work.codes[block], work.likely[block], work.probs[block], block.start)

        margins = engine.reduce(lambda: Margins.empty(cells, work.probs.dtype), observe_likeliest)
        if cells.n_classes == 2:
            return margins
        margins.finish()
        cuts = margins.chosen.cuts
    return engine.reduce(
        lambda: Margins.empty(cells, work.probs.dtype, cuts),
        lambda margins, block: margins.update(rows(block), work.codes[block], work.probs[block], block.start),
    )


def _score(
    engine: MemoryEngine, codes: IntArray, probs: NDArray[Any], score: str, thresholds: FloatArray | None
) -> FloatArray:
    """The quality (n,) of every label, on probabilities less ``thresholds`` where given."""
    quality = np.empty(codes.size)

    def fill(block: slice) -> None:
        part = probs[block] if thresholds is None else adjust_probs(probs[block], thresholds)
        quality[block] = block_quality(codes[block], part, score)

    engine.map(fill)
    return quality

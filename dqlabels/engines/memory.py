"""The memory engine: threads feed the statistics blocks of rows that stay in cache.

``MemoryEngine.reduce`` merges a statistic over all blocks, and ``MemoryEngine.map`` fills arrays block by block.
:func:`judge` and :func:`flag` run confident learning with them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from dqlabels.errors import OptionError, ProbabilityError
from dqlabels.statistics import cleanlab
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, NarrowArray, RealArray
from dqlabels.statistics.classes import (
    FEW_CLASSES,
    PRUNE_RULES,
    ClassTally,
    Flags,
    JointTally,
    Judgement,
    calibrate,
    confident_class,
    in_units,
    likeliest_checked,
    pick,
    replaced_at,
    take,
)
from dqlabels.statistics.cutoffs import CutoffCounts, find_cutoffs
from dqlabels.statistics.pruning import MIN_MARGIN, Cells, Margins, Rivals
from dqlabels.statistics.scores import SCORES, adjust_probs, block_quality
from dqlabels.statistics.selection import Selection
from dqlabels.statistics.two_classes import TwoClassMasks, columns_checked
from dqlabels.threads import thread_count

if TYPE_CHECKING:
    from typing_extensions import Self

# Rows per block. Small blocks make the threads wait for each other between two calls; what is read twice is read in
# parts that stay in cache. Each thread gets several blocks where there are enough rows.
MAX_ROWS, MIN_ROWS = 32768, 1024
BLOCKS_A_THREAD = 4
# With few classes a block holds as many rows as fit the cache, on one thread: the calls are too short for more.
MAX_ROWS_FEW_CLASSES = 16384
# Where whole rows are copied, a block holds no more bytes than this.
MAX_BLOCK_BYTES, MIN_WHOLE_ROWS = 8192 * 1024, 64
# Where only some rows of each block are picked, blocks are so large that about this many are.
ROWS_PICKED = 8192


class Mergeable(Protocol):
    """A statistic that can be merged with another of its kind."""

    def merge(self, other: Self) -> None:
        """Add what ``other`` observed."""


State = TypeVar("State", bound=Mergeable)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class MemoryEngine:
    """Feeds n rows in blocks of ``block_rows`` to ``n_threads`` threads; the answer depends on neither.

    >>> MemoryEngine.over(np.full((3, 2), 0.5)).map(lambda block: print(block))
    slice(0, 3, None)
    """

    n_rows: int
    block_rows: int
    n_threads: int

    @classmethod
    def over(cls, probs: RealArray, n_threads: int | None = None, block_rows: int | None = None) -> MemoryEngine:
        """Return the engine for the rows of a matrix."""
        threads = thread_count(n_threads)
        if probs.shape[1] <= FEW_CLASSES:
            return cls(len(probs), block_rows or MAX_ROWS_FEW_CLASSES, 1)
        rows = max(MIN_ROWS, min(MAX_ROWS, -(-len(probs) // (threads * BLOCKS_A_THREAD))))
        return cls(len(probs), block_rows or rows, threads)

    @classmethod
    def over_whole_rows(cls, probs: RealArray, n_threads: int | None, block_rows: int | None) -> MemoryEngine:
        """Return the engine for work that copies whole rows of a matrix."""
        rows = max(MIN_WHOLE_ROWS, min(MAX_ROWS_FEW_CLASSES, MAX_BLOCK_BYTES // (probs.shape[1] * probs.itemsize)))
        return cls(len(probs), block_rows or rows, thread_count(n_threads))

    def picking(self, share: float) -> MemoryEngine:
        """Return the engine for work on this share of the rows, spread over all blocks."""
        return MemoryEngine(self.n_rows, max(self.block_rows, int(ROWS_PICKED / max(share, 1 / 16))), self.n_threads)

    def reduce(self, make: Callable[[], State], observe: Callable[[State, slice], None]) -> State:
        """Merge a statistic over all blocks: ``observe`` updates one state with one block."""
        states = self._on_threads(make, observe)
        whole = states[0] if states else make()
        while len(states) > 1:
            whole.merge(states.pop())  # popped, so that it is not in memory twice
        return whole

    def map(self, fill: Callable[[slice], None]) -> None:
        """Call ``fill`` for every block; blocks never overlap."""
        self._on_threads(lambda: None, lambda _, block: fill(block))

    def _on_threads(self, make: Callable[[], Result], observe: Callable[[Result, slice], None]) -> list[Result]:
        """Return the state of each thread, which observed a share of the blocks."""
        starts = range(0, self.n_rows, self.block_rows)
        blocks = [slice(start, min(start + self.block_rows, self.n_rows)) for start in starts]
        workers = min(self.n_threads, len(blocks))

        def run(worker: int) -> Result:
            state = make()
            for block in blocks[worker::workers]:
                observe(state, block)
            return state

        if workers <= 1:
            return [run(0)] if blocks else []
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(run, range(workers)))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Probability of each row's label, ``own`` (n,), and of the likeliest other class, ``rival`` (n,)."""

    own: RealArray
    rival: RealArray

    @classmethod
    def to_fill(cls, probs: RealArray) -> Pairs:
        """Return arrays for the rows of a matrix."""
        return cls(*np.empty((2, len(probs)), dtype=probs.dtype))


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """The rows under judgement, and what the passes found of each so far, in a few bytes per row.

    ``likely`` (n,) is the likeliest class, empty where there are two classes and nobody asks for it; ``disagree`` (n,)
    is true where it is likelier than the given one. ``pairs`` are filled in where somebody asks for them.
    """

    engine: MemoryEngine
    codes: IntArray
    probs: RealArray
    likely: NarrowArray
    disagree: BoolArray
    pairs: Pairs | None = None

    @classmethod
    def over(
        cls, engine: MemoryEngine, codes: IntArray, probs: RealArray, likely: NarrowArray, pairs: Pairs | None = None
    ) -> Pass:
        """Return the rows before the first pass.

        Args:
            engine: Feeds them.
            codes: (n,) class positions.
            probs: (n, K).
            likely: (n,) or empty; filled in by the passes.
            pairs: Filled in likewise.
        """
        return cls(engine, codes, probs, likely, np.empty(codes.size, dtype=bool), pairs)

    def rivals(self, block: slice) -> tuple[IntArray, IntArray, IntArray]:
        """Return the rows of a block that disagree, counted from its start, with their given and likeliest class."""
        rows = np.flatnonzero(self.disagree[block])
        codes = self.codes[block].take(rows)
        likely = self.likely[block].take(rows).astype(np.int64) if self.likely.size else 1 - codes
        return rows, codes, likely

    def margins(self, block: slice) -> tuple[IntArray, IntArray, RealArray]:
        """Return those rows, their given class, and by how much the likeliest class leads it, in units."""
        rows, codes, likely = self.rivals(block)
        margins = in_units(pick(self.probs[block], rows, likely))
        margins -= in_units(pick(self.probs[block], rows, codes))
        return rows, codes, margins


def judge(
    codes: IntArray,
    probs: RealArray,
    *,
    filter_by: str = "prune_by_noise_rate",
    score: str | None = "normalized_margin",
    adjust: bool = False,
    compat: str | None = None,
    frozen_classes: BoolArray | None = None,
    trusted: ClassTally | None = None,
    pairs: Pairs | None = None,
    n_threads: int | None = None,
    block_rows: int | None = None,
) -> Judgement:
    """Run confident learning over arrays in memory.

    Args:
        codes: (n,) class positions 0..K-1, none missing.
        probs: (n, K) out-of-sample probabilities, float32 or float64, K >= 2.
        filter_by: The rule that flags rows, one of ``PRUNE_RULES``.
        score: The quality of a label, one of ``SCORES``; None where nobody asks for it, and it is empty.
        adjust: Score probabilities from which the threshold of their class is subtracted.
        compat: ``"cleanlab"`` for the numbers of cleanlab 2.9, where it departs from the paper.
        frozen_classes: (K,) true for classes that are never flagged.
        trusted: Tally of trusted rows that gives the thresholds; by default these rows do.
        pairs: Filled in on the way, for those who go on with them.
        n_threads: Maximum number of threads, by default one per core; always one where there are few classes. The
            answer does not depend on it.
        block_rows: Rows per block; the answer does not depend on it.

    Raises:
        OptionError: The rule, score or compatibility is unknown.
        ProbabilityError: The shapes do not fit, or the values are not probabilities.

    >>> judge(np.array([0, 0, 1, 1, 1]), np.array([[.9, .1], [.8, .2], [.2, .8], [.1, .9], [.9, .1]])).flagged.tolist()
    [False, False, False, False, True]
    """
    _check(codes, probs, filter_by, score or SCORES[0], adjust, compat)
    engine, likely = MemoryEngine.over(probs, n_threads, block_rows), np.empty(len(probs), dtype=np.int64)
    found = _find(Pass.over(engine, codes, probs, likely, pairs), filter_by, compat, trusted)
    flagged = found.flagged
    if frozen_classes is not None and frozen_classes.any():
        flagged = flagged & ~frozen_classes[codes]
    quality = np.empty(0)
    if score is not None and compat == "cleanlab":
        quality = cleanlab.label_quality(codes, probs, score, adjust=adjust)
    elif score is not None:
        bars = found.thresholds if adjust else None

        def scored(given: IntArray, part: RealArray) -> FloatArray:
            return block_quality(given, part if bars is None else adjust_probs(part, bars), score)

        quality = _by_block(MemoryEngine.over_whole_rows(probs, n_threads, block_rows), codes, probs, scored)
    suggested = replaced_at(np.flatnonzero(flagged), codes, likely)
    # Only cleanlab flags a row whose label is its likeliest class.
    same = np.flatnonzero(flagged & (likely == codes)) if compat == "cleanlab" else np.empty(0, dtype=np.int64)
    if same.size:
        others = probs[same].copy()
        others[np.arange(same.size), codes[same]] = -1
        suggested[same] = others.argmax(axis=1)
    return Judgement(
        quality, flagged, suggested, likely, found.label_counts, found.thresholds, found.counts, found.joint
    )


def flag(
    codes: IntArray,
    probs: RealArray,
    *,
    filter_by: str = "prune_by_noise_rate",
    compat: str | None = None,
    n_threads: int | None = None,
) -> Flags:
    """Flag rows without scoring them, in three passes over the probabilities.

    Args:
        codes: As for :func:`judge`, and so are the others.
        probs: (n, K).
        filter_by: The rule that flags rows.
        compat: ``"cleanlab"`` or None.
        n_threads: Maximum number of threads.

    >>> flag(np.array([0, 0, 1, 1, 1]), np.array([[.9, .1], [.8, .2], [.2, .8], [.1, .9], [.9, .1]])).flagged.sum()
    np.int64(1)
    """
    _check(codes, probs, filter_by, SCORES[0], False, compat)
    n, k = probs.shape
    likely = np.empty(n if k > 2 else 0, np.min_scalar_type(k - 1))
    work = Pass.over(MemoryEngine.over(probs, n_threads), codes, probs, likely)
    return _find(work, filter_by, compat, None)


def _find(work: Pass, filter_by: str, compat: str | None, trusted: ClassTally | None) -> Flags:
    tally = _tally(work)
    bar = tally if trusted is None else trusted
    joint_pass = _count(work, bar.bars(), filter_by if compat is None else "")
    counts = joint_pass.joint.finish()
    if compat == "cleanlab":
        return cleanlab.flag_like_cleanlab(work.codes, work.probs, filter_by)
    flagged = _flag(work, filter_by, Cells.to_prune(counts, tally.rows), joint_pass)
    joint = calibrate(counts, tally.rows)
    joint /= max(work.codes.size, 1)
    return Flags(flagged, tally.rows, bar.finish(), counts, joint)


def _check(codes: IntArray, probs: RealArray, filter_by: str, score: str, adjust: bool, compat: str | None) -> None:
    for option, value, choices in (
        ("filter_by", filter_by, PRUNE_RULES),
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
            f"pred_probs has shape {probs.shape} for {codes.shape[0]:,} labels. Pass one row per label, and one column "
            "per class for at least two classes."
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
        own = take(work.probs[block], codes)
        if work.pairs is not None:
            work.pairs.own[block] = own
        tally.update(codes, own)

    return work.engine.reduce(lambda: ClassTally.empty(work.probs.shape[1]), observe)


@dataclass(frozen=True, slots=True, eq=False)
class _JointPass:
    """What the second pass observes: the confident joint, which rows (n,) lie off its diagonal, and the rivals.

    The last two are empty unless a rule asks for them.
    """

    joint: JointTally
    off: BoolArray
    rivals: Rivals

    def merge(self, other: _JointPass) -> None:
        """Add what ``other`` observed; ``off`` is one array for all."""
        self.joint.merge(other.joint)
        self.rivals.merge(other.rivals)


def _count(work: Pass, bars: FloatArray, filter_by: str) -> _JointPass:
    """Second pass: check every row, compare its label with the likeliest class, count the confident joint."""
    k = work.probs.shape[1]
    off = np.zeros(work.codes.size if filter_by == "confident_learning" else 0, dtype=bool)
    by_margin = filter_by in ("prune_by_noise_rate", "both")

    def observe_two(state: _JointPass, block: slice) -> None:
        columns, second = columns_checked(work.probs[block], block.start), work.codes[block].astype(bool)
        found = TwoClassMasks.of(second, columns, bars)
        if work.pairs is not None:
            work.pairs.rival[block] = np.where(second, *columns)
        work.disagree[block] = found.disagree
        if work.likely.size:
            work.likely[block] = found.likely
        state.joint.add(found.counts, found.likely.size)
        if off.size:
            off[block] = found.off

    def observe(state: _JointPass, block: slice) -> None:
        codes, probs = work.codes[block], work.probs[block]
        rivals = None if work.pairs is None else work.pairs.rival[block]
        likely, top = likeliest_checked(probs, block.start, codes=codes, rivals=rivals)
        work.likely[block] = likely
        rows, own = _disagreeing(codes, probs, likely, top)
        work.disagree[block] = False
        work.disagree[block][rows] = True
        confident = confident_class(probs, likely, top, bars)
        state.joint.update(codes, confident)
        if off.size:
            off[block] = (confident >= 0) & (confident != codes)
        if by_margin:
            cells = codes.take(rows) * k + likely.take(rows)
            state.rivals.update(rows + block.start, cells, own, top.take(rows), k * k)

    def empty() -> _JointPass:
        return _JointPass(JointTally.empty(k), off, Rivals([]))

    return work.engine.reduce(empty, observe_two if k == 2 else observe)


def _disagreeing(codes: IntArray, probs: RealArray, likely: NarrowArray, top: RealArray) -> tuple[IntArray, RealArray]:
    """The rows (m,) where another class is likelier than the given one, and its probability (m,)."""
    rows = np.flatnonzero(codes != likely)
    own = pick(probs, rows, codes.take(rows))
    apart = own < top.take(rows)
    return (rows, own) if apart.all() else (rows[apart], own[apart])


def _flag(work: Pass, filter_by: str, cells: Cells, joint: _JointPass) -> BoolArray:
    """Flag the rows that a rule selects among those where another class is likelier than the given one."""
    if filter_by == "predicted_neq_given":
        return work.disagree
    if filter_by == "confident_learning":
        return joint.off & work.disagree
    number = cells.limits.sum(keepdims=True)
    if filter_by == "low_normalized_margin":
        return _largest_margin(work, number)
    if filter_by == "low_self_confidence":
        return work.disagree & _least_confident(work, np.zeros_like(work.codes), number)
    if filter_by == "prune_by_noise_rate":
        return _largest_margins(work, cells, joint.rivals)
    flagged = work.disagree & _least_confident(work, work.codes, cells.by_label())
    return flagged if filter_by == "prune_by_class" else flagged & _largest_margins(work, cells, joint.rivals)


def _least_confident(work: Pass, cells: IntArray, numbers: IntArray) -> BoolArray:
    """Rows among the ``numbers`` (C,) least self-confident of their cell (n,)."""

    def observe(selection: Selection, block: slice) -> None:
        own = in_units(take(work.probs[block], work.codes[block]))
        selection.update(np.arange(block.start, block.stop), cells[block], -own)

    return _among(work, work.engine.reduce(lambda: Selection.empty(numbers), observe))


def _largest_margin(work: Pass, number: IntArray) -> BoolArray:
    """Rows that disagree and are among the ``number`` (1,) with the largest margin of the likeliest class."""

    def observe(selection: Selection, block: slice) -> None:
        rows, _, margins = work.margins(block)
        selection.update(rows + block.start, np.zeros_like(rows), margins)

    return _among(work, work.engine.reduce(lambda: Selection.empty(number), observe))


def _among(work: Pass, selection: Selection) -> BoolArray:
    """(n,) true for the rows selected in any cell, full or not."""
    selection.settle()
    found = np.zeros(work.codes.size, dtype=bool)
    found[selection.selected(selection.limits > 0)] = True
    return found


def _largest_margins(work: Pass, cells: Cells, rivals: Rivals) -> BoolArray:
    """Rows among the largest margins that any of their given → other ``cells`` wants.

    Only rows that disagree have such a margin. The answer is written into ``work.disagree``, so that no other array of
    n rows is needed.
    """
    if cells.n_classes == 2:
        return _largest_of_two(work, cells.by_label())
    margins = _select(work, cells, rivals)
    margins.chosen.settle()
    found = work.disagree
    found[:] = False
    for rows in margins.chosen.selected_parts(margins.cells.limits > 0):
        found[rows] = True
    return found


def _largest_of_two(work: Pass, limits: IntArray) -> BoolArray:
    """The same for two classes, with ``limits`` (2,) by the given one; only counts are stored."""

    def observe(state: CutoffCounts, block: slice) -> None:
        state.update(*work.margins(block)[1:])

    engine = work.engine.picking(float(work.disagree.mean()) if work.disagree.size else 0.0)
    cuts = find_cutoffs(limits, lambda step: engine.reduce(step.fresh, observe))
    np.maximum(cuts, MIN_MARGIN, out=cuts)

    def mark(block: slice) -> None:
        rows, codes, margins = work.margins(block)
        work.disagree[block][rows] = margins >= cuts.take(codes)

    engine.map(mark)
    return work.disagree


def _select(work: Pass, cells: Cells, rivals: Rivals) -> Margins:
    """Select the largest margins that ``cells`` want, from the rows that disagree."""
    dtype = work.probs.dtype
    margins = Margins.empty(cells, dtype)
    if not cells.dense:
        for part in rivals.parts(cells.n_classes):
            margins.update_pairs(part, work.probs)
        return margins
    # Most of what a cell wants are rows whose likeliest class is its own. Their margins, one value per row, rule out
    # nearly all other margins, since what is left of a row's probability is shared by all other classes.
    for part in rivals.parts(cells.n_classes):
        margins.update_likeliest(part)
    margins.chosen.settle()
    others = Margins.empty(cells, dtype, margins.chosen.cutoffs)
    for part in rivals.parts(cells.n_classes):
        others.update_others(part, work.probs)
    margins.chosen.merge(others.chosen)
    return margins


def _by_block(
    engine: MemoryEngine, codes: IntArray, probs: RealArray, score: Callable[[IntArray, RealArray], FloatArray]
) -> FloatArray:
    scores = np.empty(codes.size)

    def fill(block: slice) -> None:
        scores[block] = score(codes[block], probs[block])

    engine.map(fill)
    return scores

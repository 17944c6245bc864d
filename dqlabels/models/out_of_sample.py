"""Out-of-sample class probabilities: every row judged only by models that did not see it, nor a copy of it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ModelError, OptionError
from dqlabels.frames.hashing import hash_matrix
from dqlabels.models import boosting
from dqlabels.models.estimator import aligned, fit, for_others, seeded
from dqlabels.models.forest import FittedModel, Forest, GrownTree
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.classes import model_error
from dqlabels.threads import thread_count

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Drawn = tuple[np.random.Generator, IntArray, FloatArray, IntArray]

# Measured over real tables (docs/benchmarks.md): more trees add little beyond 200, fewer cost precision.
TREES = 200
# Rows x trees grow no further: larger tables take fewer trees, each row still judged by dozens.
TREE_ROWS = 1_800_000
FEWEST_TREES = 32
SMALLEST_LEAF = 2
# Beside boosting fewer and smaller trees find as much: so both together take about the time of the trees alone.
TREE_ROWS_BESIDE, FEWEST_TREES_BESIDE, MOST_ROWS_A_TREE_BESIDE = 600_000, 16, 15_000
# Share of the bag in the mixture; the rest is that of boosting.
BAG_SHARE = 0.4
# Beyond this many rows a stratified sample is fitted; the rest are out of sample by construction.
MOST_FITTED_ROWS = 200_000
# A fully grown tree on this many rows is as good as one on more, and its leaves stay in cache.
MOST_ROWS_A_TREE = 30_000
# Where more rows than this share each combination of features, rows alike are a cell of a coarse table rather
# than copies of one another, and the best judges of each other.
COARSE = 20
UNIT = 2**24
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class OutOfSample:
    """Probabilities of n rows, and what they came from.

    ``probs`` (n, K) rows sum to 1; ``error`` is the share of labelled rows whose likeliest class is not the
    label; ``distinct_rows`` counts the kinds of row, or groups, that were kept or left out together, unless
    ``coarse``: then rows alike were told apart after all. Where asked for, ``fitted`` is the model for other
    rows, and ``seen`` (m,) are the rows it was fitted on.
    """

    probs: FloatArray
    model: str
    error: float
    trained_rows: int
    distinct_rows: int
    coarse: bool
    fitted: FittedModel | None
    seen: IntArray


def out_of_sample(
    matrix: NDArray[np.float32],
    codes: IntArray,
    n_classes: int,
    *,
    model: Any = None,
    cv: Any = None,
    groups: NDArray[Any] | None = None,
    sample_weight: NDArray[Any] | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: ProgressOption = None,
    keep_model: bool = False,
) -> OutOfSample:
    """Probabilities of every row from models that were fitted without it and without rows identical to it.

    On coarse tables, where rows are more than 20 times the kinds of row and no groups are given, identical rows
    may judge each other; ``coarse`` says so.

    By default bagged extra-trees, each row judged by the trees that left it out (out of bag): one fit instead
    of five; on tables of many rows a class the mean of these and boosted trees that saw only the half without the
    row. With ``model`` (or ``cv``), cross-validation. Neither depends on the order of the rows.

    Args:
        matrix: (n, d) float32, NaN where missing.
        codes: (n,) class positions; rows of -1 have no label: never fitted, judged by every model.
        n_classes: K.
        model: A classifier with scikit-learn's interface; it is cloned, never fitted itself.
        cv: Folds: a number, a scikit-learn splitter, or ``"time"``: rows are in time order and each block is
            judged by a model of the blocks before it; the first, which nothing precedes, by one of those after.
        groups: (n,) values; rows of one group are never on both sides.
        sample_weight: (n,) weights, not negative.
        random_state: Seeds every draw.
        n_jobs: Threads of the default model.
        progress: True, False, a callable ``(done, total)``, or None: shown where the work is long.
        keep_model: Keep the bag, or fit the model once more on all rows, to judge other rows by.

    Raises:
        ModelError: The model cannot be fitted, or gives no probabilities.
        OptionError: ``cv`` or ``sample_weight`` cannot be used.

    >>> matrix = np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 30)]).astype(np.float32)[:, None]
    >>> out_of_sample(matrix, np.repeat([0, 1], 30), 2).error
    0.0
    """
    weights = row_weights(sample_weight, len(codes))
    units, order, distinct, coarse = content_units(matrix, codes, groups)
    known = codes >= 0
    if model is None and cv is None:
        answer = _out_of_bag(
            matrix, codes, n_classes, units, order, weights, random_state, n_jobs, progress, keep_model
        )
    else:
        answer = _cross_validated(
            matrix, codes, n_classes, units, groups is not None, weights, model, cv, random_state, n_jobs, progress,
            keep_model,
        )  # fmt: skip
    probs, name, seen, fitted = answer
    error = model_error(codes[known], probs[known].argmax(axis=1))
    return OutOfSample(probs, name, error, len(seen), distinct, coarse, fitted, seen)


def row_weights(given: NDArray[Any] | None, n: int) -> FloatArray | None:
    """Weights (n,) as given, or an :class:`OptionError` that says why they are none."""
    if given is None:
        return None
    weights = np.asarray(given, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise OptionError("sample_weight must hold one finite number of at least 0 for each row.")
    if not weights.any():
        raise OptionError("sample_weight is 0 in every row, so nothing can be fitted. Give some rows weight.")
    return weights


def content_units(
    matrix: NDArray[np.float32], codes: IntArray, groups: NDArray[Any] | None
) -> tuple[IntArray, IntArray, int, bool]:
    """Units (n,) of rows that stay together, numbered by content, and an order (n,) of the rows by content.

    And how many kinds of row there are, and whether these are so few that each row is a unit of its own.
    """
    hashes = hash_matrix(matrix)
    order = np.lexsort((codes, hashes))
    keys = hashes
    if groups is not None:
        # A group is known by the rows it holds: its least hash, whatever the group is called.
        names = np.unique(groups.astype(str), return_inverse=True)[1]
        least = np.full(int(names.max()) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(least, names, hashes)
        keys = _joined(names, hashes, least)
    units = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    distinct = int(units.max()) + 1
    coarse = groups is None and distinct * COARSE < len(codes)
    if coarse:
        units[order] = np.arange(len(codes))
    return units, order, distinct, coarse


def _joined(names: IntArray, hashes: NDArray[np.uint64], least: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The least hash of the groups and identical rows that hang together, so that neither straddles."""
    keys = least[names]
    rows = np.unique(hashes, return_inverse=True)[1]
    while True:
        by_row = np.full(int(rows.max()) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(by_row, rows, keys)
        by_group = np.full(least.size, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(by_group, names, by_row[rows])
        joined = by_group[names]
        if np.array_equal(joined, keys):
            return keys
        keys = joined


def _out_of_bag(
    matrix: NDArray[np.float32],
    codes: IntArray,
    n_classes: int,
    units: IntArray,
    order: IntArray,
    weights: FloatArray | None,
    seed: int,
    n_jobs: int | None,
    progress: ProgressOption,
    keep: bool,
) -> tuple[FloatArray, str, IntArray, FittedModel | None]:
    """Rows in the order of their content, so that neither the draws nor the trees depend on the caller's order."""
    known = order[codes[order] >= 0]
    fitted = fitting_sample(known, codes, units, seed, MOST_FITTED_ROWS)
    boosted = None
    # What is kept for other rows is the bag alone, so its answers must be what the thresholds are made from.
    if not keep and boosting.is_worth_boosting(len(known), matrix.shape[1], n_classes):
        boosted = _by_halves(matrix, codes, n_classes, units, order, weights, seed, n_jobs)
    tree_rows, fewest, most_rows = TREE_ROWS, FEWEST_TREES, MOST_ROWS_A_TREE
    if boosted is not None:
        tree_rows, fewest, most_rows = TREE_ROWS_BESIDE, FEWEST_TREES_BESIDE, MOST_ROWS_A_TREE_BESIDE
    trees = int(np.clip(tree_rows // max(len(fitted), 1), fewest, TREES))
    kept: dict[tuple[int, int], GrownTree] | None = {} if keep else None
    bag = Bag(matrix, codes, n_classes, units, fitted, weights, min(len(fitted), most_rows), kept)
    sums, _ = bag.judge(seed, trees, n_jobs, progress)
    probs = sums / sums.sum(axis=1, keepdims=True)
    forest = None
    if bag.kept is not None:
        forest = Forest.of([bag.kept[seed_of] for seed_of in sorted(bag.kept)], matrix.shape[1], n_classes)
    name = f"extra-trees, {trees} trees, out of bag"
    if boosted is None:
        return probs, name, fitted, forest
    mixture = BAG_SHARE * probs + (1 - BAG_SHARE) * boosted
    return mixture, f"{name}, and boosting in halves", fitted, forest


def _by_halves(
    matrix: NDArray[np.float32],
    codes: IntArray,
    n_classes: int,
    units: IntArray,
    order: IntArray,
    weights: FloatArray | None,
    seed: int,
    n_jobs: int | None,
) -> FloatArray | None:
    """Probabilities (n, K) by boosting; a unit's rows, labelled or not, are judged by the half without it."""
    fitted = fitting_sample(order[codes[order] >= 0], codes, units, seed, boosting.MAX_ROWS)
    half_of_unit = np.full(int(units.max()) + 1, -1, dtype=np.int64)
    half_of_unit[units[fitted]] = _content_folds(fitted, codes, units, 2, seed)
    return boosting.judge_by_halves(
        matrix, codes, n_classes, fitted=fitted, halves=half_of_unit[units], weights=weights, seed=seed,
        n_threads=thread_count(n_jobs),
    )  # fmt: skip


def fitting_sample(known: IntArray, codes: IntArray, units: IntArray, seed: int, most: int) -> IntArray:
    """The rows to fit on: all, or of a large table whole units drawn by content, by class alike."""
    if known.size <= most:
        return known
    n_units = int(units.max()) + 1
    ranks = np.random.default_rng([seed, 0xF17]).permutation(n_units)[units[known]]
    share = most / known.size
    chosen = np.zeros(n_units, dtype=bool)
    for k in np.unique(codes[known]):
        of_class = codes[known] == k
        wanted = max(int(np.ceil(share * of_class.sum())), min(int(of_class.sum()), 50))
        bar = np.partition(ranks[of_class], wanted - 1)[wanted - 1]
        chosen[units[known][of_class & (ranks <= bar)]] = True
    return known[chosen[units[known]]]


@dataclass(frozen=True, slots=True, eq=False)
class Bag:
    """Trees on drawn rows, each judging the rows it did not see."""

    matrix: NDArray[np.float32]
    codes: IntArray
    n_classes: int
    units: IntArray
    fitted: IntArray
    weights: FloatArray | None
    rows_a_tree: int
    kept: dict[tuple[int, int], GrownTree] | None  # by seed, where the trees are kept

    def judge(self, seed: int, trees: int, n_jobs: int | None, progress: ProgressOption) -> tuple[IntArray, IntArray]:
        """Sums (n, n_classes) over the trees that did not see each row, and how many (n,) those are.

        Raises:
            ModelError: Rows that no tree can be grown without.
        """
        sums = np.zeros((len(self.codes), self.n_classes), dtype=np.int64)
        votes = np.zeros(len(self.codes), dtype=np.int64)
        self.add(sums, votes, [(seed, tree) for tree in range(trees)], n_jobs, progress)
        for extra in range(0, TREES, 2):
            if not (missed := np.flatnonzero(votes == 0)).size:
                break
            # A row that every tree saw: trees are drawn that leave its unit out.
            for half in range(2):
                part = np.unique(self.units[missed])[half::2]
                self.add(sums, votes, [(seed, trees + extra + half)], n_jobs, False, leave_out=part)
        if (votes == 0).any():
            raise ModelError(unjudged_rows(int((votes == 0).sum())))
        return sums, votes

    def add(
        self,
        sums: IntArray,
        votes: IntArray,
        seeds: list[tuple[int, int]],
        n_jobs: int | None,
        progress: ProgressOption,
        leave_out: IntArray | None = None,
    ) -> None:
        """Grow a tree per seed and add its leaves' class shares to the rows it did not see."""
        threads = thread_count(n_jobs)
        with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
            # Many classes in few rows were allowed when the labels were read; scikit-learn would say so a tree.
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            # No more trees are in flight than threads, so that what each found is held only briefly.
            waiting = iter(seeds)
            grown = {pool.submit(self.grow, seed, leave_out) for seed in islice(waiting, threads + 1)}
            steps = _completed(pool, self.grow, grown, waiting, leave_out)
            for rows, leaves, shares in Progress(progress).follow(steps, len(seeds)):
                # Whole numbers: the order in which trees finish does not show in their sum.
                sums[rows] += shares[leaves]
                votes[rows] += 1

    def draw(self, seed: tuple[int, int], leave_out: IntArray | None) -> Drawn:
        """The tree's generator, the rows (m,) it sees with their weights (m,), and the rows it does not see."""
        rng = np.random.default_rng(seed)
        unit_of_fitted, n_units = self.units[self.fitted], int(self.units.max()) + 1
        present = np.unique(unit_of_fitted)
        present = present if leave_out is None else np.setdiff1d(present, leave_out)
        draws = max(1, round(self.rows_a_tree * present.size / len(self.fitted)))
        drawn = np.zeros(n_units, dtype=np.int64)
        if present.size:
            drawn[present] = np.bincount(rng.integers(0, present.size, draws), minlength=present.size)
        times = drawn[unit_of_fitted]
        weight = times[times > 0].astype(np.float64)
        inside = self.fitted[times > 0]
        weight = weight if self.weights is None else weight * self.weights[inside]
        return rng, inside, weight, np.flatnonzero(drawn[self.units] == 0)

    def grow(self, seed: tuple[int, int], leave_out: IntArray | None) -> tuple[IntArray, IntArray, IntArray]:
        """A tree of this seed: the rows (m,) it did not see, their leaves (m,), and what each leaf says, in UNIT."""
        from sklearn.tree import ExtraTreeClassifier

        rng, inside, weight, rows = self.draw(seed, leave_out)
        if not weight.any():
            return rows[:0], rows[:0], np.zeros((1, self.n_classes), dtype=np.int64)
        tree = ExtraTreeClassifier(
            min_samples_leaf=SMALLEST_LEAF, max_features="sqrt", random_state=int(rng.integers(2**31))
        )
        fit_tree(tree, self.matrix[inside], self.codes[inside], weight)
        values = tree.tree_.value[:, 0, :]
        shares, total = np.zeros((len(values), self.n_classes), dtype=np.int64), values.sum(axis=1, keepdims=True)
        shares[:, tree.classes_] = np.rint(values / np.where(total == 0, 1, total) * UNIT)
        if self.kept is not None:
            self.kept[seed] = GrownTree.of(tree.tree_, shares)
        return rows, tree.tree_.apply(self.matrix[rows]), shares


def unjudged_rows(n_rows: int) -> str:
    """Say why a bag could not judge so many rows."""
    return (
        f"{n_rows:,} rows could not be left out of any tree: all rows look alike, or belong to one group. Add "
        "features, or pass your own pred_probs=."
    )


def fit_tree(tree: Any, matrix: NDArray[np.float32], targets: NDArray[Any], weight: FloatArray) -> None:
    """Fit a tree of scikit-learn on rows that were checked once for all trees.

    Checking them again takes longer than growing a tree of a few hundred rows. Where values are missing, the check
    tells the tree which.
    """
    from sklearn import config_context

    with config_context(skip_parameter_validation=True, assume_finite=True):
        tree.fit(matrix, targets, sample_weight=weight, check_input=bool(np.isnan(matrix).any()))


def _completed(
    pool: ThreadPoolExecutor,
    grow: Callable[..., Any],
    grown: set[Future[Any]],
    waiting: Iterator[tuple[int, int]],
    leave_out: IntArray | None,
) -> Iterator[Any]:
    """Results as they come, another tree begun for each."""
    while grown:
        finished, grown = wait(grown, return_when=FIRST_COMPLETED)
        grown |= {pool.submit(grow, seed, leave_out) for seed in islice(waiting, len(finished))}
        for done in finished:
            yield done.result()


def _cross_validated(
    matrix: NDArray[np.float32],
    codes: IntArray,
    n_classes: int,
    units: IntArray,
    grouped: bool,
    weights: FloatArray | None,
    model: Any,
    cv: Any,
    seed: int,
    n_jobs: int | None,
    progress: ProgressOption,
    keep: bool,
) -> tuple[FloatArray, str, IntArray, FittedModel | None]:
    """A clone a fold; rows without a label are judged by the mean of all clones."""
    model = _default_model(seed, n_jobs) if model is None else model
    if isinstance(model, type):
        raise ModelError(f"model={model.__name__} is a class. Pass an instance of it, as in {model.__name__}().")
    if not hasattr(model, "predict_proba"):
        raise ModelError(
            f"{type(model).__name__} gives no probabilities (no predict_proba). Wrap it in "
            "sklearn.calibration.CalibratedClassifierCV, or pass your own pred_probs=."
        )
    if weights is not None and "sample_weight" not in inspect.signature(model.fit).parameters:
        raise ModelError(f"{type(model).__name__}.fit takes no sample_weight. Leave the weights out.")
    known = np.flatnonzero(codes >= 0)
    folds = _folds(known, codes, units, grouped, cv, seed)
    sums, votes = np.zeros((len(codes), n_classes)), np.zeros(len(codes), dtype=np.int64)
    unlabelled = np.flatnonzero(codes < 0)
    for train, test in Progress(progress).follow(folds, len(folds)):
        fitted = seeded(model, seed)
        fit(fitted, matrix[train], codes[train], None if weights is None else weights[train])
        rows = np.concatenate([test, unlabelled])
        sums[rows] += aligned(fitted, matrix[rows], n_classes)
        votes[rows] += 1
    if (votes == 0).any():
        unjudged = int((votes == 0).sum())
        raise ModelError(
            f"The folds of cv={cv!r} leave {unjudged:,} rows unjudged; every row must be in a test fold. For rows in "
            "time order pass cv='time', which judges the first of them by those after."
        )
    weight = None if weights is None else weights[known]
    final = for_others(model, matrix[known], codes[known], n_classes, weight, seed) if keep else None
    return sums / votes[:, None], f"{type(model).__name__}, {len(folds)} folds", known, final


def _default_model(seed: int, n_jobs: int | None) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(TREES, min_samples_leaf=SMALLEST_LEAF, random_state=seed, n_jobs=n_jobs)


def _folds(
    known: IntArray, codes: IntArray, units: IntArray, grouped: bool, cv: Any, seed: int
) -> list[tuple[IntArray, IntArray]]:
    if isinstance(cv, str):
        if cv != "time":
            raise OptionError(f"cv={cv!r} is not known; pass a number of folds, a scikit-learn splitter, or 'time'.")
        return _time_folds(known)
    if hasattr(cv, "split"):
        groups = units[known] if grouped else None
        splits = cv.split(np.zeros((known.size, 1)), codes[known], groups)
        return [(known[train], known[test]) for train, test in splits]
    n_folds = FOLDS if cv is None else cv
    if isinstance(n_folds, bool) or not isinstance(n_folds, (int, np.integer)) or n_folds < 2:
        raise OptionError(f"cv={cv!r} is not known; pass at least 2 folds, a scikit-learn splitter, or 'time'.")
    fold = _content_folds(known, codes, units, int(n_folds), seed)
    parts = [(known[fold != at], known[fold == at]) for at in range(int(n_folds))]
    return [(train, test) for train, test in parts if test.size]


def _content_folds(known: IntArray, codes: IntArray, units: IntArray, n_folds: int, seed: int) -> IntArray:
    """(m,) the fold of each known row: units dealt out class by class, in an order drawn by content."""
    unit = units[known]
    n_units = int(units.max()) + 1
    rank = np.random.default_rng([seed, 0xF01D]).permutation(n_units)
    # A unit of mixed labels is dealt out with its lowest class.
    lowest = np.full(n_units, np.iinfo(np.int64).max)
    np.minimum.at(lowest, unit, codes[known])
    present = np.unique(unit)
    order = present[np.lexsort((rank[present], lowest[present]))]
    dealt = np.zeros(n_units, dtype=np.int64)
    dealt[order] = np.arange(order.size) % n_folds
    return dealt[unit]


def _time_folds(known: IntArray) -> list[tuple[IntArray, IntArray]]:
    blocks = np.array_split(known, FOLDS + 1)
    later = [(np.concatenate(blocks[:at]), blocks[at]) for at in range(1, len(blocks))]
    return [(np.concatenate(blocks[1:]), blocks[0]), *later]

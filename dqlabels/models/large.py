"""Large tables: everything is learnt from a sample drawn by content; every other row is only looked up.

The rule is the same on every engine: a table of more than ``LARGE_ROWS`` rows is judged this way, a smaller one
by trees out of bag (:mod:`dqlabels.models.out_of_sample`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.columns import Frame, LabelSet, choose_features, require_names
from dqlabels.frames.features import FeatureEncoder, without_leaks
from dqlabels.frames.hashing import content_hashes, hash_features
from dqlabels.frames.sampling import ContentSample, Sample, quotas
from dqlabels.models import boosted
from dqlabels.models.boosted import Halves
from dqlabels.models.learning_curve import LearningCurve, learning_curve
from dqlabels.models.out_of_sample import MAX_FITTED_ROWS
from dqlabels.models.units import COARSE
from dqlabels.progress import Progress, ProgressOption
from dqlabels.threads import thread_count

IntArray = NDArray[np.int64]

# Tables with more rows than this are judged by a model of a sample of about as many.
LARGE_ROWS = MAX_FITTED_ROWS
# Rows x classes of the sample: many classes take a smaller one.
FITTED_VALUES = 20_000_000
MIN_SAMPLED = 100
# A sample of more than this share of the kinds of row has no larger one worth speaking of.
NEARLY_ALL = 0.9
# Rows of a block that is encoded and judged at once.
BLOCK_ROWS = 65_536
# With fewer classes the steps of a judging thread are so short that two wait for each other, and are slower than one.
MANY_CLASSES = 20
REFUSED = {
    "model": "a model of your own",
    "cv": "cross-validation",
    "embed": "embeddings",
    "groups": "groups",
    "sample_weight": "weights",
    "compat": "cleanlab's rounding",
    "pred_probs": "your own probabilities",
    "classes": "your own probabilities",
}


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """A fitted model with its encoder: what is carried to wherever the rows are."""

    encoder: FeatureEncoder
    halves: Halves

    def probs(self, block: Frame, n_jobs: int | None = None) -> NDArray[np.float32]:
        """(b, K) probabilities of a block's rows, by models that did not see them."""
        return judge_matrix(self.halves, self.encoder.transform(block), n_jobs)


def judge_matrix(halves: Halves, matrix: NDArray[np.float32], n_jobs: int | None) -> NDArray[np.float32]:
    """(n, K) probabilities, of many classes on ``n_jobs`` threads."""
    return judge_and_tell(halves, matrix, n_jobs)[0]


def judge_and_tell(
    halves: Halves, matrix: NDArray[np.float32], n_jobs: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(n, K) probabilities and which rows (n,) one of the halves saw, of many classes on ``n_jobs`` threads."""
    threads = thread_count(n_jobs) if halves.n_classes >= MANY_CLASSES else 1
    parts = np.array_split(matrix, max(1, min(threads, len(matrix) // 1024)))
    if len(parts) == 1:
        return halves.judge(matrix)
    with ThreadPoolExecutor(threads) as pool:
        probs, inside = zip(*pool.map(halves.judge, parts), strict=True)
    return np.concatenate(probs), np.concatenate(inside)


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What a sample taught: the judge, how many rows of it and of what kind, and what to tell the reader."""

    judge: Judge
    model: str
    notes: tuple[str, ...]


def refuse_options(options: dict[str, Any], where: str) -> None:
    """Raise where an option is given that needs all rows in one memory.

    Raises:
        OptionError: Naming it.
    """
    for name, what in REFUSED.items():
        if options.get(name) is not None:
            raise OptionError(
                f"{name}= ({what}) needs all rows in memory, and is not there {where}. Leave it out, or audit a "
                "collected frame."
            )


def sampled_columns(
    columns: Iterable[str], label: str, features: Sequence[str] | None, exclude: Iterable[str]
) -> list[str]:
    """The columns by whose content rows are drawn: those that may be features.

    Raises:
        FeatureError: A named column does not exist.
    """
    there, left_out = list(columns), {exclude} if isinstance(exclude, str) else set(exclude)
    named = None if features is None else [features] if isinstance(features, str) else list(features)
    require_names(there, left_out, "exclude")
    require_names(there, named or (), "feature")
    return [name for name in (named or there) if name != label and name not in left_out]


def empty_sample(class_rows: IntArray, sample_rows: int | None = None) -> ContentSample:
    """The sample that a table with these rows (K,) a class is learnt from, nothing seen yet; by default of our size."""
    most = sample_rows or max(1, min(LARGE_ROWS, FITTED_VALUES // class_rows.size))
    return ContentSample.empty(quotas(class_rows, most))


def learn(
    sample: Sample,
    labels: LabelSet,
    *,
    features: Sequence[str] | None,
    exclude: Iterable[str],
    random_state: int,
    n_jobs: int | None,
    progress: ProgressOption = False,
) -> Learnt:
    """Fit encoders and model on a sample.

    Args:
        sample: Rows with all columns that are features, and the label.
        labels: The labels of the whole table.
        features: As given by the caller.
        exclude: As given by the caller.
        random_state: Seeds every draw.
        n_jobs: Threads.
        progress: As for :func:`dqlabels.audit`; counts trees.

    Raises:
        FeatureError: No feature is left.
        ModelError: All rows look alike.
    """
    label, frame = labels.values.name, sample.frame
    # Columns left out were checked against the whole table, and are not in the sample.
    exclude = [exclude] if isinstance(exclude, str) else exclude
    kinds, notes = choose_features(frame, label, features, [name for name in exclude if name in frame.columns])
    encoder, encoded = FeatureEncoder.fit_encode(frame, kinds)
    encoder, encoded, found = without_leaks(
        encoder, encoded, kinds, sample.codes, f"the label {label!r}", rows=f"of {len(frame):,} sampled rows"
    )
    notes, matrix = [*notes, *found], encoded.matrix
    rows, alike = int(labels.rows.sum()), np.unique(hash_features(matrix)).size
    coarse = sample.kinds * COARSE < rows or alike * COARSE < len(matrix)
    if coarse:
        notes.append(
            f"The features tell few kinds of row apart (about {min(sample.kinds, float(alike)):,.0f}): each row is "
            "judged by others of its kind, so a copy of a row can vouch for it."
        )
    halves = Halves.fit(
        matrix, sample.codes, len(labels.classes), sample.counts.astype(np.float64),
        coarse=coarse, seed=random_state, n_jobs=n_jobs,
        on_tree=Progress(progress, "Learning").counter(boosted.TREES * (1 if coarse else 2)),
    )  # fmt: skip
    model = f"boosted trees on {len(matrix):,} sampled rows, {'all' if coarse else 'two halves'}"
    if len(matrix) < NEARLY_ALL * sample.kinds and not coarse:
        curve = learning_curve(
            halves, matrix, sample.codes, sample.counts.astype(np.float64), seed=random_state, n_jobs=n_jobs
        )
        if curve is not None:
            model += f"; {curve.words(len(matrix))}"
            notes += [_larger(curve, len(matrix))] if curve.more_would_help else []
    return Learnt(Judge(encoder, halves), model, tuple(notes))


def _larger(curve: LearningCurve, rows: int) -> str:
    return (
        f"The model still learns from more rows: {curve.words(rows)}. Pass sample_rows={2 * rows} for a better judge, "
        "in about twice the time for learning."
    )


def check_sample_rows(sample_rows: int | None) -> None:
    """Refuse a number of rows that no model can be fitted on.

    Raises:
        OptionError: Not a whole number, or too small.
    """
    if sample_rows is None:
        return
    if isinstance(sample_rows, bool) or not isinstance(sample_rows, (int, np.integer)) or sample_rows < MIN_SAMPLED:
        raise OptionError(
            f"sample_rows={sample_rows!r} is not a whole number of at least {MIN_SAMPLED:,}, the rows that the "
            "model of a large table is fitted on."
        )


def learn_in_memory(
    table: Frame, label: str, codes: IntArray, classes: Sequence[Any], sample_rows: int | None = None, **options: Any
) -> tuple[NDArray[np.float32], Learnt]:
    """Probabilities (n, K) of a large table that is in memory, and what its sample taught.

    Args:
        table: n rows.
        label: Its label column.
        codes: (n,) class positions, -1 where missing.
        classes: The K classes.
        sample_rows: Rows to sample, if not our number.
        **options: As :func:`learn` takes them.
    """
    rows = np.bincount(codes[codes >= 0], minlength=len(classes))
    columns = sampled_columns(table.columns, label, options["features"], options["exclude"])
    sample = empty_sample(rows, sample_rows)
    for block in row_blocks(len(table)):
        part = table[block]
        sample.update(part.select(*columns, label), codes[block], content_hashes(part, columns, codes[block]))
    labels = LabelSet(table[label], tuple(classes), np.empty(0, dtype=np.int64), rows, int((codes < 0).sum()))
    learnt = learn(sample.finish(), labels, **options)
    parts = [learnt.judge.probs(table[block], options["n_jobs"]) for block in row_blocks(len(table))]
    return np.concatenate(parts), learnt


def row_blocks(n_rows: int) -> Iterator[slice]:
    """Slices of ``BLOCK_ROWS`` rows, the last perhaps shorter."""
    for start in range(0, n_rows, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, n_rows))

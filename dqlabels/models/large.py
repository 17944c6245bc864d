"""Large tables of classes: models are fitted on a sample drawn by content, and all other rows are only judged.

The rule is the same on every engine: a table of more than ``large_rows`` rows is judged this way, a smaller one
out of bag (:mod:`dqlabels.models.out_of_sample`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Frame, LabelSet, choose_features, require_names
from dqlabels.frames.features import FeatureEncoder, without_leaks
from dqlabels.frames.hashing import content_hashes, hash_features
from dqlabels.frames.sampling import ContentSample, Sample, quotas
from dqlabels.models.boosted import Halves
from dqlabels.models.learning_curve import LearningCurve, learning_curve
from dqlabels.models.sizes import BoostingSizes, Sizes
from dqlabels.models.units import COARSE
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.arrays import IntArray

# Bound on rows x classes of the sample, so that many classes take a smaller one.
FITTED_VALUES = 20_000_000
# A sample of more than this share of the kinds of row could hardly be larger, so nothing is said of a larger one.
NEARLY_ALL = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class LargeTableModel:
    """Halves fitted on a sample, with the encoder of their features: what is carried to wherever the rows are.

    ``model`` says what it is, ``notes`` what the user should know.
    """

    encoder: FeatureEncoder
    halves: Halves
    model: str
    notes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The features."""
        return list(self.encoder.names)

    def encode(self, block: Frame) -> NDArray[np.float32]:
        """The features (b, d) of a block's rows."""
        return self.encoder.transform(block)

    def probs(self, encoded: NDArray[np.float32], n_jobs: int | None = None) -> NDArray[np.float32]:
        """Probabilities (b, K) of encoded rows, by models that did not see them."""
        return self.halves.judge(encoded, n_jobs)[0]


def sampled_columns(
    columns: Iterable[str], label: str, features: Sequence[str] | None, exclude: Iterable[str]
) -> list[str]:
    """Return the columns whose content decides which rows are sampled: those that may be features, by name.

    Args:
        columns: The columns of the table.
        label: The label column.
        features: The columns to judge by, or None for all others.
        exclude: Columns not to judge by.

    Raises:
        FeatureError: A named column does not exist.
    """
    there, left_out = list(columns), {exclude} if isinstance(exclude, str) else set(exclude)
    named = None if features is None else [features] if isinstance(features, str) else list(features)
    require_names(there, left_out, "exclude")
    require_names(there, named or (), "feature")
    return sorted(name for name in (named or there) if name != label and name not in left_out)


def empty_sample(class_rows: IntArray, sample_rows: int | None, large_rows: int) -> ContentSample:
    """Return an empty sample, of ``sample_rows`` or by default ``large_rows``, for a table with ``class_rows`` (K,)."""
    max_rows = sample_rows or max(1, min(large_rows, FITTED_VALUES // class_rows.size))
    return ContentSample.empty(quotas(class_rows, max_rows))


def learn(
    sample: Sample,
    labels: LabelSet,
    *,
    features: Sequence[str] | None,
    exclude: Iterable[str],
    random_state: int,
    n_jobs: int | None,
    sizes: BoostingSizes,
    progress: ProgressOption = False,
) -> LargeTableModel:
    """Fit encoders and model on a sample.

    Args:
        sample: Rows with all columns that are features, and the label.
        labels: The labels of the whole table.
        features: As for :func:`dqlabels.audit`.
        exclude: As for :func:`dqlabels.audit`.
        random_state: Seeds every draw.
        n_jobs: Threads.
        sizes: Sizes of each model.
        progress: As for :func:`dqlabels.audit`; counts trees.

    Raises:
        FeatureError: No feature is left.
        ModelError: All rows look alike.
    """
    label, frame = labels.values.name, sample.frame
    # Excluded columns were checked against the whole table, and are not in the sample.
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
    drawn = (matrix, sample.codes, len(labels.classes), sample.counts.astype(np.float64))
    on_tree = Progress(progress, "Learning").counter(sizes.trees * (1 if coarse else 3))
    halves = (
        Halves.fit(*drawn, coarse=True, seed=random_state, n_jobs=n_jobs, on_tree=on_tree, sizes=sizes)
        if coarse
        else Halves.fit_twice(*drawn, seed=random_state, n_jobs=n_jobs, on_tree=on_tree, sizes=sizes)
    )
    model = f"boosted trees on {len(matrix):,} sampled rows, {'all' if coarse else 'two halves, in two rounds'}"
    if len(matrix) < NEARLY_ALL * sample.kinds and not coarse:
        curve = learning_curve(
            halves, matrix, sample.codes, sample.counts.astype(np.float64), seed=random_state, n_jobs=n_jobs,
            sizes=sizes,
        )  # fmt: skip
        if curve is not None:
            model += f"; {curve.words(len(matrix))}"
            notes += [_larger_sample_note(curve, len(matrix))] if curve.more_would_help else []
    return LargeTableModel(encoder, halves, model, tuple(notes))


def _larger_sample_note(curve: LearningCurve, rows: int) -> str:
    return (
        f"The model still learns from more rows: {curve.words(rows)}. Pass sample_rows={2 * rows} for a better model, "
        "in about twice the time to fit it."
    )


def learn_in_memory(
    table: Frame,
    label: str,
    codes: IntArray,
    classes: Sequence[object],
    sample_rows: int | None = None,
    *,
    features: Sequence[str] | None,
    exclude: Iterable[str],
    random_state: int,
    n_jobs: int | None,
    sizes: Sizes,
    progress: ProgressOption = False,
) -> tuple[NDArray[np.float32], LargeTableModel]:
    """Sample and judge a large table that is in memory.

    Args:
        table: n rows.
        label: Its label column.
        codes: (n,) class positions, -1 where missing.
        classes: The K classes.
        sample_rows: How many rows to sample; by default ``sizes.large_rows``.
        features: As for :func:`dqlabels.audit`.
        exclude: As for :func:`dqlabels.audit`.
        random_state: Seeds every draw.
        n_jobs: Threads.
        sizes: Sizes of sample, models and blocks.
        progress: As for :func:`dqlabels.audit`; counts trees.

    Returns:
        Probabilities (n, K), and the model.
    """
    rows = np.bincount(codes[codes >= 0], minlength=len(classes))
    columns = sampled_columns(table.columns, label, features, exclude)
    sample, blocks = empty_sample(rows, sample_rows, sizes.large_rows), list(row_blocks(len(table), sizes.block_rows))
    for block in blocks:
        part = table[block]
        sample.update(part.select(*columns, label), codes[block], content_hashes(part, columns, codes[block]))
    labels = LabelSet(table[label], tuple(classes), np.empty(0, dtype=np.int64), rows, int((codes < 0).sum()))
    model = learn(
        sample.finish(), labels, features=features, exclude=exclude, random_state=random_state, n_jobs=n_jobs,
        sizes=sizes.halves, progress=progress,
    )  # fmt: skip
    return np.concatenate([model.probs(model.encode(table[block]), n_jobs) for block in blocks]), model


def row_blocks(n_rows: int, block_rows: int) -> Iterator[slice]:
    """Slices of ``block_rows`` rows, the last perhaps shorter."""
    for start in range(0, n_rows, block_rows):
        yield slice(start, min(start + block_rows, n_rows))

"""Numbers as a task of the engines out of memory: one sample, one model, and two mergeable statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.kinds import KINDS, class_options
from dqlabels.audits.options import Options
from dqlabels.audits.values.columns import JudgedValues, ValueJudge
from dqlabels.audits.values.features import value_features
from dqlabels.engines.task import Blocks, RowLayout
from dqlabels.errors import OptionError
from dqlabels.frames.columns import Column, Frame
from dqlabels.frames.features import FeatureEncoder
from dqlabels.frames.hashing import canonical, content_hashes, hash_matrix, hash_words
from dqlabels.frames.sampling import Sample
from dqlabels.frames.targets import AmountTally, Targets, amounts
from dqlabels.models.units import COARSE
from dqlabels.models.value_forest import ForestSizes, ValueForest
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.residuals import ResidualTally, SizeCounts, Usual, ValueRule
from dqlabels.statistics.value_scale import ValueScale
from dqlabels.threads import thread_count

# The features predict so little beyond this that only gross errors can be found.
POOR = 0.9


def check_values(column: Column, options: Options) -> None:
    """Refuse a column whose type is no amount, and options that only audits of classes have.

    Raises:
        LabelColumnError: Naming the type and the way out.
        OptionError: Naming the options.
    """
    if not_of_numbers := class_options(options):
        listed, why = ", ".join(f"{name}=" for name in not_of_numbers), KINDS["regression"].cannot["model"]
        raise OptionError(
            f"{listed} belong to audits of classes. {why} Leave them out, or audit classes with task='classes'."
        )
    amounts(column)


@dataclass(frozen=True, slots=True, eq=False)
class ValueTask:
    """A column of amounts; ``seen`` is what a first look found; ``step`` as in its :class:`Targets`."""

    label: str
    columns: list[str]
    seen: AmountTally
    step: float
    options: Options

    @classmethod
    def of(cls, label: str, blocks: Iterable[Column], columns: list[str], options: Options) -> ValueTask:
        """Take a first look at the label column.

        Args:
            label: Its name.
            blocks: The column, in parts.
            columns: The columns that may be features.
            options: What the caller asks for.

        Raises:
            LabelColumnError: What cannot be audited as amounts.
        """
        seen, step = AmountTally(), 0.0
        for block in blocks:
            values, step = amounts(block)
            seen.update(values)
        seen.check(label)
        return cls(label, columns, seen, step, options)

    @property
    def layout(self) -> RowLayout:
        """The amount, and mean and spread of the trees."""
        return RowLayout(np.float64, 2)

    @property
    def strata_rows(self) -> IntArray:
        """(1,) rows with a value: there are no classes to keep in proportion."""
        return np.array([self.seen.known])

    @property
    def quotas(self) -> IntArray:
        """(1,) rows to sample."""
        return np.minimum(self.strata_rows, self.options.sizes.large_rows)

    def read_labels(self, column: Column) -> FloatArray:
        """The amounts (b,), NaN where missing."""
        return amounts(column)[0]

    def strata(self, given: FloatArray) -> IntArray:
        """(b,) 0 where there is a value, else -1."""
        return np.where(np.isnan(given), -1, 0)

    def hashes(self, block: Frame, given: FloatArray) -> NDArray[np.uint64]:
        """(b,) of features and value."""
        return content_hashes(block, [*self.columns, self.label], np.zeros(given.size, dtype=np.int64))

    def learn(self, sample: Sample, n_jobs: int | None, progress: ProgressOption = False) -> FittedValueTask:
        """Fit scale, encoders and trees.

        Raises:
            FeatureError: No feature is left.
        """
        values = self.read_labels(sample.frame[self.label])
        exclude = [name for name in self.options.exclude if name in sample.frame.columns]
        encoder, matrix, notes = value_features(sample.frame, self.label, values, self.options.features, exclude)
        alike = np.unique(hash_matrix(matrix)).size
        coarse = alike * COARSE < len(matrix)
        if coarse:
            notes.append(
                f"The features tell only about {alike:,} kinds of row apart: each row is judged by others of its kind. "
                "Add features, or name what repeats in groups=."
            )
        scale = ValueScale.of(values, sample.counts)
        sizes = ForestSizes()
        trees = ValueForest.fit(
            matrix, scale.apply(values), kinds_of(matrix, values, coarse=coarse), sample.counts.astype(np.float64),
            seed=self.options.random_state, n_jobs=n_jobs, sizes=sizes,
            on_tree=Progress(progress, "Learning").counter(sizes.trees),
        )  # fmt: skip
        model = f"extra-trees on {len(matrix):,} sampled rows, {sizes.trees} trees, out of bag"
        return FittedValueTask(self, encoder, scale, trees, coarse, model, tuple(notes))


@dataclass(frozen=True, slots=True, eq=False)
class FittedValueTask:
    """Trees with their encoder and the scale of what they predict; ``coarse`` where rows alike are no copies."""

    task: ValueTask
    encoder: FeatureEncoder
    scale: ValueScale
    trees: ValueForest
    coarse: bool
    model: str
    notes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The features."""
        return list(self.encoder.names)

    def encode(self, block: Frame, given: FloatArray) -> tuple[NDArray[np.float32], FloatArray]:
        """Features (b, d) and values (b,)."""
        return self.encoder.transform(block), given

    def judge(self, encoded: tuple[NDArray[np.float32], FloatArray], n_jobs: int | None) -> NDArray[np.float32]:
        """Mean and spread (b, 2) of the trees that may not have seen each row."""
        matrix, given = encoded
        return judge_by_trees(self.trees, matrix, kinds_of(matrix, given, coarse=self.coarse), n_jobs)

    def first(self) -> ResidualTally:
        """Return the empty tally from which the mean residual follows."""
        return ResidualTally()

    @property
    def observe(self) -> Callable[[ResidualTally, FloatArray, RealArray], None]:
        """Adds the residuals of rows with a value; the trees need not go along."""
        scale = self.scale
        return lambda state, given, outputs: state.update(residuals_of(scale, given, outputs), scale.apply(given))

    def rule(self, blocks: Blocks, first: ResidualTally) -> ValueColumns:
        """One pass: the sizes of the scores are counted, and tail and cut follow from the counts."""
        usual, scale = Usual.of(first.finish()), self.scale  # the trees need not go along

        def observe(state: SizeCounts, given: FloatArray, outputs: RealArray) -> None:
            spread = outputs[:, 1].astype(np.float64)
            state.update(np.abs(usual.scores(residuals_of(scale, given, outputs), spread)))

        sizes = blocks.reduce(SizeCounts.empty, observe).finish(self.task.options.fdr)
        return ValueColumns(self.task, ValueJudge(self.scale, ValueRule(usual, sizes)), first.error())


@dataclass(frozen=True, slots=True, eq=False)
class ValueColumns:
    """The rule of one column of amounts, and the model's ``error`` as of :class:`~dqlabels.ValueAudit`."""

    task: ValueTask
    judge: ValueJudge
    error: float

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether the features say little of the values."""
        return poor_notes(self.error)

    def targets(self, column: Column, given: FloatArray) -> Targets:
        """A block's labels as amounts of this table."""
        return Targets(column, given, self.task.step, self.task.seen.least, self.task.seen.largest)

    def judged(self, column: Column, given: FloatArray, outputs: RealArray) -> JudgedValues:
        """What is found of a block's rows."""
        wide = outputs.astype(np.float64)
        return self.judge.judge(self.targets(column, given), wide[:, 0], wide[:, 1])

    def add_columns(self, block: Frame, given: FloatArray, outputs: RealArray) -> Frame:
        """The block with quality, suggestion and flag."""
        column = block[self.task.label]
        judgement = self.judged(column, given, outputs)
        return self.judge.add_columns(block, self.task.options.names, self.targets(column, given), judgement)


def judge_by_trees(
    trees: ValueForest, matrix: NDArray[np.float32], hashes: NDArray[np.uint64], n_jobs: int | None
) -> NDArray[np.float32]:
    """Return mean and spread (b, 2) of the trees that may not have seen each row.

    Args:
        trees: The trees.
        matrix: (b, d) features.
        hashes: (b,) of what makes rows alike.
        n_jobs: Threads.
    """
    threads = thread_count(n_jobs)
    parts = np.array_split(np.arange(len(matrix)), max(1, min(threads, len(matrix) // 1024)))
    if len(parts) == 1:
        return trees.judge(matrix, hashes)
    with ThreadPoolExecutor(threads) as pool:
        outputs = pool.map(lambda part: trees.judge(matrix[part], hashes[part]), parts)
        return np.concatenate(list(outputs))


def residuals_of(scale: ValueScale, given: FloatArray, outputs: RealArray) -> FloatArray:
    """(b,) value less prediction of rows with a value, on the value scale."""
    return np.asarray(scale.apply(given) - outputs[:, 0])


def kinds_of(matrix: NDArray[np.float32], values: FloatArray, *, coarse: bool) -> NDArray[np.uint64]:
    """Hash (n,) of what makes rows alike: the features, and in a ``coarse`` table the value too."""
    hashes = hash_matrix(matrix)
    if not coarse:
        return hashes
    words = np.column_stack([hashes, canonical(values).view(np.uint64)])
    return hash_words(np.ascontiguousarray(words).view(np.uint32))


def poor_notes(error: float) -> tuple[str, ...]:
    """Return the note for a table whose values lie hardly nearer to their prediction than to the median."""
    if error <= POOR:
        return ()
    return (
        f"The features hardly predict this column: the values lie {error:.0%} as far from their prediction as from "
        "the median, so only gross errors can be found. Add features that say more about it.",
    )

"""What an audit of several annotators found, as arrays: what its tables are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.annotators.reading import Reading
from dqlabels.frames.columns import Column
from dqlabels.noise.annotators import Draws, annotators_noise
from dqlabels.statistics.agreement import Agreement
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.consensus import agreement_with_others

# Qualities are summed as whole numbers of this part, so that the order of rows does not show.
UNIT = 2.0**36


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """N items, V labels, J annotators, K classes.

    ``posterior`` (N, K) of the true class, ``consensus`` (N,) its class, -1 where there is neither a label nor a model;
    ``weights`` (J,) and ``model_weight`` of CROWDLAB, None without a model; ``active`` (N,) low for what to label next.
    """

    reading: Reading
    posterior: FloatArray
    consensus: IntArray
    weights: FloatArray | None
    model_weight: float | None
    active: FloatArray
    agreement: Agreement
    draws: Draws

    @property
    def labels_an_item(self) -> IntArray:
        """(N,) labels of each item."""
        votes = self.reading.votes
        return votes.labels_an_item()[votes.pattern].astype(np.int64)

    @property
    def quality(self) -> FloatArray:
        """(N,) probability that the consensus is right."""
        return self.posterior[np.arange(self.consensus.size), np.maximum(self.consensus, 0)]

    @property
    def agreeing(self) -> FloatArray:
        """(N,) share of an item's labels that are its consensus, NaN where it has none."""
        votes, number = self.reading.votes, self.labels_an_item
        counts = votes.class_counts()[votes.pattern, np.maximum(self.consensus, 0)]
        return np.where(number > 0, counts / np.maximum(number, 1), np.nan)

    @property
    def unsettled(self) -> NDArray[np.bool_]:
        """(N,) true where at least half of an item's labels are not its consensus."""
        with np.errstate(invalid="ignore"):
            return self.agreeing <= 0.5

    @property
    def vote_quality(self) -> FloatArray:
        """(V,) probability that each label is right."""
        votes = self.reading.votes
        return self.posterior[votes.item, votes.code]

    def row_facts(self) -> tuple[FloatArray, IntArray, NDArray[np.bool_], NDArray[np.bool_]]:
        """Quality, suggested code (-1 for none), flag, and whether it was judged, for every row of the frame.

        A row of a wide frame is an item; a row of a long one is a label.
        """
        reading = self.reading
        if reading.given is None:
            judged = self.labels_an_item > 0
            return np.where(judged, self.quality, np.nan), self.consensus, self.unsettled, judged
        item, given = reading.item_of_row, reading.given
        judged = given >= 0
        suggested = self.consensus[item]
        quality = np.where(judged, self.posterior[item, np.maximum(given, 0)], np.nan)
        return quality, suggested, judged & (given != suggested), judged

    def row_doubt(self) -> FloatArray:
        """The mean P(wrong) (n,) of the labels of each row of the frame, NaN where it has none."""
        votes, wrong = self.reading.votes, 1 - self.vote_quality
        if self.reading.given is not None:
            quality, _, _, _ = self.row_facts()
            return 1 - quality
        number = np.bincount(votes.item, minlength=self.consensus.size)
        summed = np.bincount(votes.item, weights=np.rint(wrong * UNIT), minlength=self.consensus.size) / UNIT
        return np.where(number > 0, summed / np.maximum(number, 1), np.nan)

    def values(self, codes: IntArray, name: str) -> Column:
        """A column of the label's dtype over rows of the frame; where the code is -1, the row's own missing label."""
        labels = self.reading.labels
        at = np.where(codes >= 0, labels.first_rows[np.maximum(codes, 0)], np.arange(codes.size))
        column: Column = labels.column[at.tolist()].alias(name)
        return column

    def annotator_facts(self, confidence: float) -> dict[str, NDArray[np.generic]]:
        """Columns (J,) of the table of annotators, in their order."""
        votes = self.reading.votes
        number = votes.labels_an_annotator
        right = votes.code == self.consensus[votes.item]
        with np.errstate(invalid="ignore", divide="ignore"):
            agreement = np.bincount(votes.who, right, votes.n_annotators) / number
        rates = [annotators_noise(self.draws, of=j, confidence=confidence) for j in np.flatnonzero(number).tolist()]
        numbers: dict[str, NDArray[np.generic]] = {
            "labels": number,
            "quality": self.annotator_quality(),
            "agreement_with_consensus": agreement,
            "agreement_with_others": np.where(number > 0, agreement_with_others(votes), np.nan),
        }
        for name, field in (("noise_rate", "estimate"), ("noise_low", "low"), ("noise_high", "high")):
            numbers[name] = np.full(number.size, np.nan)
            numbers[name][number > 0] = [getattr(rate, field) for rate in rates]
        if self.weights is not None:
            numbers["weight"] = np.where(number > 0, self.weights, np.nan)
        return numbers

    def annotator_quality(self) -> FloatArray:
        """How far each annotator's labels can be trusted, (J,) in [0, 1], NaN where there are none.

        With CROWDLAB the mean quality of their labels and their agreement with the consensus on items with several
        labels, averaged by the weights of model and annotators; else the mean quality of their labels.

        Source: Goh, Tkachenko & Mueller (2022, arXiv 2210.06812), as in cleanlab 2.9.
        """
        votes = self.reading.votes
        number = votes.labels_an_annotator
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.zeros(votes.n_annotators, dtype=np.int64)
            np.add.at(total, votes.who, np.rint(self.vote_quality * UNIT).astype(np.int64))
            mean = total / UNIT / number
            if self.weights is None or self.model_weight is None:
                return np.asarray(mean)
            several = (self.labels_an_item > 1)[votes.item]
            who, right = votes.who[several], (votes.code == self.consensus[votes.item])[several]
            agreed = np.bincount(who, right, number.size) / np.bincount(who, minlength=number.size)
        labels_per_item = self.labels_an_item[self.labels_an_item > 0].mean() / (number > 0).sum()
        share = self.model_weight / (self.model_weight + self.weights[number > 0].sum() * labels_per_item)
        return np.asarray(share * mean + (1 - share) * agreed)

    def worst_classes(self) -> IntArray:
        """The class of each annotator (J,) that is least often the consensus; -1 for an annotator without labels.

        Of a tie the class with more labels, then the one whose items have the higher mean quality of consensus, then
        the first.
        """
        votes = self.reading.votes
        k = votes.n_classes
        cells, right = votes.who * k + votes.code, votes.code == self.consensus[votes.item]
        labels = np.bincount(cells, minlength=votes.n_annotators * k).reshape(-1, k)
        agreed = np.bincount(cells, right, votes.n_annotators * k).reshape(-1, k)
        share = np.where(labels > 0, agreed / np.maximum(labels, 1), np.inf)
        total = np.zeros(labels.size, dtype=np.int64)
        np.add.at(total, cells, np.rint(self.quality[votes.item] * UNIT).astype(np.int64))
        quality = total.reshape(labels.shape) / UNIT / np.maximum(labels, 1)
        # The last key sorts first.
        worst_first = np.lexsort((-quality, -labels, share), axis=1)
        return np.where(labels.sum(axis=1) > 0, worst_first[:, 0], -1)

    def confusion_cells(self) -> tuple[IntArray, IntArray, IntArray, IntArray, FloatArray]:
        """Annotator, consensus, given class, labels, and share of the annotator's labels of that consensus."""
        votes = self.reading.votes
        k = votes.n_classes
        cells = (votes.who * k + self.consensus[votes.item]) * k + votes.code
        present, number = np.unique(cells, return_counts=True)
        whole = np.bincount(present // k, number, votes.n_annotators * k)
        return present // k // k, present // k % k, present % k, number, number / whole[present // k]

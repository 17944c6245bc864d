"""What the networks' methods hold from batch to batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from dqlabels.learn.types import BoolArray, IntArray, Network, Tensor


@dataclass(slots=True, eq=False)
class CorrectionState:
    """State of loss correction: the noise matrix as logarithms (K, K), and the inverse of its estimate (K, K)."""

    logs: Tensor
    inverse: Tensor


@dataclass(slots=True, eq=False)
class MentorState:
    """State of a mentor.

    ``review`` are the positions of the reviewed rows and whether the label of each is right; ``bar`` is the moving
    percentile of the losses; ``watched`` holds the mentor's features and the right answers of each epoch.
    """

    review: tuple[IntArray, BoolArray] | None
    mentor: Network | None
    bar: float | None = None
    watched: list[tuple[Tensor, Tensor]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class JointState:
    """State of joint optimisation.

    ``prior`` (K,) and ``labels`` (n, K) as in the loss, ``answers`` of the last epochs, ``final`` once labels stay.
    """

    prior: Tensor
    labels: Tensor
    answers: list[Tensor] = field(default_factory=list)
    final: bool = False

"""Networks that learn from wrong labels as in the papers: on PyTorch, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dqlabels.errors import OptionError
from dqlabels.learn.answers import check_answers, missing_rows
from dqlabels.learn.options import one_of, within
from dqlabels.learn.research.network import (
    PlainNetwork,
    Run,
    cross_entropy,
    load_torch,
    probabilities,
    table_noise,
    weighed,
)
from dqlabels.learn.types import BoolArray, Inputs, IntArray, Network, Noise, Tensor, Torch

__all__ = [
    "CoTeachingNetwork",
    "DecouplingNetwork",
    "JointOptimizationNetwork",
    "LossCorrectionNetwork",
    "MentorNetwork",
    "PlainNetwork",
]

MIN_PROBABILITY = 1e-7
MIN_REVIEWED = 10
# In MentorNet's official code the first 19% of the epochs ignore the losses, and the predefined curriculum is a step
# up to 90% of them and then a slope.
BURN_IN, SELF_PACED = 0.19, 0.9


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


@dataclass(kw_only=True, eq=False, repr=False)
class CoTeachingNetwork(PlainNetwork):
    """Train two networks, each on the rows of a batch that have the smallest loss under the other.

    In epoch T the networks keep the share R(T) = 1 - forget_rate * min(T ** exponent / n_gradual, 1) of each batch.

    Args:
        module: See :class:`PlainNetwork`, as for all other options.
        forget_rate: In [0, 1); None for the noise rate that ``noise`` estimates.
        n_gradual: The paper's T_k.
        exponent: The paper's c.
        noise: A method of ``dqlabels.noise`` on out-of-bag trees, or a (K, K) matrix P(given | true).

    Source: Han et al. (2018), arXiv 1804.06872, algorithm 1 and section 3. The official code divides the mean loss of
    the kept rows by their number once more, so that the steps shrink with the batch; raises forget_rate instead of T
    to the power c; and never uses its first epoch. None is repeated.

    Example::

        CoTeachingNetwork(forget_rate=0.2).fit(X, y).predict(X_new)
    """

    n_networks = 2

    forget_rate: float | None = within(None, 0, 0.99)
    n_gradual: int = within(10, 1, 10**6)
    exponent: float = within(1.0, 0, 100)
    noise: Noise = "anchor"

    def _begin(self, run: Run, matrix: NDArray[np.float32], codes: IntArray) -> None:
        self.forget_rate_ = self.forget_rate
        if self.forget_rate is None:
            self.forget_rate_ = table_noise(self.noise, matrix, codes, run.seed).rate

    def _losses(self, run: Run, logits: list[Tensor], rows: Tensor, epoch: int) -> list[Tensor]:
        labels, weights = run.codes[rows], run.weights[rows]
        found = [cross_entropy(part, labels) for part in logits]
        forgotten = float(self.forget_rate_ or 0) * min((epoch + 1) ** self.exponent / self.n_gradual, 1.0)
        number = max(round((1 - forgotten) * len(rows)), 1)
        small = [loss.detach().argsort(stable=True)[:number] for loss in found]
        return [weighed(found[at][small[1 - at]], weights[small[1 - at]]) for at in (0, 1)]


@dataclass(kw_only=True, eq=False, repr=False)
class DecouplingNetwork(PlainNetwork):
    """Train two networks on the rows of a batch that they answer differently.

    Args:
        module: See :class:`PlainNetwork`, as for all other options.
        warm_up: Epochs on all rows, before disagreement decides.

    Source: Malach & Shalev-Shwartz (2017), arXiv 1706.02613, algorithm 1.

    Example::

        DecouplingNetwork(warm_up=5).fit(X, y).predict(X_new)
    """

    n_networks = 2

    warm_up: int = 5

    def _losses(self, run: Run, logits: list[Tensor], rows: Tensor, epoch: int) -> list[Tensor]:
        labels, weights = run.codes[rows], run.weights[rows]
        if epoch >= self.warm_up:
            apart = logits[0].argmax(dim=1) != logits[1].argmax(dim=1)
            if not bool(apart.any()):
                return [None, None]
            logits, labels, weights = [part[apart] for part in logits], labels[apart], weights[apart]
        return [weighed(cross_entropy(part, labels), weights) for part in logits]


@dataclass(kw_only=True, eq=False, repr=False)
class LossCorrectionNetwork(PlainNetwork):
    """Train a network whose loss is corrected by the noise matrix T, P(given | true).

    * ``"forward"``: -log sum_k T[k, given] p_k(x), Patrini et al. (2017), theorem 2;
    * ``"backward"``: sum_k inverse(T)[given, k] * -log p_k(x), theorem 1: unbiased, not bounded from below;
    * ``"importance"``: the loss times p_given / (p T)_given held fixed, Liu & Tao (2016), equation 7.

    Args:
        module: See :class:`PlainNetwork`, as for all other options.
        correction: One of the three.
        noise: A method of ``dqlabels.noise`` on out-of-bag trees, or a (K, K) matrix P(given | true).
        learn_matrix: Let training move T too, as rows of a softmax that start from the estimate.

    After ``fit``: ``noise_matrix_`` (K, K), the one that training ended with.

    Source: Patrini et al. (2017), arXiv 1609.03683. Learning T is Xia et al. (2019, arXiv 1906.00189), whose code adds
    a change to T that accumulates without keeping its rows distributions; rows of a softmax always are.

    Example::

        LossCorrectionNetwork(correction="forward").fit(X, y).predict(X_new)
    """

    correction: str = one_of("forward", ("forward", "backward", "importance"))
    noise: Noise = "anchor"
    learn_matrix: bool = False

    def _begin(self, run: Run, matrix: NDArray[np.float32], codes: IntArray) -> None:
        torch = load_torch()
        self.noise_matrix_ = table_noise(self.noise, matrix, codes, run.seed).matrix
        tensor = torch.tensor(self.noise_matrix_, dtype=torch.float32, device=run.X.device)
        logs = torch.nn.Parameter(tensor.clamp(min=1e-4).log(), requires_grad=self.learn_matrix)
        inverse = torch.tensor(np.linalg.pinv(self.noise_matrix_), dtype=torch.float32, device=run.X.device)
        run.state = CorrectionState(logs, inverse)

    def _parameters(self, run: Run) -> list[list[Tensor]]:
        (parameters,) = super()._parameters(run)
        return [[*parameters, run.state.logs]] if self.learn_matrix else [parameters]

    def _losses(self, run: Run, logits: list[Tensor], rows: Tensor, epoch: int) -> list[Tensor]:
        torch = load_torch()
        labels, at = run.codes[rows], torch.arange(len(rows), device=rows.device)
        if self.correction == "backward":
            loss = -(run.state.inverse[labels] * torch.log_softmax(logits[0], dim=1)).sum(dim=1)
            return [weighed(loss, run.weights[rows])]
        probs = torch.softmax(logits[0], dim=1)
        noisy = (probs @ torch.softmax(run.state.logs, dim=1))[at, labels].clamp(min=MIN_PROBABILITY)
        if self.correction == "forward":
            return [weighed(-noisy.log(), run.weights[rows])]
        ratio = (probs[at, labels] / noisy).detach()
        return [weighed(ratio * cross_entropy(logits[0], labels), run.weights[rows])]

    def _end_epoch(self, run: Run, epoch: int) -> None:
        if self.learn_matrix:
            matrix = load_torch().softmax(run.state.logs.detach(), dim=1)
            self.noise_matrix_ = matrix.cpu().numpy().astype(np.float64)


@dataclass(kw_only=True, eq=False, repr=False)
class MentorNetwork(PlainNetwork):
    """Train a student network whose rows are weighted by a mentor that watches their losses.

    * ``"predefined"``: self-paced learning, v = 1 where the loss is at most lambda_1, the moving ``percentile`` of the
      batches' losses, and 0 elsewhere; in the last tenth of the epochs v = min(max(0, 1 - (loss - lambda_1) /
      lambda_2), 1), equation 5, with lambda_2 the ``slope``;
    * ``"learned"``: the mentor is a network of (loss, loss - lambda_1, label, epoch), trained after each epoch to tell
      right from wrong labels by what it saw of the reviewed rows so far, equation 8 and algorithm 1.

    Args:
        module: See :class:`PlainNetwork`, as for all other options.
        curriculum: One of the two; ``"learned"`` needs ``reviewed`` at ``fit``.
        percentile: Percentile of the losses above which rows count as wrong, in (0, 100).
        slope: lambda_2 in nats.
        decay: Decay of the moving percentile.
        burn_in: Epochs in which no loss is looked at; None for the first 19%.
        dropout: Share of a batch's rows that are left out at random, right or wrong, during burn-in and after it: so
            that no wrong label is learnt by heart before the mentor speaks.

    Source: Jiang et al. (2018), arXiv 1712.05055; schedule of the predefined curriculum, dropout and defaults from the
    official code. There the mentor's last layer adds its bias to the
    weights instead of to the output, its label is always 0, and its moving percentile starts at 0.

    Example::

        MentorNetwork(curriculum="learned").fit(X, y, reviewed=answers).predict(X_new)
    """

    curriculum: str = one_of("predefined", ("predefined", "learned"))
    percentile: float = within(80.0, 1, 99)
    slope: float = within(1.0, 1e-6, 100)
    decay: float = within(0.5, 0, 0.9999)
    burn_in: int | None = within(None, 0, 10**6)
    dropout: tuple[float, float] = within((0.5, 0.05), 0, 0.99)

    def fit(
        self, X: Inputs, y: ArrayLike, sample_weight: ArrayLike | None = None, reviewed: ArrayLike | None = None
    ) -> MentorNetwork:
        """Train; ``reviewed`` (n,) is the right label where a row was reviewed, None or NaN elsewhere.

        Args:
            X: Inputs of n rows.
            y: (n,) given labels.
            sample_weight: (n,) weights, not negative.
            reviewed: (n,) the right label where a row was reviewed, None or NaN elsewhere.

        Raises:
            MissingExtraError: PyTorch is not installed.
            OptionError: A learned curriculum without enough reviewed rows, some right and some wrong.
        """
        self._fit(X, y, sample_weight, _read_review(reviewed, y) if self.curriculum == "learned" else None)
        return self

    def _begin(self, run: Run, matrix: NDArray[np.float32], codes: IntArray) -> None:
        torch = load_torch()
        mentor, review = None, run.state
        if review is not None:
            nn = torch.nn
            mentor = nn.Sequential(nn.Linear(run.n_classes + 3, 20), nn.Tanh(), nn.Linear(20, 1)).to(run.X.device)
        run.state = MentorState(review, mentor)

    def _losses(self, run: Run, logits: list[Tensor], rows: Tensor, epoch: int) -> list[Tensor]:
        loss = cross_entropy(logits[0], run.codes[rows])
        bar = float(loss.detach().quantile(self.percentile / 100))
        last = run.state.bar
        run.state.bar = bar if last is None else self.decay * last + (1 - self.decay) * bar
        burnt_in = epoch >= (BURN_IN * self.epochs if self.burn_in is None else self.burn_in)
        weights = run.weights[rows] * (load_torch().rand_like(loss) >= self.dropout[int(burnt_in)])
        if burnt_in:
            weights = weights * self._curriculum(run, loss.detach(), run.codes[rows], epoch)
        return [weighed(loss, weights)]

    def _curriculum(self, run: Run, loss: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """Return the mentor's weights (b,) for a batch's losses."""
        torch = load_torch()
        if self.curriculum == "learned":
            with torch.no_grad():
                return torch.sigmoid(run.state.mentor(self._watch(run, loss, labels, epoch))[:, 0])
        over = loss - run.state.bar
        if epoch < SELF_PACED * self.epochs:
            return (over <= 0).to(loss.dtype)
        return (1 - over / self.slope).clamp(0, 1)

    def _watch(self, run: Run, loss: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """Return the mentor's features (b, K + 3)."""
        torch = load_torch()
        bar = run.state.bar
        progress = torch.full_like(loss, epoch / self.epochs)
        hot = torch.nn.functional.one_hot(labels, run.n_classes).to(loss.dtype)
        return torch.column_stack([loss, (loss - bar).tanh(), progress, hot])

    def _end_epoch(self, run: Run, epoch: int) -> None:
        state: MentorState = run.state
        if state.review is None or state.mentor is None:
            return
        torch = load_torch()
        positions, right = state.review
        rows = torch.as_tensor(positions, device=run.X.device)
        probs = torch.as_tensor(probabilities(run.networks[0], run.X[rows]), device=rows.device)
        labels = run.codes[rows]
        loss = -probs[torch.arange(len(rows)), labels].clamp(min=MIN_PROBABILITY).log().float()
        target = torch.as_tensor(right, dtype=torch.float32, device=rows.device)
        state.watched.append((self._watch(run, loss, labels, epoch), target))
        watched, targets = (torch.cat(part) for part in zip(*state.watched[-10:], strict=True))
        optimizer = torch.optim.Adam(state.mentor.parameters(), lr=0.02, weight_decay=1e-3)
        for _ in range(50):
            answer = state.mentor(watched)[:, 0]
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(answer, targets).backward()
            optimizer.step()


@dataclass(kw_only=True, eq=False, repr=False)
class JointOptimizationNetwork(PlainNetwork):
    """Optimise a network and its labels in turn, then train a new network on the resulting labels.

    The loss is KL(y : s) + alpha KL(prior : mean s) + beta H(s), equations 2, 3, 4 and 8; from epoch ``begin`` on the
    labels y are the mean of the network's answers s over the last ``memory`` epochs (soft labels, equation 7).

    Args:
        module: See :class:`PlainNetwork`, as for all other options.
        alpha: Weight of the prior term.
        beta: Weight of the entropy term.
        begin: Epochs on the given labels.
        memory: Epochs that are averaged.
        prior: "estimated" for the clean shares that the noise matrix gives, "uniform" as in the paper.
        noise: How the noise behind the prior is estimated, see :class:`CoTeachingNetwork`.

    After ``fit``: ``soft_labels_`` (n, K).

    Source: Tanaka et al. (2018), arXiv 1803.11364. The official code always averages ten stored answers, those not yet
    made as zeros, so that with ``begin`` below 10 labels sum to less than 1; here only answers made count.

    Example::

        JointOptimizationNetwork().fit(X, y).predict(X_new)
    """

    alpha: float = 1.0
    beta: float = 0.5
    begin: int = within(10, 1, 10**6)
    memory: int = within(10, 1, 10**4)
    prior: str = one_of("estimated", ("estimated", "uniform"))
    noise: Noise = "anchor"

    def _begin(self, run: Run, matrix: NDArray[np.float32], codes: IntArray) -> None:
        torch = load_torch()
        prior = np.full(run.n_classes, 1 / run.n_classes)
        if self.prior == "estimated":
            prior = table_noise(self.noise, matrix, codes, run.seed).prior
        run.state = JointState(
            torch.tensor(prior, dtype=torch.float32, device=run.X.device),
            torch.nn.functional.one_hot(run.codes, run.n_classes).float(),
        )

    def _losses(self, run: Run, logits: list[Tensor], rows: Tensor, epoch: int) -> list[Tensor]:
        labels, weights = run.state.labels[rows], run.weights[rows]
        fit = weighed(cross_entropy(logits[0], labels), weights)
        if run.state.final:
            return [fit]
        torch = load_torch()
        logs = torch.log_softmax(logits[0], dim=1)
        shares = logs.exp().mean(dim=0).clamp(min=MIN_PROBABILITY)
        entropy = weighed(-(logs.exp() * logs).sum(dim=1), weights)
        return [fit - self.alpha * (run.state.prior * shares.log()).sum() + self.beta * entropy]

    def _end_epoch(self, run: Run, epoch: int) -> None:
        torch = load_torch()
        if run.state.final:
            return
        answer = torch.as_tensor(probabilities(run.networks[0], run.X), dtype=torch.float32, device=run.X.device)
        run.state.answers = [*run.state.answers, answer][-self.memory :]
        if epoch + 1 >= self.begin:
            run.state.labels = torch.stack(run.state.answers).mean(dim=0)

    def _train(self, torch: Torch, run: Run) -> None:
        super()._train(torch, run)
        self.soft_labels_ = run.state.labels.cpu().numpy().astype(np.float64)
        run.state.final = True
        run.networks = [self._network(tuple(run.X.shape[1:])).to(run.X.device)]
        super()._train(torch, run)


def _read_review(reviewed: ArrayLike | None, y: ArrayLike) -> tuple[IntArray, BoolArray]:
    values, given = np.asarray(reviewed, dtype=object), np.asarray(y)
    if values.shape != given.shape:
        raise OptionError("curriculum='learned' learns from reviewed rows: pass fit(X, y, reviewed=...), one a row.")
    way_out = "Correct it; for a row of no class, any class other than its label says that the label is wrong."
    check_answers("reviewed", values, np.unique(given).tolist(), way_out)
    positions = np.flatnonzero(~missing_rows(values))
    right = np.array([values[at] == given[at] for at in positions], dtype=bool)
    if positions.size < MIN_REVIEWED or right.all() or not right.any():
        raise OptionError(
            f"reviewed says of {positions.size:,} rows what is right, {int((~right).sum()):,} wrongly labelled; "
            f"the mentor needs at least {MIN_REVIEWED}, some right and some wrong."
        )
    return positions, right

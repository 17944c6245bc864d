"""Networks on PyTorch, and skorch and Keras models as classifiers of audits and of the estimators."""

from __future__ import annotations

import os
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dqlabels
from dqlabels import learn
from dqlabels.errors import OptionError
from dqlabels.learn import research
from dqlabels.learn.research.network import Run
from dqlabels.learn.research.networks import MentorState

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'dqlabels[torch]'")
NETWORKS = [getattr(research, name) for name in research.__all__ if name.endswith("Network")]
every_network = pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
SMALL = {"hidden": (16,), "epochs": 3}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def blobs(rows=300, share=0.2):
    X, truth = make_blobs(rows, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    wrong = np.random.default_rng(0).random(rows) < share
    return X, truth, np.where(wrong, 1 - truth, truth)


def digits(noise, share, seed=0):
    """Digits to learn from, each shifted by a pixel in five ways, with labels wrong independently; digits to test."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = order[:900], order[900:]
    images = X[train].reshape(-1, 8, 8)
    shifted = [images, *(np.roll(images, by, axis) for axis in (1, 2) for by in (-1, 1))]
    truth = np.tile(y[train], 5)
    rng = np.random.default_rng(seed)
    wrong = rng.random(truth.size) < share
    step = rng.integers(1, 10, truth.size) if noise == "symmetric" else 1
    noisy = np.where(wrong, (truth + step) % 10, truth)
    return np.concatenate(shifted).reshape(-1, 64), noisy, truth, X[test], y[test]


@every_network
def test_a_network_learns_string_labels(kind):
    X, truth, _ = blobs()
    names = np.array(["no", "yes"])[truth]
    learnt = kind(hidden=(16,), epochs=15, learning_rate=1e-2).fit(X, names)
    assert learnt.score(X, names) > 0.9
    assert learnt.predict_proba(X).sum(axis=1) == pytest.approx(1)


@every_network
def test_a_seed_fixes_everything_and_leaves_torch_as_it_was(kind):
    X, _, noisy = blobs()
    before = torch.random.get_rng_state()
    answers = [kind(**SMALL, random_state=seed).fit(X, noisy).predict_proba(X) for seed in (0, 0, 1)]
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])
    assert torch.equal(torch.random.get_rng_state(), before)


@every_network
def test_a_network_is_an_estimator(kind):
    X, _, noisy = blobs()
    frame = pd.DataFrame(X, columns=["a", "b"])
    learnt = clone(kind(**SMALL)).fit(frame, noisy)
    assert learnt.feature_names_in_.tolist() == ["a", "b"]
    assert np.array_equal(pickle.loads(pickle.dumps(learnt)).predict_proba(frame), learnt.predict_proba(frame))  # noqa: S301
    search = GridSearchCV(kind(**SMALL), {"learning_rate": [1e-3, 1e-2]}, cv=2).fit(X, noisy)
    assert cross_val_score(search.best_estimator_, X, noisy, cv=2).shape == (2,)


@every_network
def test_rows_of_no_weight_teach_nothing(kind):
    X, truth, _ = blobs(400)
    upside_down = np.where(np.arange(400) < 200, 1 - truth, truth)
    weights = (np.arange(400) >= 200).astype(float)
    options = {"noise": np.eye(2)} if "noise" in kind().get_params() else {}
    if kind is research.JointOptimizationNetwork:
        options["begin"] = 1000  # else it asks what the rows of no weight are, too
    learnt = kind(hidden=(16,), epochs=25, **options).fit(X, upside_down, sample_weight=weights)
    assert learnt.score(X, truth) > 0.8


def small_module(shape, n_classes, units=4):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(shape[0], units), torch.nn.Linear(units, n_classes))


@pytest.mark.parametrize("module", [small_module, partial(small_module, units=8)], ids=["function", "partial"])
def test_a_network_of_ones_own_can_be_pickled(module):
    X, _, noisy = blobs()
    learnt = research.PlainNetwork(module, epochs=1).fit(X, noisy)
    assert np.array_equal(pickle.loads(pickle.dumps(learnt)).predict_proba(X), learnt.predict_proba(X))  # noqa: S301


def test_images_go_to_a_convolution():
    def module(shape, n_classes):
        nn = torch.nn
        return nn.Sequential(nn.Conv2d(shape[0], 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, n_classes))

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8)
    learnt = research.CoTeachingNetwork(module, epochs=8, learning_rate=3e-3).fit(images[:900], labels[:900])
    assert learnt.score(images[900:], labels[900:]) > 0.85


def test_co_teaching_keeps_the_step_of_a_mean():
    # With nothing to forget both networks learn as a plain one does: the mean is divided by the rows once, not twice.
    X, truth, _ = blobs()
    plain = research.PlainNetwork(**SMALL).fit(X, truth)
    both = research.CoTeachingNetwork(**SMALL, forget_rate=0.0).fit(X, truth)
    plain_moved, co_moved = (
        sum(float(layer.detach().abs().sum()) for layer in network.parameters())
        for network in (plain.networks_[0], both.networks_[0])
    )
    assert co_moved == pytest.approx(plain_moved, rel=0.15)


def test_the_official_double_division_would_show():
    logits, labels = torch.zeros(10, 2, requires_grad=True), torch.zeros(10, dtype=torch.long)
    network = research.CoTeachingNetwork(forget_rate=0.0, n_gradual=1)
    network.forget_rate_ = 0.0
    run = Run(None, labels, torch.ones(10), 2, 0, [])
    loss, _ = network._losses(run, [logits, logits], torch.arange(10), 0)
    assert float(loss.detach()) == pytest.approx(np.log(2))


@pytest.mark.parametrize("correction", ["forward", "backward"])
def test_corrected_losses_have_the_right_minimum(correction):
    # One kind of row whose noisy labels are 0.9 * 0.2 + 0.1 * 0.7: the loss is least where the clean share is 0.2.
    matrix = np.array([[0.9, 0.1], [0.3, 0.7]])
    noisy = np.array([0.2, 0.8]) @ matrix
    labels = torch.tensor([0] * round(1000 * noisy[0]) + [1] * round(1000 * noisy[1]))
    network = research.LossCorrectionNetwork(correction=correction, noise=matrix)
    run = Run(torch.zeros(len(labels), 1), labels, torch.ones(len(labels)), 2, 0, [])
    network._begin(run, np.zeros((len(labels), 1), dtype=np.float32), labels.numpy())
    rows, shares = torch.arange(len(labels)), np.linspace(0.05, 0.95, 91)
    logs = [torch.tensor([[share, 1 - share]]).log().float().repeat(len(labels), 1) for share in shares]
    found = [float(network._losses(run, [part], rows, 0)[0]) for part in logs]
    assert shares[int(np.argmin(found))] == pytest.approx(0.2, abs=0.011)


def test_a_learnt_matrix_stays_a_noise_matrix():
    X, _, noisy = blobs()
    learnt = research.LossCorrectionNetwork(**SMALL, learn_matrix=True).fit(X, noisy)
    assert learnt.noise_matrix_.sum(axis=1) == pytest.approx(1)
    assert (learnt.noise_matrix_ >= 0).all()


@pytest.mark.parametrize("begin", [1, 2])
def test_labels_that_are_optimised_sum_to_one_from_the_first_epoch(begin):
    X, _, noisy = blobs()
    learnt = research.JointOptimizationNetwork(**SMALL, begin=begin).fit(X, noisy)
    assert learnt.soft_labels_.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_the_published_order_comes_out_under_symmetric_noise():
    # Han et al. (2018), MNIST with symmetric 50%: standard < decoupling < co-teaching.
    X, noisy, _, test, truth = digits("symmetric", 0.5)
    options = {"epochs": 25, "hidden": (256,), "learning_rate": 2e-3}
    scores = [
        network.fit(X, noisy).score(test, truth)
        for network in (
            research.PlainNetwork(**options),
            research.DecouplingNetwork(**options),
            research.CoTeachingNetwork(forget_rate=0.5, **options),
        )
    ]
    assert scores[0] + 0.03 < scores[1] < scores[2] - 0.03


def test_forward_correction_undoes_pair_noise():
    X, noisy, _, test, truth = digits("pair", 0.45)
    matrix = 0.55 * np.eye(10) + 0.45 * np.roll(np.eye(10), 1, axis=1)
    options = {"epochs": 8}
    plain = research.PlainNetwork(**options).fit(X, noisy).score(test, truth)
    assert research.LossCorrectionNetwork(noise=matrix, **options).fit(X, noisy).score(test, truth) > plain + 0.15


def test_a_mentor_that_saw_reviewed_rows_beats_the_plain_network():
    X, noisy, truth_of_rows, test, truth = digits("pair", 0.45)
    reviewed = np.full(len(noisy), None, dtype=object)
    reviewed[:300] = truth_of_rows[:300]
    plain = research.PlainNetwork(epochs=12).fit(X, noisy).score(test, truth)
    mentor = research.MentorNetwork(curriculum="learned", epochs=12).fit(X, noisy, reviewed=reviewed)
    assert mentor.score(test, truth) > plain + 0.05


@pytest.mark.parametrize(("epoch", "weights"), [(50, [1.0, 1.0, 0.0]), (95, [1.0, 1.0, 0.5])])
def test_the_predefined_curriculum_is_a_step_and_in_the_end_a_slope(epoch, weights):
    run = Run(None, None, None, 2, 0, [], MentorState(None, None, bar=1.0))
    mentor = research.MentorNetwork(epochs=100, slope=1.0)
    assert mentor._curriculum(run, torch.tensor([0.1, 1.0, 1.5]), None, epoch).tolist() == weights


@pytest.mark.parametrize(("epoch", "kept"), [(0, 0.5), (18, 0.5), (19, 0.95)])
def test_a_mentor_leaves_rows_out_at_random_first_many_then_few(epoch, kept):
    # All losses are alike, ln 2, so that none is over the moving percentile.
    labels = torch.zeros(4000, dtype=torch.long)
    run = Run(None, labels, torch.ones(4000), 2, 0, [], MentorState(None, None))
    (loss,) = research.MentorNetwork(epochs=100)._losses(run, [torch.zeros(4000, 2)], torch.arange(4000), epoch)
    assert float(loss) / np.log(2) == pytest.approx(kept, abs=0.03)


def test_a_share_to_leave_out_is_no_more_than_nearly_all():
    X, _, noisy = blobs()
    with pytest.raises(OptionError, match="dropout=1 is not a number from 0 to 0.99"):
        research.MentorNetwork(dropout=(0.5, 1)).fit(X, noisy)


def test_a_mentor_without_a_review_is_refused():
    X, _, noisy = blobs()
    with pytest.raises(OptionError, match="pass fit"):
        research.MentorNetwork(curriculum="learned").fit(X, noisy)


def skorch_model():
    skorch = pytest.importorskip("skorch", reason="skorch is not installed")
    layers = (torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    torch.manual_seed(0)
    net = skorch.NeuralNetClassifier(
        torch.nn.Sequential(*layers), criterion=torch.nn.CrossEntropyLoss, max_epochs=15, lr=0.1, verbose=0,
        train_split=None,
    )  # fmt: skip
    return net


def single_precision(X):
    return np.asarray(X, dtype=np.float32)


def with_single_precision(model):
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(StandardScaler(), FunctionTransformer(single_precision), model)


def keras_model():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    scikeras = pytest.importorskip("scikeras.wrappers", reason="SciKeras is not installed")

    def build(meta):
        layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2, activation="softmax")]
        model = keras.Sequential([keras.layers.Input((meta["n_features_in_"],)), *layers])
        model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(0.02))
        return model

    return scikeras.KerasClassifier(build, epochs=10, batch_size=32, verbose=0, random_state=0)


# Keras hands its tensors to numpy by a protocol that numpy 2 calls old.
keras_on_numpy = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
MODELS = {"skorch": skorch_model, "keras": keras_model}


@keras_on_numpy
@pytest.mark.parametrize("library", MODELS)
def test_an_audit_takes_the_model(library):
    X, truth, _ = blobs()
    wrong = np.arange(300) % 20 == 7
    labels = np.array(["no", "yes"])[np.where(wrong, 1 - truth, truth)]
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "label": labels})
    audit = dqlabels.audit(frame, "label", model=with_single_precision(MODELS[library]()), cv=3)
    worst = audit.frame["label_quality"].to_numpy().argsort()[:15]
    assert wrong[worst].mean() > 0.7


@keras_on_numpy
@pytest.mark.parametrize("library", MODELS)
@pytest.mark.parametrize(
    "kind",
    [learn.ConfidentLearningClassifier, learn.LossCorrectionClassifier, research.CoTeachingClassifier],
    ids=lambda kind: kind.__name__,
)
def test_the_estimators_take_the_model(library, kind):
    X, truth, noisy = blobs()
    options = {"n_rounds": 1} if kind is research.CoTeachingClassifier else {"cv": 2}
    learnt = kind(with_single_precision(MODELS[library]()), **options).fit(X, noisy)
    assert learnt.score(X, truth) > 0.9

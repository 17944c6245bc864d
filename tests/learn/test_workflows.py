"""The estimators in the workflows of a project: seeds, class weights, groups, fit parameters, reviews, pickles."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dqlabels.errors import LabelColumnError, OptionError, ProbabilityError
from dqlabels.learn import (
    ConfidentLearningClassifier,
    LossCorrectionClassifier,
    MentorNetClassifier,
    score_with_labels,
    score_with_review,
)
from dqlabels.learn.learner import splits_inside, weight_name
from dqlabels.learn.rows import Rows

ADVISED = [ConfidentLearningClassifier, LossCorrectionClassifier, MentorNetClassifier]
every_class = pytest.mark.parametrize("kind", ADVISED, ids=lambda kind: kind.__name__)
folds = {"judge": "folds", "cv": 3}


def quick(kind):
    return {"cv": 3} if kind is MentorNetClassifier else folds


def table(rows=120, share=0.15):
    rng = np.random.default_rng(0)
    truth = np.arange(rows) % 2
    X = rng.normal(size=(rows, 3)) + 1.5 * truth[:, None]
    return X, truth, np.where(rng.random(rows) < share, 1 - truth, truth)


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers in ``log`` what each of its clones was fitted on."""

    log: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, weeks=None, eval_set=None):
        self.classes_ = np.unique(y)
        Recorder.log.append({"X": X, "y": y, "weights": sample_weight, "weeks": weeks, "eval_set": eval_set})
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.fixture(autouse=True)
def empty_log():
    Recorder.log = []


SEEDLESS = {
    "pipeline": make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", max_iter=20, tol=None)),
    "wrapper": CalibratedClassifierCV(RandomForestClassifier(3), cv=KFold(2, shuffle=True)),
}


@pytest.mark.parametrize("learner", SEEDLESS.values(), ids=SEEDLESS)
def test_a_seed_reaches_the_learners_inside_pipelines_and_wrappers(learner):
    X, _, noisy = table()
    one, other = (LossCorrectionClassifier(learner, **folds).fit(X, noisy).predict_proba(X) for _ in range(2))
    assert np.array_equal(one, other)


def test_a_seed_of_the_learners_own_is_left_as_it_is():
    X, _, noisy = table()
    learner = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=7))
    learnt = LossCorrectionClassifier(learner, **folds)
    assert learnt.fit(X, noisy).estimator_[-1].random_state == 7


@every_class
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_class_weights_are_given_by_the_names_of_the_classes(kind, wrap):
    X, _, noisy = table()
    named = kind(wrap(LogisticRegression(class_weight={"no": 1, "yes": 20})), **quick(kind))
    coded = kind(wrap(LogisticRegression(class_weight={0: 1, 1: 20})), **quick(kind))
    expected = coded.fit(X, noisy).predict_proba(X)
    assert np.allclose(named.fit(X, np.array(["no", "yes"])[noisy]).predict_proba(X), expected)
    assert named.get_params()["estimator"] is named.estimator


def test_a_class_weight_for_a_class_that_is_none_is_refused():
    X, _, noisy = table()
    with pytest.raises(OptionError, match="class_weight names 0, which is no class of y; the classes are 'no', 'yes'"):
        LossCorrectionClassifier(LogisticRegression(class_weight={0: 1})).fit(X, np.array(["no", "yes"])[noisy])


SPLITTING = {
    "search": (GridSearchCV(LogisticRegression(), {"C": [1.0]}), True),
    "calibration": (CalibratedClassifierCV(GaussianNB()), True),
    "pipeline": (make_pipeline(StandardScaler(), LogisticRegressionCV()), True),
    "early stopping": (HistGradientBoostingClassifier(early_stopping=True), True),
    "no early stopping": (HistGradientBoostingClassifier(), False),
    "patience": (GradientBoostingClassifier(n_iter_no_change=5), True),
    "no patience": (GradientBoostingClassifier(), False),
    "patience of the training loss": (SGDClassifier(), False),
}


@pytest.mark.parametrize(("learner", "splits"), SPLITTING.values(), ids=SPLITTING)
def test_learners_that_set_rows_aside_for_themselves_are_known(learner, splits):
    assert splits_inside(learner, 100) is splits


def test_early_stopping_that_only_copies_of_rows_would_switch_on_is_seen():
    assert splits_inside(HistGradientBoostingClassifier(), 10_001)


class Stopping(Recorder):
    def __init__(self, early_stopping=True):
        self.early_stopping = early_stopping


@pytest.mark.parametrize("early_stopping", [True, False])
def test_no_row_is_repeated_for_a_learner_that_splits_its_rows(early_stopping):
    X, _, noisy = table(60)
    rows = Rows.of(X, noisy, 2, None, Stopping(early_stopping), 3, 0, None)
    rows.fit_soft(np.where(np.eye(2)[noisy] == 1, 0.8, 0.2))
    (fitted,) = Recorder.log
    assert len(fitted["X"]) == (60 if early_stopping else 120)
    assert set(fitted["weights"]) == ({0.8} if early_stopping else {0.8, 0.2})


class Weightless(KNeighborsClassifier):
    def __init__(self, early_stopping=True):
        super().__init__()
        self.early_stopping = early_stopping


def test_no_row_is_repeated_for_a_splitting_learner_without_weights():
    X, _, noisy = table(60)
    rows = Rows.of(X, noisy, 2, None, Weightless(), 3, 0, None)
    model = rows.fit(noisy, np.where(np.arange(60) < 20, 5.0, 1.0))
    assert len(np.unique(model._fit_X, axis=0)) == len(model._fit_X)


def test_a_search_inside_gets_weights():
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]})
    assert weight_name(search) == "logisticregression__sample_weight"
    X, truth, _ = table()
    weights = (np.arange(120) >= 60).astype(float)
    upside_down = np.where(weights == 0, 1 - truth, truth)
    learnt = ConfidentLearningClassifier(search, **folds).fit(X, upside_down, sample_weight=weights)
    assert learnt.score(X, truth) > 0.8


@every_class
def test_rows_of_a_group_do_not_judge_one_another(kind):
    X, _, noisy = table(60)
    groups = np.repeat(np.arange(20), 3)
    X[:, 0] = groups
    judge = {} if kind is MentorNetClassifier else {"judge": "mixture"}

    class Watcher(Recorder):
        def predict_proba(self, X):
            assert not set(X[:, 0]) & set(Recorder.log[-1]["X"][:, 0])
            return super().predict_proba(X)

    kind(Watcher(), cv=3, **judge).fit(X, noisy, groups=groups)
    assert len(Recorder.log) >= 4


def test_a_stack_that_ends_in_the_default_classifier_has_probabilities():
    X, _, noisy = table(60)
    stack = StackingClassifier([("bayes", GaussianNB())], cv=2)
    assert ConfidentLearningClassifier(stack, judge="folds", cv=2).fit(X, noisy).predict_proba(X).shape == (60, 2)


def test_groups_reach_a_splitter():
    X, _, noisy = table(60)
    kind = LossCorrectionClassifier(GaussianNB(), cv=GroupKFold(3))
    assert kind.fit(X, noisy, groups=np.arange(60) % 6).classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("groups", "words"),
    [([1, 2], "groups has shape"), ([None] + ["a"] * 59, "missing in 1 of 60"), (["a"] * 60, "a single group")],
)
def test_groups_that_cannot_be_used_are_refused(groups, words):
    X, _, noisy = table(60)
    with pytest.raises(OptionError, match=words):
        LossCorrectionClassifier(GaussianNB()).fit(X, noisy, groups=groups)


@every_class
def test_fit_parameters_reach_the_learner_row_by_row(kind):
    X, _, noisy = table(60)
    X[:, 0] = np.arange(60)
    kind(Recorder(), cv=3).fit(X, noisy, weeks=list(range(60)))
    assert len(Recorder.log) >= 4
    assert all(np.array_equal(fitted["weeks"], fitted["X"][:, 0]) for fitted in Recorder.log)


def test_the_labels_of_an_evaluation_set_are_those_of_y():
    X, _, noisy = table(60)
    names = np.array(["no", "yes"])
    LossCorrectionClassifier(Recorder()).fit(X, names[noisy], eval_set=[(X[:4], pd.Series(names[noisy[:4]]))])
    assert all(np.array_equal(fitted["eval_set"][0][1], noisy[:4]) for fitted in Recorder.log)
    with pytest.raises(OptionError, match="eval_set holds the label 'maybe'"):
        LossCorrectionClassifier(Recorder()).fit(X, names[noisy], eval_set=[(X[:1], ["maybe"])])


@every_class
def test_metadata_are_routed_as_in_scikit_learn(kind):
    X, _, noisy = table(60)
    with sklearn.config_context(enable_metadata_routing=True):
        learner = make_pipeline(StandardScaler(), Recorder().set_fit_request(weeks=True))
        outer = make_pipeline(kind(learner, cv=3).set_fit_request(sample_weight=True))
        outer.fit(X, noisy, sample_weight=np.linspace(1, 2, 60), weeks=np.arange(60))
        with pytest.raises(ValueError, match="eval_set"):
            kind(Recorder(), cv=3).fit(X, noisy, eval_set=1)
    assert all(len(fitted["weeks"]) == len(fitted["weights"]) for fitted in Recorder.log)


@every_class
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA], ids=str)
def test_missing_labels_are_named_with_the_way_out(kind, missing):
    X, _, noisy = table(60)
    labels = pd.Series(np.array(["no", "yes"], dtype=object)[noisy])
    labels[7] = missing
    with pytest.raises(LabelColumnError, match=r"1 of 60 labels are missing, the first in row 7.*pandas\.notna\(y\)"):
        kind(GaussianNB()).fit(X, labels)


def review(rows=100):
    given = np.array(["bad", "good"] * (rows // 2), dtype=object)
    return given, np.linspace(0, 1, rows), np.where(np.arange(rows) % 5 == 0, given, None)


@pytest.mark.parametrize(("answer", "words"), [("goood", "looks like 'good'"), ("None", "takes? None itself")])
def test_an_answer_of_a_review_that_is_no_class_is_refused(answer, words):
    given, quality, reviewed = review()
    reviewed[5] = answer
    with pytest.raises(
        OptionError, match=f"1 answers are none of the classes, the first is '{answer}' in row 5.*{words}"
    ):
        score_with_review(given, given, quality, reviewed)
    assert score_with_review(given, given, quality, reviewed, classes=[answer]).changed == 1


def test_labels_of_two_types_are_refused_in_place_of_a_score_of_zero():
    given = np.arange(100) % 2
    with pytest.raises(OptionError, match=r"0 \(int\) in the classes and '0' \(str\) in reviewed are never equal"):
        score_with_review(given, given, np.linspace(0, 1, 100), given.astype(str).astype(object))
    with pytest.raises(OptionError, match=r"'0' \(str\) in predicted and 0 \(int\) in given are never equal"):
        score_with_labels(given.astype(str), given, given)


@pytest.mark.parametrize("at", range(3))
def test_a_label_that_is_missing_in_a_score_is_refused(at):
    columns = [np.array(["a", "b", "b"], dtype=object) for _ in range(3)]
    columns[at][1] = None
    with pytest.raises(LabelColumnError, match="1 of 3 labels are missing, the first in row 1"):
        score_with_labels(*columns)


@pytest.mark.parametrize(("answer", "words"), [("yess", "looks like 'yes'"), (1, "never equal")])
def test_a_mentor_refuses_an_answer_that_is_no_class(answer, words):
    X, truth, noisy = table()
    names = np.array(["no", "yes", 1, "1"], dtype=object)
    reviewed = names[truth]
    reviewed[3] = answer
    labels = np.where(np.arange(120) == 0, "1", names[noisy].astype(str)) if answer == 1 else names[noisy].astype(str)
    with pytest.raises(OptionError, match=words):
        MentorNetClassifier(GaussianNB(), curriculum="learned").fit(X, labels, reviewed=reviewed)


@every_class
def test_a_pickle_does_not_grow_with_the_training_rows(kind):
    sizes = [len(pickle.dumps(kind(GaussianNB(), **quick(kind)).fit(*table(rows)[::2]))) for rows in (100, 200)]
    assert abs(sizes[1] - sizes[0]) < 50


def test_what_is_not_pickled_says_so():
    X, _, noisy = table()
    learnt = ConfidentLearningClassifier(GaussianNB()).fit(X, noisy)
    assert learnt.kept_.shape == (120,)
    with pytest.raises(AttributeError, match="a value for each training row and is not in pickles"):
        _ = pickle.loads(pickle.dumps(learnt)).kept_  # noqa: S301


@every_class
def test_what_the_fitted_learner_knows_is_handed_on(kind):
    X, _, noisy = table()
    options = quick(kind)
    linear = kind(LogisticRegression(), **options).fit(X, noisy)
    assert np.array_equal(linear.coef_, linear.estimator_.coef_)
    assert np.array_equal(linear.decision_function(X) > 0, linear.predict(X) == 1)
    assert np.allclose(np.exp(linear.predict_log_proba(X)), linear.predict_proba(X))
    assert kind(RandomForestClassifier(3), **options).fit(X, noisy).feature_importances_.shape == (3,)
    bayes = kind(GaussianNB(), **options).fit(X, noisy)
    assert not any(hasattr(bayes, name) for name in ("coef_", "feature_importances_", "decision_function"))


def test_features_are_selected_by_what_the_learner_found():
    X, _, noisy = table()
    assert (
        RFE(LossCorrectionClassifier(LogisticRegression(), **folds), n_features_to_select=1).fit(X, noisy).n_features_
        == 1
    )


def test_a_row_is_fitted_under_its_five_likeliest_classes_at_most():
    soft = np.random.default_rng(0).dirichlet(np.ones(50), 100)
    rows = Rows.of(np.arange(100.0)[:, None], soft.argmax(axis=1), 50, None, Recorder(), 3, 0, None)
    rows.fit_soft(soft)
    (fitted,) = Recorder.log
    assert len(fitted["X"]) == 500
    assert fitted["weights"].sum() == pytest.approx(100)


JUDGED = pytest.mark.parametrize("kind", [ConfidentLearningClassifier, LossCorrectionClassifier])
NO, YES = "no", "yes"


def judged_table():
    X, truth, given = table()
    return X, np.where(truth, YES, NO), np.where(given, YES, NO), np.where(truth[:, None] == [0, 1], 0.95, 0.05)


def test_probabilities_of_ones_own_judge_alone():
    X, truth, given, probs = judged_table()
    model = ConfidentLearningClassifier(Recorder(), reweight=False).fit(X, given, pred_probs=probs)
    assert np.array_equal(model.kept_, truth == given)
    assert len(Recorder.log) == 1


@JUDGED
def test_columns_named_by_the_classes_may_come_in_any_order(kind):
    X, _, given, probs = judged_table()
    frame = pd.DataFrame(probs, columns=[NO, YES])
    prefixed = frame[[YES, NO]].add_prefix("p_")
    learner = kind(LogisticRegression())
    ways = (probs, frame, frame[[YES, NO]], prefixed, pd.DataFrame(probs))
    first, *others = [learner.fit(X, given, pred_probs=one).predict_proba(X) for one in ways]
    assert all(np.array_equal(first, one) for one in others)


@JUDGED
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda probs: probs[1:], "one row for each of the 120 rows"),
        (lambda probs: probs[:, :1], "one column for each of the 2 classes"),
        (lambda probs: probs * 2, "sum to 1|above 1"),
        (lambda probs: probs.astype(str) + "x", "one number in each place"),
        (lambda probs: pd.DataFrame(probs, columns=["a", "b"]), "named 'a', 'b', the classes of y are 'no', 'yes'"),
    ],
)
def test_what_are_no_probabilities_of_the_rows_is_refused(kind, change, words):
    X, _, given, probs = judged_table()
    with pytest.raises(ProbabilityError, match=words):
        kind(LogisticRegression()).fit(X, given, pred_probs=change(probs))

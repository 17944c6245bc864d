"""scikit-learn's own checks of the estimators that learn from noisy labels."""

from __future__ import annotations

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from dqlabels import learn
from dqlabels.learn import research

# What these checks ask does not depend on how often an estimator is fitted, so folds are two; and that trees judge the
# rows and tell the noise matrix is one path for all, which one estimator takes.
ESTIMATORS = [
    research.BootstrappingClassifier(LogisticRegression(), cv=2),
    learn.ConfidentLearningClassifier(LogisticRegression()),
    research.CoTeachingClassifier(LogisticRegression(), noise="em", cv=2),
    research.DecouplingClassifier(LogisticRegression()),
    research.JointOptimizationClassifier(LogisticRegression(), noise="em", cv=2),
    learn.LossCorrectionClassifier(LogisticRegression(), judge="folds", cv=2),
    learn.MentorNetClassifier(LogisticRegression(), cv=2),
]
REASONS = {
    "DecouplingClassifier": "the halves and batches are dealt out by rows, not by weight",
    "JointOptimizationClassifier": "the prior is estimated from rows, not from weights",
    "MentorNetClassifier": "the percentile of the losses is one of rows, not of weights",
}
EQUIVALENCE = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")


def expected_failures(estimator):
    reason = REASONS.get(type(estimator).__name__)
    return dict.fromkeys(EQUIVALENCE, reason) if reason else {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_finds_an_estimator(estimator, check):
    check(estimator)

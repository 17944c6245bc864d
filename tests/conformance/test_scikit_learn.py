"""scikit-learn's own checks of the estimators that learn from noisy labels."""

from __future__ import annotations

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from dqlabels import learn
from dqlabels.learn import research

# The noise matrix by trees is one path for all; two of the others take their own answers, which are fitted anyway.
ESTIMATORS = [
    research.BootstrappingClassifier(LogisticRegression()),
    learn.ConfidentLearningClassifier(LogisticRegression()),
    research.CoTeachingClassifier(LogisticRegression(), noise="em"),
    research.DecouplingClassifier(LogisticRegression()),
    research.JointOptimizationClassifier(LogisticRegression(), noise="em"),
    learn.LossCorrectionClassifier(LogisticRegression()),
    learn.MentorNetClassifier(LogisticRegression()),
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

"""Several models as one: our pool of their probabilities against cleanlab's ensemble scores, and against their mean.

    python tests/benchmarks/several.py [--seeds 3]

Average precision of the planted errors, on tables of scikit-learn, with the same out-of-sample probabilities.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from cleanlab.rank import get_label_quality_ensemble_scores
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import dqlabels
from dqlabels.testing import corrupt_labels

TABLES = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
KINDS = ("symmetric", "class", "border", "annotator")
MODELS = [
    make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    GaussianNB(),
    DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
    ExtraTreesClassifier(100, min_samples_leaf=3, random_state=0),
]


def run(name: str, kind: str, seed: int) -> dict[str, float]:
    """Average precision of each side on one table."""
    frame = TABLES[name](as_frame=True).frame
    noisy, wrong = corrupt_labels(frame, "target", 0.1, kind, random_state=seed)
    X, y = noisy.drop(columns="target"), noisy["target"].to_numpy()
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    probs = [cross_val_predict(model, X, y, cv=folds, method="predict_proba") for model in MODELS]
    classes = sorted(set(y.tolist()))

    def ours(given: object) -> np.ndarray:
        audit = dqlabels.audit(noisy[["target"]], "target", pred_probs=given, classes=classes)
        return 1 - audit.frame["label_quality"].to_numpy()

    sides = {
        "ours, pooled": ours(probs),
        "ours, of the mean": ours(np.mean(probs, axis=0)),
        "ours, best single": max((ours(one) for one in probs), key=lambda one: average_precision_score(wrong, one)),
        "cleanlab ensemble": 1 - get_label_quality_ensemble_scores(y, probs, verbose=False),
    }
    return {side: average_precision_score(wrong, doubt) for side, doubt in sides.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    rows = [
        {"table": name, "kind": kind, **run(name, kind, seed)}
        for name in TABLES for kind in KINDS for seed in range(seeds)
    ]  # fmt: skip
    found = pd.DataFrame(rows)
    print(found.drop(columns="table").groupby("kind", sort=False).mean().round(3).to_string())
    print(found.drop(columns="kind").groupby("table", sort=False).mean().round(3).to_string())
    print(found.drop(columns=["table", "kind"]).mean().round(3).to_string())


if __name__ == "__main__":
    main()

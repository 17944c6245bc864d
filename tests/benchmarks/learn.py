"""Train on wrong labels, score on right ones: ``python tests/benchmarks/learn.py run`` and then ``... report``.

Real tables, their training labels changed in known ways; balanced accuracy and log loss on clean test rows, against
the plain learner and cleanlab's CleanLearning, all in the same folds of the same run. ``run`` appends a line a fit to
``--results``, skipping what is there, so that it can be stopped and go on; ``report`` prints the tables in Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from tables import load, plant

import dqlabels
from dqlabels import learn

TABLES = ("german", "satimage", "spambase", "contraceptive", "phoneme", "vehicle", "pima", "magic", "titanic", "crx",
          "letter", "mushroom")  # fmt: skip
# What the default judge and noise matrix were chosen on; none of them is in the tables that are reported.
CHOICE = ("australian", "banana", "bands", "led7digit", "mammographic", "marketing", "penbased", "ring", "saheart",
          "segment", "splice", "tic-tac-toe", "vowel", "wdbc")  # fmt: skip
NOISES = (
    ("none", 0.0), ("symmetric", 0.2), ("symmetric", 0.4), ("class_conditional", 0.2), ("class_conditional", 0.4),
    ("feature_dependent", 0.2),
)  # fmt: skip
MAX_TRAIN, MAX_TEST = 800, 2000


def learners(seed: int) -> dict[str, Any]:
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
        "boosting": HistGradientBoostingClassifier(max_iter=30, random_state=seed),
        "lightgbm": LGBMClassifier(n_estimators=60, n_jobs=1, verbose=-1, random_state=seed),
        "mlp": make_pipeline(StandardScaler(), MLPClassifier((64,), max_iter=60, random_state=seed)),
        "trees": ExtraTreesClassifier(100, min_samples_leaf=3, random_state=seed),
    }


def regularised(model: Any, seed: int) -> Any:
    """The learner held back, as a practitioner would who mistrusts the labels: nothing looks for wrong ones."""
    stronger = {
        "LogisticRegression": {"C": 0.05},
        "HistGradientBoostingClassifier": {"l2_regularization": 10.0, "min_samples_leaf": 40, "max_leaf_nodes": 8},
        "LGBMClassifier": {"reg_lambda": 10.0, "min_child_samples": 40, "num_leaves": 8},
        "MLPClassifier": {"alpha": 1.0},
        "ExtraTreesClassifier": {"min_samples_leaf": 10},
    }
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    last.set_params(**stronger[type(last).__name__])
    return model


class EarlyStopped(BaseEstimator, ClassifierMixin):
    """The learner stopped where a fifth of the given labels, left out, are predicted best."""

    def __init__(self, model: Any, seed: int) -> None:
        self.model, self.seed = model, seed

    def fit(self, X: Any, y: Any) -> EarlyStopped:
        from sklearn.model_selection import train_test_split

        last = self.model.steps[-1][1] if hasattr(self.model, "steps") else self.model
        if type(last).__name__ == "LGBMClassifier":
            from lightgbm import early_stopping

            several = np.bincount(y)[y] > 1  # LightGBM refuses a class that it is judged on and was not fitted on
            kept, judged = train_test_split(np.flatnonzero(several), test_size=0.2, random_state=self.seed)
            judged = judged[np.isin(y[judged], y[kept])]
            last.set_params(n_estimators=300).fit(
                X[kept], y[kept], eval_set=[(X[judged], y[judged])], callbacks=[early_stopping(10, verbose=False)]
            )
        else:
            last.set_params(early_stopping=True, max_iter=300, validation_fraction=0.2)
            self.model.fit(X, y)
        self.classes_ = self.model.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model.predict_proba(X)


class AuditFirst(BaseEstimator, ClassifierMixin):
    """What most people would do: audit the table, drop or relabel what is flagged, fit the learner."""

    def __init__(self, model: Any, seed: int, relabel: bool) -> None:
        self.model, self.seed, self.relabel = model, seed, relabel

    def fit(self, X: Any, y: Any) -> AuditFirst:
        frame = pd.DataFrame(X, columns=[f"x{at}" for at in range(X.shape[1])]).assign(label=[f"{k:03}" for k in y])
        found = dqlabels.audit(frame, "label", progress=False).frame
        flagged = found["is_label_issue"].to_numpy()
        if self.relabel:
            self.model.fit(X, np.where(flagged, found["suggested_label"].astype(int), y))
        else:
            self.model.fit(X[~flagged], y[~flagged])
        self.classes_ = self.model.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model.predict_proba(X)


def cleanlab(model: Any, seed: int) -> Any:
    from cleanlab.classification import CleanLearning

    return CleanLearning(model, cv_n_folds=5, seed=seed)


def method(name: str, **options: Any) -> Callable[[Any, int], Any]:
    return lambda model, seed: getattr(learn, name)(model, random_state=seed, **options)


def plain(model: Any, seed: int) -> Any:
    return model


# Every row under every class, judged by trees and five folds, and taken whether or not it is seen to help.
UNGUARDED: dict[str, Any] = {"judge": "mixture", "cv": 5, "suspicious": 1.0, "guard": False}
METHODS: dict[str, Callable[[Any, int], Any]] = {
    "plain": plain,
    # The plain learner on the rows whose labels were left right: what a perfect audit would give.
    "oracle": plain,
    "cleanlab": cleanlab,
    "audit, drop": lambda model, seed: AuditFirst(model, seed, relabel=False),
    "audit, relabel": lambda model, seed: AuditFirst(model, seed, relabel=True),
    "regularised": regularised,
    "early stopping": EarlyStopped,
    "confident": method("ConfidentLearningClassifier"),
    "confident, unweighted": method("ConfidentLearningClassifier", reweight=False),
    "confident, variational": method("ConfidentLearningClassifier", noise="variational"),
    "confident, by folds": method("ConfidentLearningClassifier", judge="folds"),
    "confident, by trees": method("ConfidentLearningClassifier", judge="trees"),
    "forward": method("LossCorrectionClassifier"),
    "forward, unguarded": method("LossCorrectionClassifier", **UNGUARDED),
    "forward, by folds": method("LossCorrectionClassifier", **UNGUARDED | {"judge": "folds"}),
    "forward, by trees": method("LossCorrectionClassifier", **UNGUARDED | {"judge": "trees"}),
    "forward, anchor": method("LossCorrectionClassifier", **UNGUARDED, noise="anchor"),
    "forward, variational": method("LossCorrectionClassifier", **UNGUARDED, noise="variational", n_rounds=2),
    "backward": method("LossCorrectionClassifier", **UNGUARDED, correction="backward"),
    "importance": method("LossCorrectionClassifier", **UNGUARDED, correction="importance"),
    "smoothing": method("LossCorrectionClassifier", **UNGUARDED, correction="smoothing"),
    "distillation": method("LossCorrectionClassifier", **UNGUARDED, correction="distillation"),
    "bootstrapping, soft": method("BootstrappingClassifier"),
    "bootstrapping, hard": method("BootstrappingClassifier", kind="hard"),
    "self-training": method("BootstrappingClassifier", kind="self_training"),
    "co-teaching": method("CoTeachingClassifier"),
    "decoupling": method("DecouplingClassifier"),
    "mentor": method("MentorNetClassifier"),
    "joint": method("JointOptimizationClassifier"),
}


def split(name: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, tuple[np.ndarray, np.ndarray]]:
    """Features as numbers (missing filled, strings one column a value) and clean labels, for training and testing."""
    from sklearn.model_selection import train_test_split

    frame = load(name)
    frame = frame[frame["label"].map(frame["label"].value_counts()) >= 20]
    parts = train_test_split(frame, train_size=min(MAX_TRAIN, int(0.6 * len(frame))), stratify=frame["label"],
                             random_state=seed)  # fmt: skip
    train, test = parts[0].reset_index(drop=True), parts[1][:MAX_TEST].reset_index(drop=True)
    return train, test, encoded(train, test)


def encoded(train: pd.DataFrame, test: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    both = pd.concat([train, test]).drop(columns="label")
    numbers = both.select_dtypes("number")
    numbers = numbers.fillna(numbers[: len(train)].median())
    others = both.drop(columns=numbers.columns).fillna("missing")
    matrix = numbers.to_numpy(float)
    if others.shape[1]:
        matrix = np.column_stack([matrix, pd.get_dummies(others).to_numpy(float)])
    return matrix[: len(train)], matrix[len(train) :]


def measure(build: Callable[[Any, int], Any], model: Any, seed: int, data: tuple[Any, ...]) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

    train_X, noisy, test_X, truth, n_classes = data
    start = time.perf_counter()
    fitted = build(model, seed).fit(train_X, noisy)
    spent = time.perf_counter() - start
    probs = np.zeros((len(truth), n_classes))
    probs[:, np.asarray(getattr(fitted, "classes_", np.unique(noisy)), dtype=int)] = fitted.predict_proba(test_X)
    probs = np.clip(probs, 1e-6, None)
    probs /= probs.sum(axis=1, keepdims=True)
    return {
        "balanced": balanced_accuracy_score(truth, probs.argmax(axis=1)),
        "accuracy": accuracy_score(truth, probs.argmax(axis=1)),
        "log_loss": log_loss(truth, probs, labels=np.arange(n_classes)),
        "seconds": spent,
    }


def grow_once(folder: Path) -> None:
    """Keep the judging trees of a table in ``folder``: they are the same for every learner and method."""
    from dqlabels.learn import judging

    grow = judging.model_probabilities

    def kept(rows: Any, matrix: Any, *, trees_alone: bool = True) -> Any:
        if not trees_alone:  # their time is a part of what is measured
            return grow(rows, matrix, trees_alone=False)
        parts = (rows.X.tobytes(), rows.codes.tobytes(), str((rows.seed, rows.n_classes)).encode())
        path = folder / f"{hashlib.sha256(b''.join(parts)).hexdigest()}.npy"
        if not path.exists():
            np.save(path, grow(rows, matrix))
        return np.load(path)

    folder.mkdir(exist_ok=True)
    judging.model_probabilities = kept


def run(options: argparse.Namespace) -> None:
    grow_once(options.results.with_suffix(".trees"))
    done = {tuple(json.loads(line)["key"]) for line in options.results.open()} if options.results.exists() else set()
    for seed in range(options.seeds):
        for table in options.tables:
            train, test, (train_X, test_X) = split(table, seed)
            names = np.unique(pd.concat([train["label"], test["label"]]))
            truth = np.searchsorted(names, test["label"])
            for noise, share in options.noises:
                changed = plant(train, noise, share, seed)[0] if share else train
                right = (changed["label"] == train["label"]).to_numpy()
                data = (train_X, np.searchsorted(names, changed["label"]), test_X, truth, names.size)
                for learner in options.learners:
                    for name in options.methods:
                        key = (table, noise, share, learner, name, seed)
                        if key in done or (name == "early stopping" and learner in ("linear", "trees")):
                            continue
                        seen = data if name != "oracle" else (train_X[right], data[1][right], *data[2:])
                        found = measure(METHODS[name], learners(seed)[learner], seed, seen)
                        with options.results.open("a") as file:
                            file.write(json.dumps({"key": key, **found}) + "\n")


def report(options: argparse.Namespace) -> None:
    """Each method's gain on the plain learner in the same cells, averaged over seeds, with intervals over tables."""
    lines = [json.loads(line) for line in options.results.open()]
    names = ["table", "noise", "share", "learner", "method", "seed"]
    frame = pd.DataFrame([{**dict(zip(names, line.pop("key"), strict=True)), **line} for line in lines])
    frame["noise"] = frame["noise"] + frame["share"].map(lambda share: f" {share:.0%}" if share else "")
    order = [name + (f" {share:.0%}" if share else "") for name, share in options.noises]
    for learner, part in frame.groupby("learner"):
        print(f"\n{learner}\n\n{summary(part)}\n\n{by_noise(part, order)}")


def cells(part: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A measure of each method (columns) in each table, seed and noise."""
    return part.pivot_table(index=["table", "seed", "noise"], columns="method", values=measure)


def summary(part: pd.DataFrame) -> str:
    """Markdown: gains on the plain learner under noise and on clean labels, the worst table of each, and the cost."""
    points, right = 100 * cells(part, "balanced"), 100 * cells(part, "accuracy")
    logs, seconds = cells(part, "log_loss"), cells(part, "seconds")
    heads = ["noisy", "worst table", "on cleanlab", "on audit and drop", "accuracy", "log loss",
             "clean labels", "worst table", "accuracy", "log loss", "plain fits"]  # fmt: skip
    lines = ["| method | " + " | ".join(heads) + " |", "|" + "---|" * (len(heads) + 1)]
    for name in [name for name in METHODS if name in points and name != "plain"]:
        row = []
        for chosen in (noisy, clean):
            gain = chosen((points[name] - points["plain"]).dropna())
            row += [interval(gain), f"{gain.groupby(level='table').mean().min():.1f}"]
            if chosen is noisy:
                for other in ("cleanlab", "audit, drop"):
                    against = other in points and name != other
                    row.append(interval(noisy((points[name] - points[other]).dropna())) if against else "")
            row.append(interval(chosen((right[name] - right["plain"]).dropna())))
            row.append(interval(chosen((logs["plain"] - logs[name]).dropna())))
        # Tables differ in size: the middle one counts.
        row.append(f"{(seconds[name] / seconds['plain']).groupby(level='table').median().median():.1f}")
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def by_noise(part: pd.DataFrame, order: list[str]) -> str:
    """Markdown: the balanced accuracy of the plain learner, and the gain of the others on it, under each noise."""
    points = 100 * cells(part, "balanced")
    lines = ["| method | " + " | ".join(order).replace("_", "-") + " | tables, fits |", "|" + "---|" * (len(order) + 2)]
    for name in [name for name in METHODS if name in points]:
        gain = (points[name] if name == "plain" else points[name] - points["plain"]).dropna()
        shown = [interval(gain[gain.index.get_level_values("noise") == noise]) for noise in order]
        counts = f"{gain.index.get_level_values('table').nunique()}, {len(gain):,}"
        lines.append(f"| {name} | " + " | ".join([*shown, counts]) + " |")
    return "\n".join(lines)


def noisy(values: pd.Series) -> pd.Series:
    return values[values.index.get_level_values("noise") != "none"]


def clean(values: pd.Series) -> pd.Series:
    return values[values.index.get_level_values("noise") == "none"]


def interval(values: pd.Series) -> str:
    """Mean over tables and the half-width of its 90% bootstrap interval over tables."""
    by_table = values.groupby(level="table").mean().to_numpy()
    if not by_table.size:
        return ""
    drawn = np.random.default_rng(0).choice(by_table, (2000, by_table.size)).mean(axis=1)
    return f"{by_table.mean():.2f} ± {(np.quantile(drawn, 0.95) - np.quantile(drawn, 0.05)) / 2:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["run", "report"])
    parser.add_argument("--results", type=Path, default=Path("learn-results.jsonl"))
    parser.add_argument("--tables", nargs="*", default=list(TABLES), help=f"Chosen on: {' '.join(CHOICE)}")
    parser.add_argument("--learners", nargs="*", default=["linear", "boosting", "lightgbm", "mlp", "trees"])
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--noise", nargs=2, action="append", metavar=("KIND", "SHARE"), help="Instead of the six.")
    options = parser.parse_args()
    options.noises = [(kind, float(share)) for kind, share in options.noise or NOISES]
    warnings.simplefilter("ignore")
    {"run": run, "report": report}[options.verb](options)


if __name__ == "__main__":
    main()

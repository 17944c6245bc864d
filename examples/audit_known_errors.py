"""Audit the CIFAR-10 test set with the probabilities of a neural network, and compare with what people found.

Five people looked at each of 275 rows that confident learning had picked. Fewer than three of them chose the given
label for 54 of the rows: these count as wrong.

Run from the repository's root: python examples/audit_known_errors.py
"""

import polars as pl
from sklearn.metrics import average_precision_score

import dqlabels

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
WORST = 100

pictures = pl.read_parquet("examples/data/cifar10_test_pred_probs.parquet")
reviewed = pl.read_csv("examples/data/cifar10_test_reviewed.csv").select("row", "is_error")
pictures = pictures.with_columns(label=pl.col("label").replace_strict(dict(enumerate(CLASSES))))
columns = [f"p{k}" for k in range(10)]

print("Among the reviewed rows, sorted by label quality:")
for score in ("normalized_margin", "self_confidence", "confidence_weighted_entropy", "logit_margin"):
    audit = dqlabels.audit(pictures, "label", pred_probs=columns, classes=CLASSES, score=score)
    rows = audit.frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    known = rows.join(reviewed, on="row")
    average_precision = average_precision_score(known["is_error"], 1 - known["label_quality"])
    errors = known.sort("label_quality").head(WORST)["is_error"].sum()
    print(f"{score:27} average precision {average_precision:.3f}, wrong among the {WORST} worst: {errors / WORST:.0%}")
chance = known["is_error"].mean()
print(f"{'in random order':27} average precision {chance:.3f}, wrong among the {WORST} worst: {chance:.0%}")

flagged = known.filter("is_label_issue")
print(f"\n{audit.flagged} of {audit.audited:,} labels are flagged, {flagged.height} of them reviewed, ", end="")
print(f"and {flagged['is_error'].sum()} of the {known['is_error'].sum()} wrong ones are among them.")
print(f"The audit expects {audit.expected_wrong} of them to be wrong: on errors that people made it can be too sure.")
print(audit.confusions.head(5))

print("\nOnly rows that looked suspicious were reviewed, so this is precision among suspects, not recall.")

"""Flip known labels of a Polars frame, audit it, and count how many of them are found.

Run from the repository's root: python examples/audit_polars.py
"""

import polars as pl
from sklearn.datasets import load_breast_cancer

import dqlabels

FLIPPED_SHARE = 0.05

cells = load_breast_cancer()
table = pl.DataFrame(cells.data, schema=[str(name) for name in cells.feature_names])
table = table.with_columns(truth=pl.Series(cells.target).replace_strict({0: "malignant", 1: "benign"}))

flipped = pl.int_range(pl.len()).shuffle(seed=0) < FLIPPED_SHARE * pl.len()
other = pl.when(pl.col("truth") == "benign").then(pl.lit("malignant")).otherwise(pl.lit("benign"))
table = table.with_columns(diagnosis=pl.when(flipped).then(other).otherwise("truth"))

# The audit must not see the truth. A LazyFrame works as well, and comes back as one.
audit = dqlabels.audit(table, "diagnosis", exclude=["truth"])
audited = audit.frame.with_columns(wrong=pl.col("diagnosis") != pl.col("truth"))

print(f"{audited['wrong'].sum()} of {audited.height} labels were flipped. Estimated noise rate: {audit.noise_rate}")
print(
    audited.group_by("diagnosis", "wrong", "is_label_issue")
    .agg(rows=pl.len(), mean_quality=pl.col("label_quality").mean().round(3))
    .sort("wrong", "is_label_issue", "diagnosis", descending=[True, True, False])
)

found = audited.filter("wrong", "is_label_issue").height
print(f"{found} of the {audited['wrong'].sum()} are among the {audit.flagged} flagged.")
for column in ("diagnosis", "suggested_label"):
    print(f"{column}: {(audited[column] == audited['truth']).mean():.1%} right")

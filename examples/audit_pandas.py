"""Audit the labels of a pandas frame: which rows to look at, how much is wrong, and whether to stop on it.

Run from the repository's root: python examples/audit_pandas.py
"""

import pandas as pd

import dqlabels

loans = pd.read_csv("examples/data/german_credit.csv")
audit = loans.labels.report("risk")

print(audit.summary())

print("\nOf the flagged rows, those the model is sure of and those between the classes:")
print(audit.issues["kind"].value_counts().to_string())

print("\nEach class:")
print(audit.classes.round(3).to_string(index=False))

print("\nThe noise rate under two assumptions:")
print(audit.noise_rates()[["method", "estimate", "low", "high"]].round(3).to_string(index=False))

try:
    audit.gate(max_noise_rate=0.01).raise_if_failed()
except dqlabels.LabelNoiseError as error:
    print(f"\nA limit of 1% stops the job:\n{error.result.message.splitlines()[0]}")

# The frame itself is what went in, with three more columns. Read the rows before you take over a suggestion.
audited = audit.frame
sure = audited.loc[audit.issues.query("kind == 'error'")["row"]]
print(f"\n{len(sure)} rows to look at first. The three most suspicious:")
print(sure.head(3)[["purpose", "credit_amount", "risk", "suggested_label", "label_quality"]].to_string())

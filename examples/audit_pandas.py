"""Audit the labels of a pandas frame: which rows to look at, how much is wrong, and whether to stop on it.

Run from the repository's root: python examples/audit_pandas.py
"""

import pandas as pd

import dqlabels

loans = pd.read_csv("examples/data/german_credit.csv")
audit = loans.labels.report("risk")

print(audit.summary())

print("\nOf the flagged rows, those the model is sure of and those between the classes:")
print(audit.issues["how_sure"].value_counts().to_string())

print("\nEach class:")
print(audit.classes.round(3).to_string(index=False))

print("\nThe noise rate under two assumptions:")
print(audit.noise_rates()[["method", "estimate", "low", "high"]].round(3).to_string(index=False))

try:
    audit.gate(max_noise_rate=0.01).raise_if_failed()
except dqlabels.LabelNoiseError as error:
    print(f"\nA limit of 1% stops the job:\n{error.result.message.splitlines()[0]}")

print("\nWrong labels to expect among the rows that you read, worst first:")
print(audit.review_curve.round(2).to_string(index=False))

# Only what is likely wrong: 80% of it on average. Read the rows before you take over a suggestion.
sure = loans.labels.report("risk", min_precision=0.8)
print(f"\n{sure.flagged} rows to look at first, {sure.expected_wrong} of them likely wrong. The three most suspicious:")
print(sure.issues.head(3)[["row", "purpose", "credit_amount", "risk", "suggested_label", "label_quality"]].to_string())

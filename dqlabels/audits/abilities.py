"""What audits can do, and what a kind of label cannot do, each with the reason that the errors give.

:data:`dqlabels.audits.kinds.KINDS` says which reasons are those of a kind. The page docs/kinds.md is made from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: What an audit, or what belongs to it, can do, by the name under which a kind says why it cannot; in words for the
#: documentation.
ABILITIES: Mapping[str, str] = MappingProxyType(
    {
        "pandas": "pandas frames",
        "polars": "Polars frames",
        "pyarrow": "PyArrow tables",
        "lazy": "lazy Polars frames, planned and run when rows are asked for",
        "streams": "lazy Polars frames larger than memory",
        "arrow_streams": "Arrow streams: DuckDB, Ibis, readers",
        "spark": "Spark DataFrames",
        "model": "a model of your own, `model=`",
        "several_models": "several models, `model=[…]`",
        "pred_probs": "probabilities of your own, `pred_probs=`",
        "noise_rate": "`noise_rate`",
        "estimate_noise": "`estimate_noise()` at another confidence",
        "probabilities": "`probabilities` of each row",
        "review_curve": "`review_curve`: wrong rows to expect, with interval",
        "by": "`by(column)`: segments",
        "how_sure": "`how_sure`",
        "gate": "`gate()`",
        "to_html": "`to_html()`: the report",
        "checkup": "`checkup()`",
        "planted_recall": "`planted_recall()`",
        "review": "`review()`: the page",
        "review_sample": "`review_sample()`",
        "review_plan": "`review_plan()`",
        "with_review": "`with_review()`: the reviewed rate",
        "auditor": "`LabelAuditor`, saved and loaded",
        "drift": "`drift` of a batch",
        "monitor": "`LabelMonitor`",
        "spark_batch": "a Spark batch by an auditor: its columns",
        "spark_gate": "a Spark batch by an auditor: gate, drift, monitor",
        "profile": "`profile()`, for `reference=`",
        "command_line": "the command line",
        "great_expectations": "Great Expectations",
        "pandera": "pandera",
    }
)

_ON_WORKERS = (
    "A Spark frame is judged on its workers, for its columns alone. Collect it, or a part of it, where a gate, a drift "
    "or a monitor is wanted."
)
CLASSES: Mapping[str, str] = MappingProxyType({"spark_gate": _ON_WORKERS})

_TREES = (
    "Numbers are judged by trees of our own, out of bag, whose spread says how far right values of each row stray. A "
    "prediction alone does not."
)
_NO_RATE = (
    "Errors within the scatter of right values cannot be counted, so numbers have no noise rate. Use flagged_share and "
    "gate(max_flagged_share=0.01)."
)
_RIGHT_OR_WRONG = (
    "A reviewed rate counts labels that are wrong, and how far off a number must be to be wrong is not said."
)
_RANKED = (
    "The scores of a batch of numbers are ranked among those of the trusted rows at once. Collect the batch, or a part "
    "of it, and audit that."
)
_PROFILE = (
    "A profile holds a noise rate and the shares of classes, and numbers have neither. Fit a LabelAuditor, and audit "
    "what comes later by it."
)
NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "model": _TREES,
        "several_models": _TREES,
        "pred_probs": _TREES,
        "noise_rate": _NO_RATE,
        "estimate_noise": _NO_RATE,
        "probabilities": "A number has no classes. audit.predictions has what to expect of each row, with an interval.",
        "review_curve": "Of flagged values fdr= says which share is right on average, and not how far that may be off. "
        "The report draws the curve without an interval.",
        "by": "Segments are compared by their noise rates, and numbers have none. Group audit.frame by the column, and "
        "take the share of its flags.",
        "checkup": "The check-up is made from classes and their probabilities, and numbers have neither. Say "
        "task='classes' if that is what the column holds.",
        "planted_recall": "Whether a planted error is found depends on how far off it is, and for numbers there is no "
        "usual distance to plant.",
        "review_sample": _RIGHT_OR_WRONG,
        "review_plan": _RIGHT_OR_WRONG,
        "with_review": _RIGHT_OR_WRONG,
        **dict.fromkeys(("spark_batch", "spark_gate"), _RANKED),
        "profile": _PROFILE,
    }
)

_A_MODEL_EACH = (
    "Each tag has a model and thresholds of its own, so a table larger than memory would be read once for each tag and "
    "step. Audit a sample, or each tag as a yes/no column of classes."
)
_ONE_ANSWER = (
    "A reviewed rate counts rows whose label is wrong, and a row of several labels may be wrong in one of them and "
    "right in the others. Review the suspicious rows, or audit a tag as a yes/no column and draw a sample of that."
)
TAGS: Mapping[str, str] = MappingProxyType(
    {
        "streams": _A_MODEL_EACH,
        "spark": _A_MODEL_EACH,
        "spark_batch": _A_MODEL_EACH,
        "spark_gate": _A_MODEL_EACH,
        "checkup": "The check-up is made from classes of which a row has one, and here it may have several. Audit a "
        "tag as a yes/no column to check it.",
        "planted_recall": "An error is planted in one tag at a time, so every tag would be fitted again for each. "
        "Audit a tag as a yes/no column to plant errors in it.",
        **dict.fromkeys(("review_sample", "review_plan", "with_review"), _ONE_ANSWER),
        "profile": "A profile holds one noise rate and the shares of classes of which a row has one, and here it may "
        "have several. Fit a LabelAuditor, and audit what comes later by it.",
    }
)

_ALL_AT_ONCE = (
    "Who is right is found from all labels at once, again and again until nothing changes. Collect the labels: a "
    "million items of a few annotators fit into memory."
)
_OWN_ITEMS = (
    "What is learned is how often each annotator errs, from their labels of the same items. A batch brings items and "
    "labels of its own, so there is nothing to save: audit it by itself."
)
_SETTLED = (
    "Several people have looked at each item already. audit.next_to_label() says which items to show to one more, "
    "and their answers are labels like the others."
)
PEOPLE: Mapping[str, str] = MappingProxyType(
    {
        "streams": _ALL_AT_ONCE,
        "spark": _ALL_AT_ONCE,
        "probabilities": "An item has its labels, and at most a model beside them. audit.consensus has the class that "
        "they give, and how likely it is right.",
        "checkup": "The check-up is made from one label per row, and here a row or an item has several. Say "
        "task='classes' if that is what the column holds.",
        "planted_recall": "Errors are planted to see what a model finds, and here the annotators judge each other.",
        **dict.fromkeys(("review", "review_sample", "review_plan", "with_review"), _SETTLED),
        **dict.fromkeys(("auditor", "drift", "monitor", "spark_batch", "spark_gate", "profile"), _OWN_ITEMS),
    }
)

_SENTENCES_AT_ONCE = (
    "The tokens of all sentences are judged at once, in memory. Audit a sample of the sentences, or explode them into "
    "a table with a row for each token, which streams as classes do."
)
_FOR_A_SENTENCE = (
    "A sentence has a label for each of its tokens, and the page and its answers are one label for each row. Read "
    "audit.token_issues, or whole sentences that audit.review_sample() draws."
)
_SENTENCE_BATCHES = (
    "A tagger reads a sentence as a whole, and an auditor keeps models of single rows. Audit each batch by itself, "
    "with the probabilities of your tagger in a column."
)
SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("streams", "spark"), _SENTENCES_AT_ONCE),
        "checkup": "The check-up is made from one label per row, and here a row has one for each token. Explode the "
        "sentences to check their tokens.",
        "planted_recall": "Wrong labels would be planted in sentences whose tokens are wrong together. Plant them with "
        "dqlabels.testing.corrupt_labels in exploded sentences.",
        **dict.fromkeys(("review", "review_plan", "with_review"), _FOR_A_SENTENCE),
        **dict.fromkeys(("auditor", "drift", "monitor", "spark_batch", "spark_gate", "profile"), _SENTENCE_BATCHES),
        **dict.fromkeys(
            ("great_expectations", "pandera"),
            "A check of a suite counts rows, and a sentence is wrong by its tokens. Gate the audit in the job that "
            "runs the suite: audit.gate(max_noise_rate=0.05).raise_if_failed().",
        ),
    }
)

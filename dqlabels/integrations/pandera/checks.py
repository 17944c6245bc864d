"""The checks. pandera stores a check by the name of its function and its parameters, which are never to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandera.api.checks import Check

from dqlabels.audits.gate import DECIDING
from dqlabels.integrations.pandera.check import LimitCheck, QualityCheck, SegmentCheck
from dqlabels.integrations.pandera.forms import CheckForm
from dqlabels.integrations.sharing import MIN_QUALITY, MOSTLY, check_compared

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from dqlabels.audits.classes.result import LabelAudit
    from dqlabels.integrations.pandera.forms import CheckOptions

NOISE_SETTINGS = ("method", *DECIDING)


@CheckForm("label", "max_noise_rate", NOISE_SETTINGS)
def label_noise_at_most(label: str, max_value: float, **options: Unpack[CheckOptions]) -> Check:
    """Return a check that the noise rate of a label column is at most ``max_value``.

    Checks with the same options of the audit share one audit of a frame.

    Args:
        label: The column that holds the labels.
        max_value: Share of rows, in [0, 1].
        {settings}
        {task}
        {options}
        {pandera}

    Returns:
        A check of the whole frame. Its failure cases are the flagged rows with given label, suggestion and quality.

    Raises:
        OptionError: A limit outside [0, 1], an unknown choice or an unknown option.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[label_noise_at_most("y", 0.05)])
    >>> labels = ["low"] * 50 + ["high"] * 50
    >>> schema.validate(pd.DataFrame({"x": range(100), "y": labels}).astype({"x": float})).shape
    (100, 2)
    """
    return LimitCheck(label_noise_at_most, label, max_value, options)


@CheckForm("label", "max_class_noise_rate", NOISE_SETTINGS, names=1)
def class_label_noise_at_most(
    label: str, max_value: float | Mapping[Any, float] | Sequence[tuple[Any, float]], **options: Unpack[CheckOptions]
) -> Check:
    """Return a check that the noise rate of each class is at most ``max_value``.

    The failure cases are the flagged rows of the classes beyond their limit.

    Args:
        label: The column that holds the labels.
        max_value: One limit for all classes, or limits by class: a mapping or a list of ``(class, limit)``; the list is
            how YAML and JSON hold them.
        {settings}
        {task}
        {options}
        {pandera}

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> mail = pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs})
    >>> check = class_label_noise_at_most("label", {"ham": 0.3}, pred_probs=["ham", "spam"])
    >>> pa.DataFrameSchema(checks=[check]).validate(mail).shape
    (100, 3)
    """
    return LimitCheck(class_label_noise_at_most, label, max_value, options)


@CheckForm("label", "max_segment_noise_rate", names=1)
def segment_label_noise_at_most(
    label: str,
    max_value: float | Mapping[Any, float] | Sequence[tuple[Any, float]],
    *,
    by: str,
    **options: Unpack[CheckOptions],
) -> Check:
    """Return a check that the noise rate of each segment of the frame is at most ``max_value``.

    A segment's rate is drawn towards the frame's as far as chance explains that they differ. The failure cases are the
    flagged rows of the segments beyond their limit.

    Args:
        label: The column that holds the labels.
        max_value: One limit for all segments, or limits by segment: a mapping or a list of ``(segment, limit)``.
        by: The column whose values are the segments, at most 1,000; rows without one are a segment of their own.
        {settings}
        {task}
        {options}
        {pandera}

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> mail = pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, "box": list("abcde") * 20, **probs})
    >>> check = segment_label_noise_at_most("label", 0.3, by="box", pred_probs=["ham", "spam"])
    >>> pa.DataFrameSchema(checks=[check]).validate(mail).shape
    (100, 4)
    """
    return SegmentCheck(segment_label_noise_at_most, label, max_value, options, by=by)


@CheckForm("label", "max_pair_share", names=2)
def label_pair_share_at_most(
    label: str,
    max_value: float | Mapping[tuple[Any, Any], float] | Sequence[tuple[Any, Any, float]],
    **options: Unpack[CheckOptions],
) -> Check:
    """Return a check that at most ``max_value`` of the rows of a class are flagged as one other class.

    The failure cases are the flagged rows of the pairs beyond their limit.

    Args:
        label: The column that holds the labels.
        max_value: One limit for all pairs, or limits by pair: a mapping from ``(given, suggested)`` or a list of
            ``(given, suggested, limit)``; the list is how YAML and JSON hold them.
        {settings}
        {task}
        {options}
        {pandera}

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> mail = pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs})
    >>> check = label_pair_share_at_most("label", {("ham", "spam"): 0.1}, pred_probs=["ham", "spam"])
    >>> pa.DataFrameSchema(checks=[check]).validate(mail).shape
    (100, 3)
    """
    return LimitCheck(label_pair_share_at_most, label, max_value, options)


@CheckForm("label", "max_increase", ("reference", *DECIDING))
def label_noise_increase_at_most(
    label: str,
    max_value: float,
    *,
    reference: LabelAudit | Mapping[str, object] | str | Path | None = None,
    **options: Unpack[CheckOptions],
) -> Check:
    """Return a check that the noise rate has risen by at most ``max_value`` over that of trusted data.

    The trusted data are those that ``auditor=`` was fitted on, or what ``reference=`` says.

    Args:
        label: The column that holds the labels.
        max_value: The largest increase, in [0, 1].
        reference: An audit of trusted data, its ``profile()``, or the path of the JSON file that holds one; the file is
            read when the check runs.
        {settings}
        {task}
        {options}
        {pandera}

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> mail = pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs})
    >>> import dqlabels
    >>> trusted = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> check = label_noise_increase_at_most("label", 0.05, reference=trusted, pred_probs=["ham", "spam"])
    >>> pa.DataFrameSchema(checks=[check]).validate(mail).shape
    (100, 3)
    """
    check_compared(reference, options.get("auditor"))
    stored: object = str(reference) if isinstance(reference, Path) else reference
    if reference is not None and not isinstance(reference, (str, Path, Mapping)):
        stored = reference.profile()
    given = {**options, **({} if stored is None else {"reference": stored})}
    return LimitCheck(label_noise_increase_at_most, label, max_value, given)


@CheckForm("label", "min_quality", ())
def label_quality_at_least(
    label: str, min_value: float = MIN_QUALITY, *, mostly: float = MOSTLY, **options: Unpack[CheckOptions]
) -> Check:
    """Return a check that at least the share ``mostly`` of the labels are right with the probability ``min_value``.

    By default at least 95% of the labels are to be more likely right than not. Where the model disagrees with more than
    a fifth of the labels, try on a table you trust which limits tell it from one with wrong labels.

    Args:
        label: The column that holds the labels; rows without one are not counted.
        min_value: The lowest quality that is good enough: the probability that the label is right, in [0, 1].
        mostly: Share of the audited rows, in [0, 1].
        {task}
        {options}
        {pandera}

    Returns:
        A check of the whole frame. Its failure cases are the rows of lower quality, flagged or not.

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> probs = {"ham": [0.99, 0.98, 0.02, 0.03] * 25, "spam": [0.01, 0.02, 0.98, 0.97] * 25}
    >>> mail = pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs})
    >>> check = label_quality_at_least("label", 0.6, pred_probs=["ham", "spam"])
    >>> pa.DataFrameSchema(checks=[check]).validate(mail).shape
    (100, 3)
    """
    return QualityCheck(label_quality_at_least, label, min_value, options, mostly=mostly)


@CheckForm("value", "max_flagged_share")
def flagged_value_share_at_most(label: str, max_value: float, **options: Unpack[CheckOptions]) -> Check:
    """Return a check that at most ``max_value`` of the numbers in a column are flagged as wrong.

    With ``decide="confident"`` the limit is held against a Wilson interval, as if the table were one of many alike.

    Args:
        label: The column of numbers, dates or durations.
        max_value: Share of the rows with a value, in [0, 1].
        {settings}
        {options}
        {pandera}

    Returns:
        A check of the whole frame. Its failure cases are the flagged rows with the value, the prediction and the
        quality.

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[flagged_value_share_at_most("price", 0.02, fdr=0.05)])
    >>> sizes = [k / 10 for k in range(100)]
    >>> schema.validate(pd.DataFrame({"size": sizes, "price": [300 * k + k % 7 for k in range(100)]})).shape
    (100, 2)
    """
    return LimitCheck(flagged_value_share_at_most, label, max_value, options)


@CheckForm("annotator", "min_agreement")
def annotator_agreement_at_least(
    label: str | Sequence[str], min_value: float, **options: Unpack[CheckOptions]
) -> Check:
    """Return a check that people, systems or extracts agree: Krippendorff's alpha is at least ``min_value``.

    Args:
        label: The label columns, one per annotator; or, in long format (one row per label), the one label column, with
            ``annotator=`` and ``item=``.
        min_value: The lowest alpha, in [0, 1]: 1 where all agree, 0 where they agree as often as chance would.
        {settings}
        {options}
        {pandera}

    Returns:
        A check of the whole frame. Its failure cases are the rows with a label that is not the consensus: the labels
        by column, the consensus and the quality.

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[annotator_agreement_at_least(["ann_1", "ann_2"], 0.6)])
    >>> labels = ["low", "high"] * 50
    >>> schema.validate(pd.DataFrame({"ann_1": labels, "ann_2": [*labels[:98], "high", "low"]})).shape
    (100, 2)
    """
    return LimitCheck(annotator_agreement_at_least, label, min_value, options)


@CheckForm("annotator", "max_noise_rate")
def annotator_noise_at_most(label: str | Sequence[str], max_value: float, **options: Unpack[CheckOptions]) -> Check:
    """Return a check that at most ``max_value`` of the labels that several people, systems or extracts gave are wrong.

    Args:
        label: As for :func:`annotator_agreement_at_least`.
        max_value: Share of the labels, in [0, 1].
        {settings}
        {options}
        {pandera}

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[annotator_noise_at_most(["ann", "bob", "cid"], 0.2)])
    >>> schema.validate(pd.DataFrame({"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")})).shape
    (6, 3)
    """
    return LimitCheck(annotator_noise_at_most, label, max_value, options)


@CheckForm("annotator", "max_annotator_noise_rate", names=1)
def each_annotator_noise_at_most(
    label: str | Sequence[str],
    max_value: float | Mapping[Any, float] | Sequence[tuple[Any, float]],
    **options: Unpack[CheckOptions],
) -> Check:
    """Return a check that at most ``max_value`` of each annotator's labels are wrong.

    The failure cases are the rows where a label by an annotator beyond the limit is not the consensus.

    Args:
        label: As for :func:`annotator_agreement_at_least`.
        max_value: One limit for each annotator, or limits by annotator: a mapping or a list of ``(annotator, limit)``.
        {settings}
        {options}
        {pandera}

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[each_annotator_noise_at_most(["ann", "bob", "cid"], {"ann": 0.1})])
    >>> schema.validate(pd.DataFrame({"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")})).shape
    (6, 3)
    """
    return LimitCheck(each_annotator_noise_at_most, label, max_value, options)


@CheckForm("tag", "max_noise_rate")
def tag_noise_at_most(label: str | Sequence[str], max_value: float, **options: Unpack[CheckOptions]) -> Check:
    """Return a check that at most ``max_value`` of the answers to "does the row have this label?" are wrong.

    Args:
        label: The column that holds a list of labels per row, or one yes/no column per label.
        max_value: Share of the answers over all rows and labels, in [0, 1].
        {settings}
        {options}
        {pandera}

    Returns:
        A check of the whole frame. Its failure cases are the rows with a label that is wrong or missing.

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> probs = {"p_cat": [0.9, 0.9, 0.2, 0.1] * 25, "p_dog": [0.1, 0.8, 0.1, 0.9] * 25}
    >>> photos = pd.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]] * 25, **probs})
    >>> check = tag_noise_at_most("tags", 0.2, pred_probs=["p_cat", "p_dog"], classes=["cat", "dog"])
    >>> pa.DataFrameSchema(checks=[check]).validate(photos).shape
    (100, 3)
    """
    return LimitCheck(tag_noise_at_most, label, max_value, options)


@CheckForm("tag", "max_class_noise_rate", names=1)
def each_tag_noise_at_most(
    label: str | Sequence[str],
    max_value: float | Mapping[Any, float] | Sequence[tuple[Any, float]],
    **options: Unpack[CheckOptions],
) -> Check:
    """Return a check that at most ``max_value`` of the answers to each label are wrong.

    The failure cases are the rows where a label beyond its limit is wrong or missing.

    Args:
        label: As for :func:`tag_noise_at_most`.
        max_value: One limit for all labels, or limits by label: a mapping or a list of ``(label, limit)``.
        {settings}
        {options}
        {pandera}

    Raises:
        OptionError: As for :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> probs = {"p_cat": [0.9, 0.9, 0.2, 0.1] * 25, "p_dog": [0.1, 0.8, 0.1, 0.9] * 25}
    >>> photos = pd.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]] * 25, **probs})
    >>> check = each_tag_noise_at_most("tags", {"dog": 0.3}, pred_probs=["p_cat", "p_dog"], classes=["cat", "dog"])
    >>> pa.DataFrameSchema(checks=[check]).validate(photos).shape
    (100, 3)
    """
    return LimitCheck(each_tag_noise_at_most, label, max_value, options)

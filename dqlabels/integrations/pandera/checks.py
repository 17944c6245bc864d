"""The checks. pandera stores a check by the name of its function, which is never to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandera.api.checks import Check

from dqlabels.audits.gate import Decide, OnInconclusive
from dqlabels.integrations.pandera.check import GateCheck, QualityCheck, as_listed, check_share

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from dqlabels.integrations.pandera.check import (
        AnnotatorCheckOptions,
        CheckOptions,
        TagCheckOptions,
        ValueCheckOptions,
    )


def label_noise_at_most(
    label: str,
    max_value: float,
    *,
    method: str | None = None,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the noise rate of a label column is at most ``max_value``.

    Args:
        label: The column that holds the labels.
        max_value: Share of rows, in [0, 1].
        method: Of the noise rate; default that of ``LabelAudit.noise_rate``.
        decide: Hold the ``"estimate"`` against the limit, or, with ``"confident"``, its interval.
        on_inconclusive: ``"warn"``, ``"fail"`` or ``"pass"`` where the interval holds the limit.
        options: Of :func:`dqlabels.audit`, by name (``task="ordinal"`` for grades), and pandera's own ``name``,
            ``error`` (in place of the gate's message), ``title``, ``description``, ``raise_warning`` and
            ``n_failure_cases``. Checks with the same options of the audit share one audit of a frame.

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
    limits = {"max_noise_rate": check_share("max_value", max_value)}
    gate = {"method": method, "decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(label_noise_at_most, label, max_value, limits, gate, options)


def class_label_noise_at_most(
    label: str,
    max_value: float | Mapping[Any, float] | list[tuple[Any, float]],
    *,
    method: str | None = None,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the noise rate of each class is at most ``max_value``: one limit for all, or a limit by class.

    Limits by class are a mapping or a list of ``(class, limit)``; the list is how YAML and JSON hold them. The failure
    cases are the flagged rows of the classes beyond their limit. All else is as in :func:`label_noise_at_most`.

    Raises:
        OptionError: As there.
    """
    listed = as_listed(max_value, 2)
    limits = {"max_class_noise_rate": dict(listed) if isinstance(listed, list) else listed}
    gate = {"method": method, "decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(class_label_noise_at_most, label, listed, limits, gate, options)


def label_pair_share_at_most(
    label: str,
    max_value: float | Mapping[tuple[Any, Any], float] | list[tuple[Any, Any, float]],
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that at most ``max_value`` of the rows of a class are flagged as one other class.

    Limits by pair are a mapping from ``(given, suggested)`` or a list of ``(given, suggested, limit)``; the list is
    how YAML and JSON hold them. The failure cases are the flagged rows of the pairs beyond their limit. All else is as
    in :func:`label_noise_at_most`.

    Raises:
        OptionError: As there.
    """
    listed = as_listed(max_value, 3)
    pairs = {(given, suggested): limit for given, suggested, limit in listed} if isinstance(listed, list) else listed
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(label_pair_share_at_most, label, listed, {"max_pair_share": pairs}, gate, options)


def label_noise_increase_at_most(
    label: str,
    max_value: float,
    *,
    reference: Any,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the noise rate has risen by at most ``max_value`` since ``reference``.

    Args:
        label: The column that holds the labels.
        max_value: Of the increase, in [0, 1].
        reference: An audit of trusted data, its ``profile()``, or the path of the JSON file that holds one; the file is
            read when the check runs.
        decide: As in :func:`label_noise_at_most`.
        on_inconclusive: As there.
        options: As there.

    Raises:
        OptionError: As there.
    """
    if hasattr(reference, "profile"):
        reference = reference.profile()
    elif isinstance(reference, Path):
        reference = str(reference)
    limits = {"max_increase": check_share("max_value", max_value)}
    gate = {"reference": reference, "decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(label_noise_increase_at_most, label, max_value, limits, gate, options)


def label_quality_at_least(
    label: str,
    min_value: float,
    *,
    mostly: float = 1.0,
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the labels of at least the share ``mostly`` of the rows have a quality of at least ``min_value``.

    Args:
        label: The column that holds the labels; rows without one are not counted.
        min_value: Of the label quality, in [0, 1].
        mostly: Share of the audited rows, in [0, 1].
        options: As in :func:`label_noise_at_most`.

    Returns:
        A check of the whole frame. Its failure cases are the rows of lower quality, flagged or not.

    Raises:
        OptionError: As there.
    """
    limits = {"min_value": check_share("min_value", min_value)}
    gate = {"mostly": check_share("mostly", mostly)}
    return QualityCheck(label_quality_at_least, label, min_value, limits, gate, options)


def flagged_value_share_at_most(
    label: str,
    max_value: float,
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[ValueCheckOptions],
) -> Check:
    """A check that at most ``max_value`` of the numbers in a column are flagged as wrong.

    Args:
        label: The column of numbers, dates or durations.
        max_value: Share of the rows with a value, in [0, 1].
        decide: As in :func:`label_noise_at_most`; the interval is Wilson's, of a table that is one of many alike.
        on_inconclusive: As there.
        options: As there, but those of classes; ``fdr=`` is the false-discovery rate of the flags, 0.10 unless given.

    Returns:
        A check of the whole frame. Its failure cases are the flagged rows with the value, the prediction and the
        quality.

    Raises:
        OptionError: As there.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[flagged_value_share_at_most("price", 0.02, fdr=0.05)])
    >>> sizes = [k / 10 for k in range(100)]
    >>> schema.validate(pd.DataFrame({"size": sizes, "price": [300 * k + k % 7 for k in range(100)]})).shape
    (100, 2)
    """
    limits = {"max_flagged_share": check_share("max_value", max_value)}
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(flagged_value_share_at_most, label, max_value, limits, gate, options, task="regression")


def annotator_agreement_at_least(
    label: str | Sequence[str],
    min_value: float,
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[AnnotatorCheckOptions],
) -> Check:
    """A check that annotators, systems or extracts agree: Krippendorff's alpha is at least ``min_value``.

    Args:
        label: The label columns, one an annotator; or the one column of a frame with a row a label, with
            ``annotator=`` and ``item=``.
        min_value: Of alpha, in [0, 1]: 1 where all agree, 0 where they agree as often as chance would.
        decide: Hold the ``"estimate"`` against the limit, or, with ``"confident"``, its interval.
        on_inconclusive: ``"warn"``, ``"fail"`` or ``"pass"`` where the interval holds the limit.
        options: As in :func:`label_noise_at_most`, but for the rules and scores of classes; and ``consensus=``.

    Returns:
        A check of the whole frame. Its failure cases are the rows with a label that is not the consensus: the labels
        by column, the consensus and the quality.

    Raises:
        OptionError: As in :func:`label_noise_at_most`.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[annotator_agreement_at_least(["ann_1", "ann_2"], 0.6)])
    >>> labels = ["low", "high"] * 50
    >>> schema.validate(pd.DataFrame({"ann_1": labels, "ann_2": [*labels[:98], "high", "low"]})).shape
    (100, 2)
    """
    limits = {"min_agreement": check_share("min_value", min_value)}
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(annotator_agreement_at_least, label, min_value, limits, gate, options, task="annotators")


def annotator_noise_at_most(
    label: str | Sequence[str],
    max_value: float,
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[AnnotatorCheckOptions],
) -> Check:
    """A check that at most ``max_value`` of the labels that several annotators gave are wrong.

    All else is as in :func:`annotator_agreement_at_least`.

    Raises:
        OptionError: As there.
    """
    limits = {"max_noise_rate": check_share("max_value", max_value)}
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(annotator_noise_at_most, label, max_value, limits, gate, options, task="annotators")


def each_annotator_noise_at_most(
    label: str | Sequence[str],
    max_value: float | Mapping[Any, float] | list[tuple[Any, float]],
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[AnnotatorCheckOptions],
) -> Check:
    """A check that of each annotator's labels at most ``max_value`` are wrong: one limit for all, or one by annotator.

    Limits by annotator are a mapping or a list of ``(annotator, limit)``. The failure cases are the rows where a label
    by an annotator beyond the limit is not the consensus. All else is as in :func:`annotator_agreement_at_least`.

    Raises:
        OptionError: As there.
    """
    listed = as_listed(max_value, 2)
    limits = {"max_annotator_noise_rate": dict(listed) if isinstance(listed, list) else listed}
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(each_annotator_noise_at_most, label, listed, limits, gate, options, task="annotators")


def tag_noise_at_most(
    label: str | Sequence[str],
    max_value: float,
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[TagCheckOptions],
) -> Check:
    """A check that at most ``max_value`` of the answers to "has the row this label?" are wrong.

    Args:
        label: The column that holds a list of labels a row, or the yes/no columns, one a label.
        max_value: Share of the answers over all rows and labels, in [0, 1].
        decide: As in :func:`label_noise_at_most`.
        on_inconclusive: As there.
        options: As there.

    Returns:
        A check of the whole frame. Its failure cases are the rows with a label that is wrong or missing.

    Raises:
        OptionError: As there.
    """
    limits = {"max_noise_rate": check_share("max_value", max_value)}
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(tag_noise_at_most, label, max_value, limits, gate, options, task="multilabel")


def each_tag_noise_at_most(
    label: str | Sequence[str],
    max_value: float | Mapping[Any, float] | list[tuple[Any, float]],
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[TagCheckOptions],
) -> Check:
    """A check that of the answers to each label at most ``max_value`` are wrong: one limit for all, or one by label.

    Limits by label are a mapping or a list of ``(label, limit)``. The failure cases are the rows where a label beyond
    its limit is wrong or missing. All else is as in :func:`tag_noise_at_most`.

    Raises:
        OptionError: As there.
    """
    listed = as_listed(max_value, 2)
    limits = {"max_class_noise_rate": dict(listed) if isinstance(listed, list) else listed}
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(each_tag_noise_at_most, label, listed, limits, gate, options, task="multilabel")


# Not by register_check_method: the checks it makes answer with a Boolean, and have no room for the gate's message.
Check.REGISTERED_CUSTOM_CHECKS.update(
    {
        made.__name__: made
        for made in (
            label_noise_at_most,
            class_label_noise_at_most,
            label_pair_share_at_most,
            label_noise_increase_at_most,
            label_quality_at_least,
            flagged_value_share_at_most,
            annotator_agreement_at_least,
            annotator_noise_at_most,
            each_annotator_noise_at_most,
            tag_noise_at_most,
            each_tag_noise_at_most,
        )
    }
)

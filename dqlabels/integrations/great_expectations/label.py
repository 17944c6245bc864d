"""Expectations on one class per row. Great Expectations stores them by class name, which is never to change."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from great_expectations.compatibility import pydantic

from dqlabels.errors import OptionError
from dqlabels.integrations.great_expectations.base import Answer, AuditExpectation, GateExpectation
from dqlabels.integrations.great_expectations.fields import Parameter, is_parameter, limits_by_part, stored_options
from dqlabels.integrations.great_expectations.rendering import Sentence, number, percent, text_or_parameter
from dqlabels.integrations.great_expectations.tables import Table, count, share, shown
from dqlabels.integrations.sharing import MIN_QUALITY, MOSTLY, SUBJECTS, check_compared
from dqlabels.noise.methods import METHODS
from dqlabels.report.text import quality_meaning

if TYPE_CHECKING:
    from dqlabels.audits.base import Audit, AuditedRows
    from dqlabels.audits.gate import GateResult
    from dqlabels.integrations.great_expectations.results import Fields


class LabelExpectation(AuditExpectation, ABC):
    """Fields of the expectations on one class per row."""

    column: pydantic.StrictStr = pydantic.Field(min_length=1, description="The column that holds the labels.")

    about: ClassVar[str] = "label"
    estimators: ClassVar[tuple[str, ...]] = ("default", *METHODS)
    args_keys: ClassVar[tuple[str, ...]] = ("column", "max_value")
    tables: ClassVar[Mapping[str, Table]] = {
        "classes": Table(
            "Worst classes",
            {
                "Label": shown("class"),
                "Rows": count("rows"),
                "Flagged": count("flagged"),
                "Estimated wrong": share("noise_rate"),
            },
        ),
        "confusions": Table(
            "Commonest confusions",
            {
                "Given": shown("given"),
                "Suggested": shown("suggested"),
                "Rows": count("rows"),
                "Share of the class": share("share"),
            },
        ),
    }

    @pydantic.root_validator(skip_on_failure=True)
    def _settled(cls, values: Fields) -> Fields:
        """Refuse what was settled when the auditor was fitted."""
        given = {name: values.get(name) for name in stored_options(cls.about)}
        known = {name: value for name, value in given.items() if value is not None and not is_parameter(value)}
        SUBJECTS[cls.about].check(known)
        return values


class ExpectLabelNoiseRateToBeAtMost(LabelExpectation, GateExpectation):
    """Expect the share of wrong labels in a column to be at most a limit.

    The batch is audited by a model that does not see the row it judges; the estimated share of wrong labels is held
    against the limit. Expectations that differ in their limits alone share one audit.

    Args:
        column: The column that holds the labels.
        max_value: The largest share of the rows with a label that may be wrong, in [0, 1]: 0.05 for 5%.

    Options:
        - The options of ``dqlabels.audit`` for such a column, under the same names; columns are given by name.
        - auditor: Path of a saved auditor to judge by; nothing is trained then, and the options that fit are refused.
        - method: The estimator of the rate and its version, as in ``"variational/2"``; by default ``"default/2"``.
        - decide: ``"estimate"``, or ``"confident"``: fail only when the whole interval exceeds the limit.
        - on_inconclusive: What an undecided ``"confident"`` does: ``"warn"`` and pass, ``"fail"`` or ``"pass"``.
        - row_condition: Rows to audit, as ``Column("split") == "train"``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> batch = pandas.read_dataframe(pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs}))
    >>> expectation = ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.2, pred_probs=["ham", "spam"])
    >>> batch.validate(expectation).success
    True
    """

    max_value: float | Parameter = pydantic.Field(
        description="The largest share of the rows with a label that may be wrong: 0.05 for 5%."
    )

    limit: ClassVar[str] = "max_noise_rate"
    sentence: ClassVar[str] = "at most $limit of the labels may be wrong"
    open_tables: ClassVar[tuple[str, ...]] = ("classes", "confusions", "rows")


class ExpectClassLabelNoiseRatesToBeAtMost(LabelExpectation, GateExpectation):
    """Expect the share of wrong labels among the rows given each class to be at most a limit.

    Args:
        column: The column that holds the labels.
        max_value: The largest share of the rows given any class that may be wrong, in [0, 1]; or limits by class, as
            ``{"fraud": 0.02, "other": 0.1}``, where classes that are not named have none.

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> batch = pandas.read_dataframe(pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs}))
    >>> limits = {"ham": 0.3, "spam": 0.3}
    >>> expectation = ExpectClassLabelNoiseRatesToBeAtMost(column="label", max_value=limits, pred_probs=["ham", "spam"])
    >>> batch.validate(expectation).success
    True
    """

    max_value: float | Parameter = pydantic.Field(
        description="The largest share of a class's rows that may be wrong; or a share by class."
    )

    limit: ClassVar[str] = "max_class_noise_rate"
    part: ClassVar[str] = "class"
    sentence: ClassVar[str] = "at most $limit of the labels of any class may be wrong"
    sentence_by_part: ClassVar[str] = "at most $limits may be wrong"
    of_part: ClassVar[str] = "of those labelled"
    open_tables: ClassVar[tuple[str, ...]] = ("classes",)


class ExpectSegmentLabelNoiseRatesToBeAtMost(LabelExpectation, GateExpectation):
    """Expect the share of wrong labels in each segment of the table to be at most a limit.

    A segment's rate is drawn towards the table's as far as chance explains that they differ, and fails where it exceeds
    the limit beyond what chance gives over all segments together.

    Args:
        column: The column that holds the labels.
        by: The column whose values are the segments, at most 1,000; rows without one are a segment of their own.
        max_value: The largest share of any segment's labels that may be wrong, in [0, 1]; or limits by segment, as
            ``{"north": 0.02, "south": 0.1}``, where segments that are not named have none.

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> mail = pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, "box": list("abcde") * 20, **probs})
    >>> options = {"column": "label", "pred_probs": ["ham", "spam"]}
    >>> expectation = ExpectSegmentLabelNoiseRatesToBeAtMost(by="box", max_value=0.3, **options)
    >>> pandas.read_dataframe(mail).validate(expectation).success
    True
    """

    by: pydantic.StrictStr = pydantic.Field(min_length=1, description="The column whose values are the segments.")
    max_value: float | Parameter = pydantic.Field(
        description="The largest share of any segment's labels that may be wrong; or a share by segment."
    )

    limit: ClassVar[str] = "max_segment_noise_rate"
    part: ClassVar[str] = "segment"
    args_keys: ClassVar[tuple[str, ...]] = ("column", "by", "max_value")
    sentence: ClassVar[str] = "at most $limit of the labels of any segment may be wrong"
    sentence_by_part: ClassVar[str] = "at most $limits may be wrong"
    of_part: ClassVar[str] = "of those in segment"
    open_tables: ClassVar[tuple[str, ...]] = ("rows",)

    def _gate(self, audit: Audit, options: Fields) -> GateResult:
        limit = limits_by_part(self.max_value, audit.segments(self.by).values)
        return audit.gate(max_segment_noise_rate=limit, by=self.by, **options)


class ExpectLabelNoiseIncreaseToBeAtMost(LabelExpectation, GateExpectation):
    """Expect the share of wrong labels to exceed that of trusted data by at most a limit.

    The bias of an estimate from one label per row cancels in the difference, so where you have data to trust this is
    steadier than a limit on the rate itself.

    Args:
        column: The column that holds the labels.
        reference: Path of what was kept of the trusted data: the JSON of ``audit.profile()``. A relative path
            is taken from the directory where the validation runs.
        auditor: Instead of it, the path of a saved auditor: it judges the batch, and the increase is one over the data
            it was fitted on.
        max_value: How far the rate may lie above, a share in [0, 1]: 0.02 for two percentage points.

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``; the estimator is always ``"reference"``.

    >>> import dqlabels, great_expectations as gx, json, pandas as pd, pathlib, tempfile
    >>> probs = {"ham": [0.9, 0.8, 0.2, 0.3] * 25, "spam": [0.1, 0.2, 0.8, 0.7] * 25}
    >>> mail = pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs})
    >>> profile = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"]).profile()
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "trusted.json")
    >>> _ = path.write_text(json.dumps(profile))
    >>> expectation = ExpectLabelNoiseIncreaseToBeAtMost(
    ...     column="label", reference=str(path), max_value=0.1, pred_probs=["ham", "spam"]
    ... )
    >>> batch = gx.get_context(mode="ephemeral").data_sources.pandas_default.read_dataframe(mail)
    >>> batch.validate(expectation).success
    True
    >>> folder.cleanup()
    """

    reference: str | Parameter | None = pydantic.Field(
        default=None, description="Path of the profile of trusted data, where no auditor= knows it."
    )
    max_value: float | Parameter = pydantic.Field(
        description="How far the noise rate may lie above that of the trusted data: 0.02 for two points."
    )

    limit: ClassVar[str] = "max_increase"
    args_keys: ClassVar[tuple[str, ...]] = ("column", "reference", "max_value")
    open_tables: ClassVar[tuple[str, ...]] = ("confusions",)

    @pydantic.root_validator(skip_on_failure=True)
    def _compared(cls, values: Fields) -> Fields:
        """Ask for one thing to compare with."""
        check_compared(values.get("reference"), values.get("auditor"))
        return values

    def _gate(self, audit: Audit, options: Fields) -> GateResult:
        try:
            # By that estimator the message has the assumption that matters here.
            return super()._gate(audit, options | {"reference": self.reference, "method": "reference"})
        except OSError as error:
            raise OptionError(
                f"reference={self.reference!r} cannot be read: {error.strerror or error}. Pass the path of the JSON "
                "of audit.profile() of trusted data; a relative path is taken from the working directory."
            ) from error

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, object]) -> Sentence:
        reference, auditor = kwargs.get("reference"), kwargs.get("auditor")
        trusted = "$reference" if auditor is None else "the data that $reference was fitted on"
        return Sentence(
            f"the share of wrong labels may lie at most $limit above that of {trusted}",
            {
                "limit": percent(kwargs.get("max_value"), " percentage points"),
                "reference": text_or_parameter(reference if auditor is None else auditor),
            },
        )


class ExpectLabelQualityToBeAtLeast(LabelExpectation):
    """Expect most labels to be right with at least some probability, by default to be more likely right than not.

    Args:
        column: The column that holds the labels.
        min_value: The lowest quality that is good enough: the probability that the label is right, in [0, 1].
        mostly: The share of the rows with a label that must reach it, in [0, 1].

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``, but for ``decide`` and ``on_inconclusive``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> probs = {"ham": [0.99, 0.98, 0.02, 0.03] * 25, "spam": [0.01, 0.02, 0.98, 0.97] * 25}
    >>> batch = pandas.read_dataframe(pd.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 25, **probs}))
    >>> expectation = ExpectLabelQualityToBeAtLeast(column="label", min_value=0.6, pred_probs=["ham", "spam"])
    >>> batch.validate(expectation).success
    True
    """

    min_value: float | Parameter = pydantic.Field(
        default=MIN_QUALITY, description="The lowest probability of being right that is good enough, in [0, 1]."
    )
    mostly: float | Parameter = pydantic.Field(
        default=MOSTLY, description="The share of the rows with a label that must reach it."
    )

    args_keys: ClassVar[tuple[str, ...]] = ("column", "min_value", "mostly")
    open_tables: ClassVar[tuple[str, ...]] = ("rows",)

    def _judge(self, audit: Audit, rows: AuditedRows, method: str | None) -> Answer:
        least, mostly = float(self.min_value), float(self.mostly)  # type: ignore[arg-type]
        below = rows.quality < least
        count = int(below.sum())
        reached = 1 - count / audit.audited
        # As in the core's map expectations: a share that equals ``mostly`` is enough.
        success = (audit.audited - count) / audit.audited >= mostly
        message = (
            f"{'PASS' if success else 'FAIL'}: {reached:.1%} of {audit.audited:,} labels have a quality of at least "
            f"{least:g}, and {mostly:.1%} {'were' if success else 'are'} needed. Quality is "
            f"{quality_meaning(audit.settings)}."
        )
        facts: Fields = {
            "headline": message,
            "message": message,
            "verdict": "pass" if success else "fail",
            "observed": f"{reached:.1%} of the labels",
            "min_value": least,
            "mostly": mostly,
        }
        return Answer(success, None, facts, below, f"have a quality below {least:g}")

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, object]) -> Sentence:
        mostly = kwargs.get("mostly", MOSTLY)
        params = {"least": number(kwargs.get("min_value", MIN_QUALITY))}
        if mostly == 1.0:
            return Sentence("every label must have a quality of at least $least", params)
        return Sentence(
            "at least $mostly of the labels must have a quality of at least $least",
            {**params, "mostly": percent(mostly)},
        )

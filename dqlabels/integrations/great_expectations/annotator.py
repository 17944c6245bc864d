"""Expectations on the labels of several annotators. Great Expectations stores them by class name: never rename."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

from great_expectations.compatibility import pydantic

from dqlabels.integrations.great_expectations.base import GateExpectation
from dqlabels.integrations.great_expectations.fields import Parameter
from dqlabels.integrations.great_expectations.results import Fields
from dqlabels.integrations.great_expectations.tables import Table, count, share, shown


class AnnotatorExpectation(GateExpectation, ABC):
    """Fields of the expectations on the labels that several annotators, systems or extracts gave to the same rows."""

    column_list: list[pydantic.StrictStr] | None = pydantic.Field(
        default=None, description="The label columns, one per annotator."
    )
    column: pydantic.StrictStr | None = pydantic.Field(
        default=None, min_length=1, description="Long format (one row per label): the column that holds the labels."
    )

    about: ClassVar[str] = "annotator"
    args_keys: ClassVar[tuple[str, ...]] = ("column_list", "max_value")
    counted: ClassVar[str] = "hold a label that is not the consensus"
    tables: ClassVar[Mapping[str, Table]] = {
        "annotators": Table(
            "Annotators",
            {
                "Annotator": shown("annotator"),
                "Labels": count("labels"),
                "Are the consensus": share("agreement_with_consensus"),
                "Estimated wrong": share("noise_rate"),
                "Most often wrong": shown("worst_class"),
            },
        )
    }
    open_tables: ClassVar[tuple[str, ...]] = ("annotators", "rows")

    @pydantic.root_validator(skip_on_failure=True)
    def _one_form(cls, values: Fields) -> Fields:
        columns, column = values.get("column_list"), values.get("column")
        long = [name for name in ("annotator", "item") if values.get(name) is not None]
        if columns is None and column is None:
            raise ValueError(
                "Name the label columns, one per annotator, in column_list; or column, annotator and item."
            )
        if columns is not None and (column is not None or long):
            raise ValueError(
                f"column_list names one column per annotator, and {(long or ['column'])[0]} is for one row per label. "
                "Give one or the other."
            )
        if columns is not None and len(set(columns)) < max(len(columns), 2):
            raise ValueError(f"column_list={columns!r} must name two or more different columns, one per annotator.")
        if columns is None and len(long) < 2:
            raise ValueError(
                f"column={column!r} holds one label per row: annotator and item must name the columns that say who "
                "gave it, and to what."
            )
        return values


class ExpectAnnotatorAgreementToBeAtLeast(AnnotatorExpectation):
    """Expect several annotators, systems or extracts to agree: Krippendorff's alpha of at least a limit.

    Args:
        column_list: The label columns, one per annotator.
        min_value: The lowest alpha, in [0, 1]: 1 where all agree, 0 where they agree as often as chance would.

    Options:
        - column, annotator, item: In place of column_list, in long format (one row per label): the columns of the
          label, of who gave it, and of what was labelled.
        - The other options of ``dqlabels.audit`` for such columns, under the same names; columns are given by name.
        - method: The version of the estimates, ``"default/2"``.
        - decide, on_inconclusive and row_condition: As in ``ExpectLabelNoiseRateToBeAtMost``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> batch = pandas.read_dataframe(pd.DataFrame({"ann": list("aabbab"), "bob": list("aabbab")}))
    >>> expectation = ExpectAnnotatorAgreementToBeAtLeast(column_list=["ann", "bob"], min_value=0.8)
    >>> batch.validate(expectation).success
    True
    """

    min_value: float | Parameter = pydantic.Field(description="The lowest Krippendorff's alpha, in [0, 1].")

    limit: ClassVar[str] = "min_agreement"
    sentence: ClassVar[str] = "the annotators must agree with a Krippendorff's alpha of at least $limit"
    args_keys: ClassVar[tuple[str, ...]] = ("column_list", "min_value")
    beyond: ClassVar[str] = "below"


class ExpectAnnotatorNoiseRateToBeAtMost(AnnotatorExpectation):
    """Expect the share of wrong labels, among all that several annotators gave, to be at most a limit.

    Args:
        column_list: The label columns, one per annotator.
        max_value: The largest share of the labels that may be wrong, in [0, 1]: 0.05 for 5%.

    Options:
        As in ``ExpectAnnotatorAgreementToBeAtLeast``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> votes = pd.DataFrame({"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")})
    >>> expectation = ExpectAnnotatorNoiseRateToBeAtMost(column_list=["ann", "bob", "cid"], max_value=0.2)
    >>> pandas.read_dataframe(votes).validate(expectation).success
    True
    """

    max_value: float | Parameter = pydantic.Field(
        description="The largest share of all given labels that may be wrong: 0.05 for 5%."
    )

    limit: ClassVar[str] = "max_noise_rate"
    sentence: ClassVar[str] = "at most $limit of the annotators' labels may be wrong"


class ExpectEachAnnotatorNoiseRateToBeAtMost(AnnotatorExpectation):
    """Expect the share of wrong labels of each annotator to be at most a limit.

    Args:
        column_list: The label columns, one per annotator.
        max_value: The largest share of any annotator's labels that may be wrong, in [0, 1]; or limits by annotator, as
            ``{"agency": 0.1}``, where annotators that are not named have none.

    Options:
        As in ``ExpectAnnotatorAgreementToBeAtLeast``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> votes = pd.DataFrame({"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")})
    >>> expectation = ExpectEachAnnotatorNoiseRateToBeAtMost(column_list=["ann", "bob", "cid"], max_value={"ann": 0.1})
    >>> pandas.read_dataframe(votes).validate(expectation).success
    True
    """

    max_value: float | Parameter = pydantic.Field(
        description="The largest share of any annotator's labels that may be wrong; or a share by annotator."
    )

    limit: ClassVar[str] = "max_annotator_noise_rate"
    part: ClassVar[str] = "annotator"
    sentence: ClassVar[str] = "at most $limit of the labels of any annotator may be wrong"
    sentence_by_part: ClassVar[str] = "at most $limits may be wrong"
    of_part: ClassVar[str] = "of the labels of"

"""Expectations on several labels per row. Great Expectations stores them by class name, which is never to change."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

from great_expectations.compatibility import pydantic

from dqlabels.integrations.great_expectations.base import GateExpectation
from dqlabels.integrations.great_expectations.fields import Parameter
from dqlabels.integrations.great_expectations.results import Fields
from dqlabels.integrations.great_expectations.tables import Table, count, share, shown


class TagExpectation(GateExpectation, ABC):
    """Fields of the expectations on labels of which a row may have several, or none."""

    column: pydantic.StrictStr | None = pydantic.Field(
        default=None, min_length=1, description="The column that holds a list of labels per row."
    )
    column_list: list[pydantic.StrictStr] | None = pydantic.Field(
        default=None, description="Or one yes/no column per label."
    )

    about: ClassVar[str] = "tag"
    args_keys: ClassVar[tuple[str, ...]] = ("column", "max_value")
    counted: ClassVar[str] = "hold a label that is wrong, or lack one"
    tables: ClassVar[Mapping[str, Table]] = {
        "tags": Table(
            "Labels",
            {
                "Label": shown("label"),
                "Rows with it": count("rows"),
                "Wrong": count("wrong"),
                "Missing": count("missing"),
                "Estimated wrong": share("noise_rate"),
            },
        )
    }
    open_tables: ClassVar[tuple[str, ...]] = ("tags", "rows")

    @pydantic.root_validator(skip_on_failure=True)
    def _one_form(cls, values: Fields) -> Fields:
        columns = values.get("column_list")
        if (columns is None) == (values.get("column") is None):
            raise ValueError(
                "Name the column of lists in column, or the yes/no columns in column_list: one or the other."
            )
        if columns is not None and len(set(columns)) < max(len(columns), 2):
            raise ValueError(f"column_list={columns!r} must name two or more different columns, one per label.")
        return values


class ExpectTagNoiseRateToBeAtMost(TagExpectation):
    """Expect the share of wrong answers to "does the row have this label?" to be at most a limit.

    Args:
        column: The column that holds a list of labels per row.
        column_list: Instead, one yes/no column per label.
        max_value: The largest share of the answers, over all rows and labels, that may be wrong, in [0, 1].

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``, but for ``task``; ``method`` is always ``"default/2"``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> probs = {"p_cat": [0.9, 0.9, 0.2, 0.1] * 25, "p_dog": [0.1, 0.8, 0.1, 0.9] * 25}
    >>> batch = pandas.read_dataframe(pd.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]] * 25, **probs}))
    >>> judged = {"pred_probs": ["p_cat", "p_dog"], "classes": ["cat", "dog"]}
    >>> batch.validate(ExpectTagNoiseRateToBeAtMost(column="tags", max_value=0.2, **judged)).success
    True
    """

    max_value: float | Parameter = pydantic.Field(
        description="The largest share of answers, over all rows and labels, that may be wrong: 0.02 for 2%."
    )

    limit: ClassVar[str] = "max_noise_rate"
    sentence: ClassVar[str] = "at most $limit of the labels, over all rows, may be wrong or missing"


class ExpectEachTagNoiseRateToBeAtMost(TagExpectation):
    """Expect the share of rows where a label is wrong or missing to be at most a limit, label by label.

    Args:
        column: The column that holds a list of labels per row.
        column_list: Instead, one yes/no column per label.
        max_value: The largest share of the rows where any one label may be wrong or missing, in [0, 1]; or limits by
            label, as ``{"billing": 0.02}``, where labels that are not named have none.

    Options:
        As in ``ExpectTagNoiseRateToBeAtMost``.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> probs = {"p_cat": [0.9, 0.9, 0.2, 0.1] * 25, "p_dog": [0.1, 0.8, 0.1, 0.9] * 25}
    >>> batch = pandas.read_dataframe(pd.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]] * 25, **probs}))
    >>> judged = {"pred_probs": ["p_cat", "p_dog"], "classes": ["cat", "dog"]}
    >>> batch.validate(ExpectEachTagNoiseRateToBeAtMost(column="tags", max_value={"dog": 0.3}, **judged)).success
    True
    """

    max_value: float | Parameter = pydantic.Field(
        description="The largest share of rows where a label may be wrong or missing; or a share by label."
    )

    limit: ClassVar[str] = "max_class_noise_rate"
    part: ClassVar[str] = "label"
    sentence: ClassVar[str] = "any label may be wrong or missing in at most $limit of the rows"
    sentence_by_part: ClassVar[str] = "at most $limits may be wrong or missing"
    of_part: ClassVar[str] = "of the answers to"

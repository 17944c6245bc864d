"""The expectation on numbers. Great Expectations stores it by class name, which is never to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from great_expectations.compatibility import pydantic

from dqlabels.audits.options import DEFAULTS
from dqlabels.integrations.great_expectations.base import GateExpectation
from dqlabels.integrations.great_expectations.fields import Parameter
from dqlabels.integrations.great_expectations.rendering import Sentence, percent


class ExpectFlaggedValueShareToBeAtMost(GateExpectation):
    """Expect the share of values that are flagged as wrong to be at most a limit.

    Each number, date or duration is held against what the other columns predict for it, by a model that did not see
    it; those too far off are flagged at a false-discovery rate. Numbers have no noise rate that could be estimated, so
    the limit is on the flagged share.

    Args:
        column: The column of numbers, dates or durations.
        max_value: The largest share of the rows with a value that may be flagged, in [0, 1]: 0.02 for 2%.
        fdr: The share of right values that is expected among the flagged, in (0, 1).

    Options:
        - The options of ``dqlabels.audit`` for such a column, under the same names; columns are given by name.
        - method: The version of the way to flag, ``"default/2"``.
        - decide, on_inconclusive and row_condition: As in ``ExpectLabelNoiseRateToBeAtMost``; the interval is made as
          if the table were one of many alike.

    >>> import great_expectations as gx, pandas as pd
    >>> pandas = gx.get_context(mode="ephemeral").data_sources.pandas_default
    >>> prices = [300 * at + at % 7 for at in range(100)]
    >>> homes = pd.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
    >>> expectation = ExpectFlaggedValueShareToBeAtMost(column="price", max_value=0.02)
    >>> pandas.read_dataframe(homes).validate(expectation).success
    True
    """

    column: pydantic.StrictStr = pydantic.Field(min_length=1, description="The column of numbers, dates or durations.")
    max_value: float | Parameter = pydantic.Field(
        description="The largest share of the rows with a value that may be flagged: 0.02 for 2%."
    )

    about: ClassVar[str] = "value"
    limit: ClassVar[str] = "max_flagged_share"
    args_keys: ClassVar[tuple[str, ...]] = ("column", "max_value")
    open_tables: ClassVar[tuple[str, ...]] = ("rows",)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, object]) -> Sentence:
        params = {"limit": percent(kwargs.get("max_value")), "fdr": percent(kwargs.get("fdr", DEFAULTS["fdr"]))}
        return Sentence("at most $limit of the values may be flagged at a false-discovery rate of $fdr", params)

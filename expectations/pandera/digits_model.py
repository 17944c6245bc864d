"""A Polars model for handwritten digits, with the label check in its ``Config``.

A tuple is the check's arguments in their order, a dict its arguments by name. A model holds one check of each kind.
"""

import pandera.polars as pa

import dqlabels.integrations.pandera  # noqa: F401 - registers the checks that Config names


class Digits(pa.DataFrameModel):
    """Images of 64 pixels, and the digit they are said to show."""

    digit: int = pa.Field(ge=0, le=9)

    class Config:
        """Checks of the whole frame."""

        label_noise_at_most = ("digit", 0.05)
        class_label_noise_at_most = {"label": "digit", "max_value": 0.15}  # noqa: RUF012 - as pandera wants it

"""The schema of ``tumours_pandas.py`` for Polars.

Given a LazyFrame, pandera looks at types alone and a schema with a label check refuses; ``check(frame)`` looks at the
data of either kind of frame, and gives the same kind back.
"""

import pandera.polars as pa
import polars as pl

from dqlabels.integrations.pandera import label_noise_at_most, label_pair_share_at_most, validate

schema = pa.DataFrameSchema(
    {"diagnosis": pa.Column(pl.String, pa.Check.isin(["benign", "malignant"]))},
    checks=[
        label_noise_at_most("diagnosis", 0.05),
        # Of the rows given as benign at most 5% may look malignant.
        label_pair_share_at_most("diagnosis", {("benign", "malignant"): 0.05}),
    ],
    name="tumours",
)


def check(frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame | pl.LazyFrame:
    """The frame, or pandera's SchemaErrors with every suspicious row."""
    return validate(schema, frame, lazy=True)

"""A nightly load held against data you trust: fails where the labels have become worse, not where they are hard.

Write the reference once, from a table whose labels were looked after:

    dqlabels profile trusted.parquet --label diagnosis -o reference.json
"""

import pandera.polars as pa

from dqlabels.integrations.pandera import label_noise_increase_at_most


def schema(reference: str) -> pa.DataFrameSchema:
    """The schema, with the path of the reference's JSON; the file is read when a frame is validated."""
    worse = label_noise_increase_at_most(
        "diagnosis", 0.03, reference=reference, decide="confident", on_inconclusive="warn"
    )
    return pa.DataFrameSchema(checks=[worse], name="nightly")

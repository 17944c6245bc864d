"""A nightly load judged by a saved auditor: fails where the labels have become worse, not where they are hard.

Fit the auditor once, on a table whose labels were looked after:

    dqlabels fit trusted.parquet --label diagnosis -o diagnosis.dqlabels

One night's increase is known to a few points at best. For small rises over many nights add a dqlabels.LabelMonitor.
"""

import pandera.polars as pa

from dqlabels.integrations.pandera import label_noise_increase_at_most


def schema(auditor: str) -> pa.DataFrameSchema:
    """The schema, with the path of the auditor; the file is read when a frame is validated."""
    worse = label_noise_increase_at_most("diagnosis", 0.05, auditor=auditor, decide="confident", on_inconclusive="warn")
    return pa.DataFrameSchema(checks=[worse], name="nightly")

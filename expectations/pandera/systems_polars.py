"""A Polars schema for three systems that should hold the same fact: how far they agree, and how often they are wrong.

For a table with a row a label name its three columns instead: ``annotator_agreement_at_least("label", 0.8,
annotator="who", item="case")``.
"""

import pandera.polars as pa
import polars as pl

from dqlabels.integrations.pandera import (
    annotator_agreement_at_least,
    annotator_noise_at_most,
    each_annotator_noise_at_most,
)

SYSTEMS = ["core", "warehouse", "agency"]

schema = pa.DataFrameSchema(
    {name: pa.Column(pl.String, pa.Check.isin(["benign", "malignant"]), nullable=True) for name in SYSTEMS},
    checks=[
        # Krippendorff's alpha: 1 where all agree, 0 where they agree as often as chance would.
        annotator_agreement_at_least(SYSTEMS, 0.8),
        # Of all their labels at most 5% may be wrong, and of those of the agency, which is known for it, 10%.
        annotator_noise_at_most(SYSTEMS, 0.05),
        each_annotator_noise_at_most(SYSTEMS, {"core": 0.02, "agency": 0.10}),
    ],
    name="systems",
)

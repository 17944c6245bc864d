"""A pandas schema for a table whose label is a number: how far a disease went in a year.

Numbers have no noise rate; what is limited is the share that is flagged, at a false-discovery rate that is stated.
"""

import pandera.pandas as pa

from dqlabels.integrations.pandera import flagged_value_share_at_most

schema = pa.DataFrameSchema(
    {"progression": pa.Column(float, pa.Check.gt(0))},
    checks=[
        # At most 2% of the patients may look wrong beside their measurements; 5% of those flagged are expected right.
        flagged_value_share_at_most("progression", 0.02, fdr=0.05),
    ],
    name="progression",
)

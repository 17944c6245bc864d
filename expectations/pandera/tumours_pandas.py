"""A pandas schema for a table of tumours: the diagnosis is the label, every other column a measurement.

Import ``schema`` and call ``schema.validate(frame)``; with ``lazy=True`` every suspicious row is listed.
"""

import pandera.pandas as pa

from dqlabels.integrations.pandera import class_label_noise_at_most, label_noise_at_most, label_quality_at_least

schema = pa.DataFrameSchema(
    {"diagnosis": pa.Column(str, pa.Check.isin(["benign", "malignant"]))},
    checks=[
        # Of all rows at most 5% may be labelled wrong; a missed tumour is worse, so its class has a limit of its own.
        label_noise_at_most("diagnosis", 0.05),
        class_label_noise_at_most("diagnosis", {"malignant": 0.10}),
        # Row by row: at least 95% of the labels are more likely right than not.
        label_quality_at_least("diagnosis", 0.5, mostly=0.95),
    ],
    name="tumours",
)

"""Label audits of Spark DataFrames: ``dqlabels.spark.audit(frame, "label")``.

The rows stay on the workers; a sample of about 200,000 of them, drawn by content, comes to the driver to fit the
model on. The answer is that of :func:`dqlabels.audit` on the same rows, whatever the partitions.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from dqlabels.audits.options import SPARK, Options, documented
from dqlabels.errors import MissingExtraError, OptionError, needing

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Unpack

    from dqlabels.audits.options import SparkOptions
    from dqlabels.audits.trusted.label_auditor import LabelAuditor


@documented(SPARK)
def audit(
    frame: Any,
    label: str | None = None,
    *,
    auditor: str | Path | LabelAuditor | None = None,
    **options: Unpack[SparkOptions],
) -> Any:
    """Add ``label_quality``, ``suggested_label`` and ``is_label_issue`` to a Spark DataFrame.

    The model is fitted and the cutoffs are found at once; the columns are computed where the result is used. What
    the model said of each row stays on the workers' disks until the result is let go of.

    Args:
        frame: A Spark DataFrame, n rows, of a classic session or of Spark Connect.
        label: The column that holds the given labels; rows where it is missing are kept, not estimated from.
        auditor: A saved auditor, by its path, or one in memory: its model judges the rows, the columns are those that
            :meth:`dqlabels.LabelAuditor.audit` gives, and nothing is trained. It knows its label and its options.
        {options}

    Raises:
        MissingExtraError: PySpark 4 or PyArrow is not installed.
        DQLabelsError: As :func:`dqlabels.audit`.

    Example::

        spark = dqlabels.spark.local_session()  # on a cluster: SparkSession.builder.getOrCreate()
        loans = spark.read.parquet("loans.parquet")
        dqlabels.spark.audit(loans, "risk").where("is_label_issue").show()
    """
    chosen = Options.of(options, "dqlabels.spark.audit", SPARK)
    from dqlabels.audits.spark import audit_by_auditor_on_spark, audit_on_spark

    if auditor is not None:
        return audit_by_auditor_on_spark(frame, label, auditor, chosen)
    if label is None:
        raise OptionError("label= is needed: the column that holds the labels. Only an auditor= knows its own.")
    return audit_on_spark(frame, label, chosen)


def local_session(cores: int = 2, **settings: str) -> Any:
    """A Spark session on this machine alone, for trying things out and for tests.

    Args:
        cores: Tasks that run at a time; one that fails is tried 4 times, as on a cluster.
        **settings: Spark's own, with ``__`` for each dot: ``spark__sql__shuffle__partitions="8"``.

    Raises:
        MissingExtraError: PySpark or Java is not installed.

    Example::

        with dqlabels.spark.local_session(2, spark__driver__memory="1g") as spark:
            spark.read.parquet("loans.parquet").printSchema()
    """
    with needing('Spark is not installed: pip install "dqlabels[spark]"'):
        from pyspark.sql import SparkSession
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and os.path.exists(os.path.join(home, "bin", "java"))):
        raise MissingExtraError(
            "Spark needs Java 17 or later, and there is none on this machine. Install it (Debian and Ubuntu: "
            "apt-get install openjdk-17-jre-headless), or set JAVA_HOME to where it is."
        )
    builder = SparkSession.builder.master(f"local[{cores},4]").appName("dqlabels").config("spark.ui.enabled", "false")
    for name, value in settings.items():
        builder = builder.config(name.replace("__", "."), value)
    return builder.getOrCreate()

"""Audit a table on Spark: ``python examples/spark_job.py [IN] [OUT]``, or with spark-submit on a cluster.

Without arguments the example data are read and nothing is written. Needs ``pip install "dqlabels[spark]"`` and Java 17.
"""

import sys

import dqlabels.spark

# On a cluster: spark = SparkSession.builder.getOrCreate()
spark = dqlabels.spark.local_session(2)
spark.sparkContext.setLogLevel("ERROR")
if len(sys.argv) > 1:
    loans = spark.read.parquet(sys.argv[1])
else:
    loans = spark.read.csv("examples/data/german_credit.csv", header=True, inferSchema=True)

audited = dqlabels.spark.audit(loans, "risk")
if len(sys.argv) > 2:
    audited.write.mode("overwrite").parquet(sys.argv[2])

suspicious = audited.where("is_label_issue").orderBy("label_quality")
print(f"{suspicious.count():,} of {audited.count():,} labels flagged")
suspicious.select("risk", "suggested_label", "label_quality").show(3)
spark.stop()

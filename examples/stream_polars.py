"""Audit a Parquet file in passes, without holding it in memory: ``python examples/stream_polars.py [IN] [OUT]``.

Without arguments a file of 1,000 loans is made from the example data; a file of 10 million rows goes the same way.
"""

import sys
import tempfile
from pathlib import Path

import polars as pl

import dqlabels  # noqa: F401 - puts .labels on Polars frames

folder = Path(tempfile.mkdtemp())
source = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "loans.parquet"
target = Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "audited.parquet"
if len(sys.argv) < 2:
    pl.read_csv("examples/data/german_credit.csv").write_parquet(source)

# Nothing is read here: the passes run when rows are asked for, and write as they go.
audited = pl.scan_parquet(source).labels.audit("risk")
audited.sink_parquet(target)

found = pl.scan_parquet(target).select(pl.len(), pl.col("is_label_issue").sum()).collect()
print(f"{found['is_label_issue'][0]:,} of {found['len'][0]:,} labels flagged, written to {target.name}")

# Only the suspicious rows, worst first.
print(pl.scan_parquet(target).filter("is_label_issue").sort("label_quality").head(3).collect())

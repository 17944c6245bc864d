"""``dqlabels demo``: an audit of data that come with scikit-learn, with labels flipped on purpose."""

from __future__ import annotations

import typer
from rich.console import Console

from dqlabels.cli.app import app
from dqlabels.cli.show import print_audit

FLIPPED_SHARE = 0.03


@app.command("demo")
def demo_command() -> None:
    """Audit handwritten digits with 3% of the labels flipped, and say how many of those were found."""
    import numpy as np
    import polars as pl
    from sklearn.datasets import load_digits

    from dqlabels.audits.audit import audit

    digits = load_digits()
    rng = np.random.default_rng(0)
    labels = digits.target.copy()
    flipped = rng.choice(labels.size, round(FLIPPED_SHARE * labels.size), replace=False)
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, flipped.size)) % 10
    table = pl.DataFrame(digits.data, schema=[f"pixel_{at}" for at in range(64)]).with_columns(digit=labels)
    result = audit(table, "digit", task="classes")
    print_audit(result, None, 10, Console())
    flags = result.frame["is_label_issue"].to_numpy()
    typer.echo(
        f"\n{flipped.size} of {labels.size:,} labels were flipped on purpose. {int(flags[flipped].sum())} of them are "
        f"among the {int(flags.sum())} flagged."
    )

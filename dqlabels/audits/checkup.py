"""A check-up of a frame from scratch: its labels are audited, then the checks are run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from narwhals.dependencies import is_polars_lazyframe

from dqlabels.audits.audit import run_audit
from dqlabels.audits.options import Options, documented
from dqlabels.audits.streaming import row_count
from dqlabels.checks.pipeline import ALPHA, MAX_ROWS
from dqlabels.checks.result import check_options
from dqlabels.errors import OptionError, warn_all
from dqlabels.models.sizes import MAX_FITTED_ROWS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from dqlabels.audits.options import AuditOptions
    from dqlabels.checks.result import Checkup

ALONE = "A check-up compares rows with each other, which the memory engine alone does."


@documented()
def checkup(
    frame: Any,
    label: str | Sequence[str],
    *,
    checks: str | Iterable[str] | None = None,
    time: str | None = None,
    columns: Iterable[str] | Mapping[str, str] = (),
    alpha: float = ALPHA,
    most_rows: int = MAX_ROWS,
    **options: Unpack[AuditOptions],
) -> Checkup:
    """Audit one label column, then look at what is odd beside single labels.

    The same as ``dqlabels.audit(frame, label, ...).checkup(...)``, whose options both parts take.

    Args:
        frame: pandas or Polars frame, or PyArrow table; n rows.
        label: The column that holds the given labels, one class per row.
        checks: As in :meth:`dqlabels.LabelAudit.checkup`; default all.
        time: The column that orders the rows; default the order they are in.
        columns: What ``.frame`` gets beside the audit's three columns.
        alpha: How often a test may be wrong where there is nothing to find, in (0, 1).
        most_rows: The most rows that are compared with each other.
        {options}

    Raises:
        OptionError: The labels are not one class per row, the frame is larger than memory, or an option means nothing.
        DQLabelsError: As :func:`dqlabels.audit`.

    >>> import polars as pl
    >>> rows = {"x": [i / 10 for i in range(100)], "w": [i * i for i in range(100)], "y": ["low", "high"] * 50}
    >>> frame = pl.DataFrame(rows).with_columns(z=1)
    >>> checkup(pl.concat([frame, frame[:1]]), "y", checks=["features", "duplicates"]).found
    ('features', 'duplicates')
    """
    _check_engine(frame)
    check_options(checks, columns, alpha, most_rows)
    chosen = Options.of(options, "dqlabels.checkup")
    audit = run_audit(frame, label, chosen)
    warn_all(audit.warnings, stacklevel=3)
    return audit.checkup(
        checks, time=time, columns=columns, embed=chosen.embed, alpha=alpha, most_rows=most_rows, n_jobs=chosen.n_jobs
    )


def _check_engine(frame: Any) -> None:
    """Refuse, before any work, frames whose rows are not in memory together.

    Raises:
        OptionError: Saying how to take a sample.
    """
    if type(frame).__module__.startswith("pyspark."):
        raise OptionError(f"{ALONE} Check a sample of the Spark frame: frame.sample(0.01, seed=0).toPandas().")
    if is_polars_lazyframe(frame):
        rows = row_count(frame)
        if rows > MAX_FITTED_ROWS:
            raise OptionError(
                f"{ALONE} The lazy frame has {rows:,} rows, which are audited in passes. Check a sample: "
                f"frame.collect().sample({MAX_ROWS:_}, seed=0)."
            )

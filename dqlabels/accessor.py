"""``df.labels`` and ``lf.labels``: forwards to :func:`dqlabels.audit`, nothing else.

Registered for pandas and Polars whichever is imported first: at once where the library is loaded, else by
an import hook that waits for it, so that ``import dqlabels`` loads neither.
"""

from __future__ import annotations

import importlib.abc
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dqlabels.audits.options import documented
from dqlabels.errors import LabelWarning, warn_all

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from dqlabels.audits.base import Audit
    from dqlabels.audits.options import AuditOptions
    from dqlabels.checks.result import Checkup
    from dqlabels.noise.rate import NoiseRate

ACCESSOR = "labels"


class LabelsAccessor:
    """``df.labels`` and ``lf.labels``: audits of one label column of this frame, or of several.

    ``dqlabels.labels(frame)`` is the same, for type checkers, and for frames that have a column named ``labels``.

    >>> import dqlabels, polars as pl
    >>> frame = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
    >>> frame.labels.audit("y").columns
    ['x', 'y', 'label_quality', 'suggested_label', 'is_label_issue']
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    @documented()
    def audit(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> Any:
        """Add ``label_quality``, ``suggested_label`` and ``is_label_issue`` to the frame.

        A lazy frame stays lazy: with one label column no row is read before the rows of the answer are asked for, and
        beyond 200,000 rows they are streamed. Several label columns are audited at once.

        Args:
            label: The column that holds the given labels, or the columns.
            {options}

        Returns:
            The same kind of frame, with the same rows in the same order and three more columns.

        Raises:
            DQLabelsError: One of its subclasses, by what is wrong.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> mail.labels.audit("label", pred_probs=["ham", "spam"])["is_label_issue"].to_list()
        [False, True, False, False]
        """
        from narwhals.dependencies import is_polars_lazyframe

        from dqlabels.audits.audit import audit_lazily
        from dqlabels.audits.options import Options

        if is_polars_lazyframe(self._frame) and isinstance(label, str):
            return audit_lazily(self._frame, label, Options.of(options, "df.labels.audit"))
        return self._audited(label, options, "df.labels.audit").frame

    @documented()
    def report(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> Audit:
        """Return the full audit, as :func:`dqlabels.audit` does; it shows itself in a notebook.

        A lazy frame is read at once; the audit's own ``frame`` is lazy again.

        Args:
            label: The column that holds the given labels, or the columns.
            {options}

        Raises:
            DQLabelsError: One of its subclasses, by what is wrong.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> mail.labels.report("label", pred_probs=["ham", "spam"]).flagged
        1
        """
        return self._audited(label, options, "df.labels.report")

    @documented()
    def noise_rate(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> NoiseRate:
        """Return the estimated share of wrong labels, a :class:`~dqlabels.NoiseRate`.

        Args:
            label: The column that holds the given labels, or the columns.
            {options}

        Raises:
            DQLabelsError: One of its subclasses, by what is wrong.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> rate = mail.labels.noise_rate("label", pred_probs=["ham", "spam"])
        >>> rate.low <= rate.estimate <= rate.high
        True
        """
        return self._audited(label, options, "df.labels.noise_rate").noise_rate

    @documented()
    def issues(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> Any:
        """Return the suspicious rows, worst first.

        Args:
            label: The column that holds the given labels, or the columns.
            {options}

        Raises:
            DQLabelsError: One of its subclasses, by what is wrong.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> mail.labels.issues("label", pred_probs=["ham", "spam"])[["row", "suggested_label"]].rows()
        [(1, 'spam')]
        """
        return self._audited(label, options, "df.labels.issues").issues

    @documented()
    def checkup(
        self,
        label: str | Sequence[str],
        *,
        checks: str | Iterable[str] | None = None,
        time: str | None = None,
        columns: Iterable[str] | Mapping[str, str] = (),
        alpha: float = 0.01,
        most_rows: int = 50_000,
        **options: Unpack[AuditOptions],
    ) -> Checkup:
        """Look for what is odd beside the labels; see :func:`dqlabels.checkup`.

        Args:
            label: The column that holds the given labels, one class per row.
            checks: Which checks to run; by default all.
            time: The column that orders the rows; by default the order they are in.
            columns: What ``.frame`` gets beside the audit's three columns.
            alpha: How often a test may be wrong where there is nothing to find, in (0, 1).
            most_rows: The largest number of rows that are compared with each other.
            {options}

        Raises:
            DQLabelsError: One of its subclasses, by what is wrong.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "empty": [""] * 4, **probs})
        >>> mail.labels.checkup("label", checks="features", pred_probs=["ham", "spam"]).found
        ('features',)
        """
        from dqlabels.audits.checkup import checkup

        return checkup(
            self._frame, label, checks=checks, time=time, columns=columns, alpha=alpha, most_rows=most_rows, **options
        )

    def _audited(self, label: str | Sequence[str], options: Mapping[str, Any], call: str) -> Audit:
        from dqlabels.audits.audit import run_audit
        from dqlabels.audits.options import Options

        audit = run_audit(self._frame, label, Options.of(options, call))
        warn_all(audit.warnings, stacklevel=4)
        return audit


def labels(frame: Any) -> LabelsAccessor:
    """Return what ``frame.labels`` is, for type checkers and for frames that have a column of that name.

    Args:
        frame: pandas or Polars frame, or PyArrow table.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"x": [i / 10 for i in range(100)], "y": ["low"] * 50 + ["high"] * 50})
    >>> labels(frame).audit("y").columns
    ['x', 'y', 'label_quality', 'suggested_label', 'is_label_issue']
    """
    return LabelsAccessor(frame)


class _PandasLabels:
    """``labels`` on pandas frames, giving way to a column of that name.

    pandas' own registry would cache the accessor and hide the column; a plain descriptor that raises
    ``AttributeError`` lets pandas go on to the column, for reading and for assigning.
    """

    def __get__(self, frame: Any, owner: type) -> Any:
        if frame is None:
            return LabelsAccessor
        if ACCESSOR in frame.columns:
            _say_shadowed()
            raise AttributeError(f"column {ACCESSOR!r} goes before the accessor")
        return LabelsAccessor(frame)


_shadowed: list[bool] = []


def _say_shadowed() -> None:
    if not _shadowed:
        _shadowed.append(True)
        warnings.warn(
            f"This frame has a column called {ACCESSOR!r}, so df.{ACCESSOR} is that column. "
            "Use dqlabels.labels(df) instead, or dqlabels.audit(df, label).",
            LabelWarning,
            stacklevel=3,
        )


def _register_pandas(pandas: ModuleType) -> None:
    if not hasattr(pandas.DataFrame, ACCESSOR):
        pandas.DataFrame.labels = _PandasLabels()


def _register_polars(polars: ModuleType) -> None:
    if not hasattr(polars.DataFrame, ACCESSOR):
        polars.api.register_dataframe_namespace(ACCESSOR)(LabelsAccessor)
        polars.api.register_lazyframe_namespace(ACCESSOR)(LabelsAccessor)


_REGISTER: dict[str, Callable[[ModuleType], None]] = {"pandas": _register_pandas, "polars": _register_polars}


class _RegisterOnImport(importlib.abc.MetaPathFinder):
    """Finds nothing itself: lets the other finders find pandas or Polars, and registers once it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in _REGISTER:
            return None
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader, _REGISTER[name])
        return spec


class _Registering(importlib.abc.Loader):
    """Loads by the loader it wraps, then registers; everything else is asked of the wrapped one."""

    def __init__(self, loader: Any, register: Callable[[ModuleType], None]) -> None:
        self._loader, self._register = loader, register

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._register(module)


def register() -> None:
    """Register ``labels`` on the frame libraries that are loaded now, and on the others when they are."""
    waiting = False
    for name, register_on in _REGISTER.items():
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "DataFrame"):
            register_on(module)
        else:
            waiting = True
    # Of a copy of this module that was imported before, too: two that ask each other would never end.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != __name__]
    if waiting:
        sys.meta_path.insert(0, _RegisterOnImport())

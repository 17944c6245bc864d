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

from dqlabels.errors import LabelWarning

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from dqlabels.audits.classes.result import LabelAudit
    from dqlabels.audits.options import AuditOptions
    from dqlabels.checks.result import Checkup
    from dqlabels.noise.rate import NoiseRate

ACCESSOR = "labels"
# Options that say what an audit is of, which are settled before it is streamed.
ABOUT_THE_TASK = ("task", "annotator", "item", "consensus")


class LabelsAccessor:
    """``df.labels``: audits of one label column of this frame. Options as in :func:`dqlabels.audit`."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def audit(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> Any:
        """The same frame with ``label_quality``, ``suggested_label`` and ``is_label_issue`` added; lazy stays lazy."""
        from dqlabels.audits.tasks import streamed_task

        asked = (options.get("task"), options.get("annotator"), options.get("item"))
        if isinstance(label, str) and (task := streamed_task(self._frame, label, *asked)):
            from dqlabels.audits.streaming import audit_lazily

            given: dict[str, Any] = {name: value for name, value in options.items() if name not in ABOUT_THE_TASK}
            return audit_lazily(
                self._frame, label, lambda rows: LabelsAccessor(rows).audit(label, **options), task=task, **given
            )
        return self.report(label, **options).frame

    def report(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> LabelAudit:
        """The full :class:`~dqlabels.LabelAudit`; it shows itself in a notebook."""
        from dqlabels.audits.audit import audit

        return audit(self._frame, label, **options)

    def noise_rate(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> NoiseRate:
        """The estimated share of wrong labels, a :class:`~dqlabels.NoiseRate`."""
        return self.report(label, **options).noise_rate

    def issues(self, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> Any:
        """The suspicious rows, worst first."""
        return self.report(label, **options).issues

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
        """What is odd beside the labels, a :class:`~dqlabels.checks.result.Checkup`; see :func:`dqlabels.checkup`."""
        from dqlabels.audits.checkup import checkup

        chosen: dict[str, Any] = {"checks": checks, "time": time, "columns": columns}
        return checkup(self._frame, label, **chosen, alpha=alpha, most_rows=most_rows, **options)


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
            "Audit the frame with dqlabels.audit(df, label) instead.",
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
    if waiting and not any(isinstance(finder, _RegisterOnImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _RegisterOnImport())

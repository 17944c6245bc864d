"""Make sure that label checks run: pandera skips the data of a LazyFrame, and every check where it is told to."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from pandera.api.checks import Check
from pandera.config import ValidationDepth, config_context, get_config_context, get_config_global

from dqlabels.audits.base import NativeFrame
from dqlabels.errors import GateNotRunError, LabelWarning, OptionError
from dqlabels.integrations.pandera.answers import CheckUseError
from dqlabels.integrations.pandera.check import LabelCheck, answered
from dqlabels.integrations.pandera.dropping import refuse_repeated_index, with_marks, without_marked
from dqlabels.integrations.pandera.handed import handed

if TYPE_CHECKING:
    from pandera.api.base.error_handler import ErrorHandler

# A DataFrameSchema or DataFrameModel of pandera, which has one of each for each frame library.
Schema: TypeAlias = Any
# A frame library, the module of its schema in pandera, and the frames that the schema takes.
GUARDED = (
    ("polars", "pandera.api.polars.container", ("LazyFrame", "DataFrame")),
    ("pandas", "pandera.api.pandas.container", ("DataFrame",)),
)


def validate(schema: Schema, frame: NativeFrame, *, lazy: bool = False) -> NativeFrame:
    """Validate a frame, and make sure that every label check of the schema has looked at the data.

    Works as ``schema.validate(frame)``, except that a Polars LazyFrame is checked with its data unless pandera was told
    otherwise.

    Args:
        schema: A ``DataFrameSchema`` or ``DataFrameModel``, of pandas or Polars.
        frame: A frame of that library; a LazyFrame is collected by each check, and comes back lazy.
        lazy: Collect all failures before raising, as in pandera.

    Returns:
        What ``schema.validate`` returns.

    Raises:
        GateNotRunError: pandera is configured not to run checks of data, or a label check did not run.
        OptionError: The schema holds no label check.
        SchemaError, SchemaErrors: pandera's own, where a check fails.

    >>> import polars as pl, pandera.polars as pa
    >>> from dqlabels.integrations.pandera import label_noise_at_most
    >>> frame = pl.LazyFrame({"x": [k / 10 for k in range(100)], "y": ["low"] * 50 + ["high"] * 50})
    >>> validate(pa.DataFrameSchema(checks=[label_noise_at_most("y", 0.05)]), frame).collect().shape
    (100, 2)
    """
    if isinstance(schema, type) and hasattr(schema, "to_schema"):
        schema = schema.to_schema()
    wanted = label_checks(schema)
    if not wanted:
        raise OptionError(
            f"The schema {schema.name!r} holds no label check, so nothing would say whether its labels are sound. Add "
            "one with checks=[label_noise_at_most(...)], or call schema.validate(frame)."
        )
    guard_lazy_frames()
    depth = _configured_depth()
    if not get_config_context().validation_enabled or depth is ValidationDepth.SCHEMA_ONLY:
        skips_data = depth is ValidationDepth.SCHEMA_ONLY
        setting = "validation_depth=SCHEMA_ONLY" if skips_data else "validation_enabled=False"
        raise GateNotRunError(
            f"pandera is configured with {setting}, so {_named(wanted)} would not run. Remove the setting (the "
            "environment variables PANDERA_VALIDATION_ENABLED and PANDERA_VALIDATION_DEPTH set it too)."
        )
    ran: list[Check] = []
    token = answered.set(ran)
    try:
        with config_context(validation_depth=depth or ValidationDepth.SCHEMA_AND_DATA):
            validated = schema.validate(frame, lazy=lazy)
    finally:
        answered.reset(token)
    missing = [check for check in wanted if not any(check is one for one in ran)]
    if missing:
        raise GateNotRunError(f"{_named(missing)} did not run, though the schema {schema.name!r} holds it.")
    return validated


def label_checks(schema: Schema) -> list[LabelCheck]:
    """The label checks of a schema."""
    return [check for check in schema.checks if isinstance(check, LabelCheck)]


def guard_lazy_frames() -> None:
    """Make pandera's back ends refuse or warn when a schema with a label check is validated without its data.

    Given a LazyFrame, pandera by default checks only types, and passes. A check that does not run cannot notice, so
    the back end does. Schemas without a label check are not affected.
    """
    for library, module, frames in GUARDED:
        if importlib.util.find_spec(library) is None:
            continue
        schema = importlib.import_module(module).DataFrameSchema
        for name in frames:
            frame = getattr(importlib.import_module(library), name)
            schema.register_default_backends(frame)
            backend = schema.BACKEND_REGISTRY[schema, frame]
            if not issubclass(backend, _Guard):
                guarded = type(backend.__name__, (_Guard, backend), {"__module__": backend.__module__})
                schema.BACKEND_REGISTRY[schema, frame] = guarded


class _Guard:
    """Stands before a back end: refuses, or at least warns, where label checks are skipped or their errors dropped."""

    def validate(self, check_obj: NativeFrame, schema: Schema, **options: object) -> NativeFrame:
        checks = label_checks(schema)
        if checks and getattr(schema, "drop_invalid_rows", False):
            _refuse_parts(checks, options)
        if checks and get_config_context().validation_depth is ValidationDepth.SCHEMA_ONLY:
            if _global_depth() is not ValidationDepth.SCHEMA_ONLY and hasattr(check_obj, "collect_schema"):
                raise GateNotRunError(
                    f"{_named(checks)} would not run: given a LazyFrame, pandera checks its types and skips its data. "
                    "Call dqlabels.integrations.pandera.validate(schema, frame), collect the frame first, or set "
                    "PANDERA_VALIDATION_DEPTH=SCHEMA_AND_DATA."
                )
            warnings.warn(
                f"{_named(checks)} did not run: pandera is configured with validation_depth=SCHEMA_ONLY.",
                LabelWarning,
                stacklevel=4,
            )
        backend: Any = super()
        # A parser of the frame may change its rows.
        with handed(None if getattr(schema, "parsers", None) or not checks else check_obj):
            return backend.validate(check_obj, schema, **options)

    def drop_invalid_rows(self, check_obj: NativeFrame, error_handler: ErrorHandler) -> NativeFrame:
        """Drop the rows that label checks name by their positions, and leave those of other checks to the back end.

        Raises:
            SchemaError: What dropping rows cannot mend: an error of a label check, or a failure that names no row.
            CheckUseError: The rows that pandera would drop are not those that failed.
        """
        ours = [failed for failed in error_handler.schema_errors if isinstance(failed.check, LabelCheck)]
        others = [failed for failed in error_handler.schema_errors if not isinstance(failed.check, LabelCheck)]
        backend: Any = super()
        if not ours:
            return backend.drop_invalid_rows(check_obj, error_handler)
        marked = with_marks(check_obj, ours)
        if others:
            refuse_repeated_index(self, check_obj, [str(failed.check) for failed in others])
            marked = backend.drop_invalid_rows(marked, SimpleNamespace(schema_errors=others))
        return without_marked(marked)


def _refuse_parts(checks: list[LabelCheck], options: Mapping[str, object]) -> None:
    """Refuse to drop rows of a frame of which only a part is checked: pandera cannot tell which rows those were."""
    if parts := [f"{name}={options[name]}" for name in ("head", "tail", "sample") if options.get(name) is not None]:
        raise CheckUseError(
            f"drop_invalid_rows=True with {', '.join(parts)}: {_named(checks)} would judge some of the rows, and which "
            f"of the frame's they are is not known. Validate the whole frame, or leave out drop_invalid_rows."
        )


def _configured_depth() -> ValidationDepth | None:
    return get_config_context(validation_depth_default=None).validation_depth or _global_depth()


def _global_depth() -> ValidationDepth | None:
    return get_config_global().validation_depth


def _named(checks: list[LabelCheck]) -> str:
    return ", ".join(f"{check.name}({check.label!r})" for check in checks)

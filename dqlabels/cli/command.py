"""How a command is made: a function of its own parameters, which is handed the options of the audit as one object."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields
from types import SimpleNamespace
from typing import Any, get_type_hints

import typer

from dqlabels.cli.app import app
from dqlabels.cli.options import READING_PANEL, CommandOptions, FileOrQuery, parameter, parameters
from dqlabels.cli.sources import Reading
from dqlabels.models.sizes import Sizes

Command = Callable[..., None]


def command(
    name: str, options: Iterable[str] = (), limits: Iterable[str] = (), *, reads: bool = False
) -> Callable[[Command], Command]:
    """Add a function to the command line.

    Args:
        name: The command.
        options: Fields of :class:`~dqlabels.audits.options.Options` that it has.
        limits: Fields of :class:`~dqlabels.audits.gate.Limits` that it has.
        reads: Whether its ``file`` is a table that may be read in the ways of :class:`~dqlabels.cli.sources.Reading`.

    Returns:
        A decorator of a function whose first parameter is a :class:`CommandOptions` with what the user wrote; its other
        parameters are typer's.
    """
    shared = parameters(options, limits)
    reading = [parameter(one, READING_PANEL) for one in fields(Reading)] if reads else []

    def register(function: Command) -> Command:
        def run(context: typer.Context, **values: Any) -> None:
            taken = {one.name: values.pop(one.name) for one in shared}
            written = {name: value for name, value in taken.items() if _was_written(context, name)}
            how = Reading(**{one.name: values.pop(one.name) for one in reading})
            if reads:
                values["file"] = how.named(values["file"])
            function(CommandOptions(written, context.obj or Sizes(), how), **values)

        # Not of the function itself: Python 3.10 would make Optional what defaults to None, and typer miss its option.
        annotated = SimpleNamespace(__annotations__=function.__annotations__)
        hints = get_type_hints(annotated, function.__globals__, include_extras=True)
        _, *own = inspect.signature(function).parameters.values()
        if reads:  # a query needs no file
            hints["file"] = FileOrQuery
            own = [one.replace(default=None) if one.name == "file" else one for one in own]
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        signed = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints.get(one.name, one.annotation))
            for one in [context, *own, *reading, *shared]
        ]
        run.__signature__ = inspect.Signature(signed)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in signed}
        run.__doc__ = function.__doc__
        app.command(name)(run)
        return function

    return register


def _was_written(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"

"""How the values of options are written on a command line, and what Python takes for them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dqlabels.errors import OptionError

if TYPE_CHECKING:
    from dqlabels.frames.media import Embedding

# A limit for all, or one by class, annotator or tag, or by a pair of classes.
NamedLimits = float | dict[str | tuple[str, ...], float]


def split(names: str) -> list[str]:
    """Return names that are separated by commas.

    >>> split("age, income")
    ['age', 'income']
    """
    return [name.strip() for name in names.split(",") if name.strip()]


def folds(cv: str) -> int | str:
    """Return a number of folds, or the name of a way to split."""
    return int(cv) if cv.isdecimal() else cv


def embeddings(written: Sequence[str]) -> dict[str, Embedding]:
    """Return what ``embed=`` takes for ``COLUMN=image`` and ``COLUMN=package.module:function``.

    The module is imported, so its code runs. It is looked for where Python looks, then in the working folder.

    Raises:
        OptionError: A value is not written like that, or there is no such module or function.
    """
    found: dict[str, Embedding] = {}
    for text in written:
        column, _, how = text.rpartition("=")
        if not column or not how:
            raise OptionError(f"--embed {text}: write COLUMN=image or COLUMN=package.module:function.")
        found[column] = "image" if how == "image" else _imported(text, how)
    return found


def _imported(text: str, how: str) -> Callable[[list[Any]], Any]:
    """Return the callable ``package.module:function``, or ``package.module:object.method``."""
    name, _, path = how.partition(":")
    if not name or not path:
        raise OptionError(f"--embed {text}: {how!r} is neither image nor package.module:function.")
    if os.getcwd() not in sys.path:
        # Last, so that a file there hides no installed module.
        sys.path.append(os.getcwd())
    try:
        value: object = importlib.import_module(name)
    except ImportError as error:
        raise OptionError(
            f"--embed {text}: {name} cannot be imported ({error}). Install it, or run from the folder that holds it."
        ) from error
    for part in path.split("."):
        if not hasattr(value, part):
            raise OptionError(f"--embed {text}: {name} has no {path}.")
        value = getattr(value, part)
    if not callable(value):
        raise OptionError(f"--embed {text}: {name}:{path} is of type {type(value).__name__}, which cannot be called.")
    return value


def named_limits(option: str, written: Sequence[str], *, pairs: bool = False) -> NamedLimits:
    """Return one limit (``0.1``), or limits by name (``bad=0.1``) or by pair (``good,bad=0.1``).

    Args:
        option: The option that holds them, for messages.
        written: What was written, once for each time that the option was given.
        pairs: Whether a limit is about a given and a suggested class.

    Raises:
        OptionError: A limit is not written like that.

    >>> named_limits("--max-class-noise-rate", ["bad=0.1"])
    {'bad': 0.1}
    >>> named_limits("--max-pair-share", ["good,bad=0.1"], pairs=True)
    {('good', 'bad'): 0.1}
    """
    form = "GIVEN,SUGGESTED=0.1" if pairs else "NAME=0.1"
    texts = dict(text.rpartition("=")[::2] for text in written)
    try:
        limits = {name: float(limit) for name, limit in texts.items()}
    except ValueError as error:
        raise OptionError(f"{option} {' '.join(written)}: a limit is a number, as in 0.1 or {form}.") from error
    if "" not in limits:
        return {_pair(option, name, limit) if pairs else name: limit for name, limit in limits.items()}
    if len(written) > 1:
        raise OptionError(f"{option} {' '.join(written)}: give one limit for all, or one for each as {form}.")
    return limits[""]


def _pair(option: str, name: str, limit: float) -> tuple[str, ...]:
    pair = tuple(split(name))
    if len(pair) != 2:
        raise OptionError(f"{option} {name}={limit}: a pair is GIVEN,SUGGESTED, as in {option} good,bad=0.1.")
    return pair

"""The options of the estimators: fields of a dataclass, each with what its value may be.

A dataclass writes the explicit constructor that scikit-learn reads parameters from, those of the base included; how an
estimator is shown and compared stays scikit-learn's (``eq=False, repr=False``).
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from dqlabels.errors import OptionError
from dqlabels.learn.types import RandomState


def within(default: float | tuple[float, ...] | None, low: float, high: float) -> Any:
    """Return a field for a number from ``low`` to ``high``, both included; for several where the default is several.

    None is allowed where it is the default.
    """

    def check(name: str, value: Any) -> None:
        for number in value if isinstance(default, tuple) else [value]:
            check_number(name, number, low, high)

    return field(default=default, metadata={"check": check})


def one_of(default: str | bool, choices: tuple[object, ...]) -> Any:
    """Return a field for one of some names."""
    return field(default=default, metadata={"check": lambda name, value: check_choice(name, value, choices)})


def check_options(estimator: Any) -> None:
    """Raise where an option of an estimator means nothing.

    Raises:
        OptionError: Naming the option, its value and what it may be.
    """
    for one in fields(estimator):
        value = getattr(estimator, one.name)
        if "check" in one.metadata and not (value is None and one.default is None):
            one.metadata["check"](one.name, value)


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise unless a value is one of some names.

    Raises:
        OptionError: Naming them.
    """
    if value not in choices:
        raise OptionError(f"{name}={value!r} is none of {', '.join(map(repr, choices))}.")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise unless a value is a number from ``low`` to ``high``, both included.

    Args:
        name: The option.
        value: What was passed.
        low: The least it may be.
        high: The most it may be.

    Raises:
        OptionError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value <= high:
        raise OptionError(f"{name}={value!r} is not a number from {low:g} to {high:g}.")


def seed_of(random_state: RandomState) -> int:
    """Return the whole number that a ``random_state`` stands for, a new one for None."""
    if random_state is None:
        # Without a draw from the global generator.
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))

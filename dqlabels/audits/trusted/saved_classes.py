"""Classes and tags in the file of an auditor, as their type and text, and back as the values they were."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

from dqlabels.errors import LabelColumnError, MissingExtraError
from dqlabels.frames.values import python_value
from dqlabels.frames.zones import is_zone

MICROSECOND = datetime.timedelta(microseconds=1)


def check_classes(label: str, classes: Iterable[object]) -> None:
    """Refuse classes or tags that no file could hold, before anything is fitted.

    Raises:
        LabelColumnError: Naming the column, the value and its type.

    >>> check_classes("y", ["yes", 3, b"raw"])
    """
    for value in classes:
        try:
            write_value(value)
        except TypeError as error:
            raise LabelColumnError(
                f"Column {label!r}: the class {value!r} is a {type(value).__name__}, which a saved auditor cannot "
                "hold. Turn the labels into strings or numbers before fitting."
            ) from error


def write_value(value: object) -> list[Any]:
    """Return a class or tag as its type and text.

    Raises:
        TypeError: Of a type that no file can hold.

    >>> write_value(datetime.timedelta(seconds=1.5)), write_value(b"no")
    (['duration', '1500000'], ['bytes', '6e6f'])
    """
    # What Python itself would round is kept by pandas.
    plain = value if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0) else python_value(value)
    for name, (kind, write, _) in VALUES.items():
        if f"{type(plain).__module__.split('.')[0]}.{type(plain).__name__}" == kind:
            return [name, write(plain)]
    raise TypeError(f"a {type(value).__name__} cannot be held")


def read_value(saved: Any) -> Any:
    """Return what :func:`write_value` wrote.

    >>> read_value(["datetime", "2026-07-01T12:00:00+02:00[Europe/Berlin]"]).tzinfo
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    name, written = saved
    _, _, read = VALUES[name]
    return read(written)


def _write_moment(value: Any) -> str:
    zone = getattr(value.tzinfo, "key", None) or getattr(value.tzinfo, "zone", None)  # zoneinfo's name, and pytz's
    return f"{value.isoformat()}[{zone}]" if zone else str(value.isoformat())


def _read_moment(written: str) -> datetime.datetime:
    """Return a moment in its zone, or at its offset where that zone is not known here."""
    text, _, zone = written.removesuffix("]").partition("[")
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(ZoneInfo(zone)) if zone and is_zone(zone) else moment


def _read_nanoseconds(written: str) -> Any:
    text, _, zone = written.removesuffix("]").partition("[")
    moment = _pandas().Timestamp(text)
    return moment.tz_convert(zone) if zone and is_zone(zone) else moment


def _endpoint(saved: Any) -> Any:
    """Return an end of an interval, which pandas wants in a type of its own."""
    value = read_value(saved)
    if isinstance(value, datetime.datetime):
        return _pandas().Timestamp(value)
    return _pandas().Timedelta(value) if isinstance(value, datetime.timedelta) else value


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            'Its classes are values of pandas, which is not installed: pip install "dqlabels[pandas]"'
        ) from error
    return pandas


# By the name of the type, so that pandas is imported only where its values are; files of earlier versions have the
# first ones alone.
VALUES: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "str": ("builtins.str", str, str),
    "bool": ("builtins.bool", bool, bool),
    "int": ("builtins.int", str, int),
    "float": ("builtins.float", float.hex, float.fromhex),
    "datetime": ("datetime.datetime", _write_moment, _read_moment),
    "date": ("datetime.date", datetime.date.isoformat, datetime.date.fromisoformat),
    "decimal": ("decimal.Decimal", str, decimal.Decimal),
    "time": ("datetime.time", datetime.time.isoformat, datetime.time.fromisoformat),
    "duration": ("datetime.timedelta", lambda value: str(value // MICROSECOND), lambda text: int(text) * MICROSECOND),
    "bytes": ("builtins.bytes", bytes.hex, bytes.fromhex),
    "timestamp": ("pandas.Timestamp", _write_moment, _read_nanoseconds),
    "timedelta": ("pandas.Timedelta", lambda value: str(value.value), lambda text: _pandas().Timedelta(int(text))),
    "period": (
        "pandas.Period",
        lambda value: [value.freqstr, value.ordinal],
        lambda saved: _pandas().Period(ordinal=int(saved[1]), freq=str(saved[0])),
    ),
    "interval": (
        "pandas.Interval",
        lambda value: [write_value(value.left), write_value(value.right), value.closed],
        lambda saved: _pandas().Interval(_endpoint(saved[0]), _endpoint(saved[1]), saved[2]),
    ),
}

"""Time zones by the names that every library knows, whatever object or text a library has for them."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from dqlabels.frames.columns import Column

OFFSET = re.compile(r"(?:UTC)?([+-])(\d{2}):(\d{2})")


@lru_cache(maxsize=256)
def is_zone(name: str) -> bool:
    """Whether the time zone database has this name.

    >>> is_zone("Etc/GMT-2"), is_zone("+02:00")
    (True, False)
    """
    try:
        return ZoneInfo(name) is not None
    except (KeyError, ValueError, OSError):
        return False


def fixed_offset(name: str) -> datetime.timedelta | None:
    """Return the offset from UTC that a name spells out, None for that of a zone.

    >>> fixed_offset("UTC-03:30"), fixed_offset("Europe/Berlin")
    (datetime.timedelta(days=-1, seconds=73800), None)
    """
    match = OFFSET.fullmatch(name)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    return int(f"{sign}1") * datetime.timedelta(hours=int(hours), minutes=int(minutes))


def zone_name(zone: datetime.tzinfo) -> str:
    """Return the name in the time zone database, or else the fixed offset, of a time zone; UTC where it has neither.

    >>> zone_name(ZoneInfo("America/New_York")), zone_name(datetime.timezone(datetime.timedelta(hours=-2), "mine"))
    ('America/New_York', '-02:00')
    """
    if not isinstance(zone, datetime.timezone):
        # dateutil shows the file that a zone was read from.
        parts = re.sub(r"^\w+\('|'\)$", "", str(zone)).split("/")
        names = ("/".join(parts[start:]) for start in range(len(parts)))
        if (known := next(filter(is_zone, names), None)) is not None:
            return known
    offset = zone.utcoffset(None)
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}" if minutes else "UTC"


def in_zone(column: Column, zone: str | None) -> Column:
    """Return moments as a calendar and a clock show them in a zone; what has no zone stays as it is."""
    current = getattr(column.dtype, "time_zone", None)
    if zone is None or current is None:
        return column
    offset = fixed_offset(zone)
    if offset is None:
        return column if current == zone else column.dt.convert_time_zone(zone)
    # Polars has no such zones, and PyArrow no calendar of one until later versions.
    shown: Column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) + offset
    return shown

"""Numbers, sizes, times and commands as pages show them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

_SHORT_UNITS = {"year": "yr", "month": "mo", "week": "wk", "day": "d"}
_COMMAND = re.compile(r"`([^`]+)`")


def format_commands(text: str) -> Markup:
    """Return a message as HTML, what stands between backticks in it as code.

    >>> str(format_commands("Run `memetica index` <now>."))
    'Run <code>memetica index</code> &lt;now&gt;.'
    """
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # escaped


def format_size(size: int) -> str:
    """Return a number of bytes in a readable unit.

    >>> format_size(999), format_size(46_100), format_size(2_500_000)
    ('999 bytes', '46 kB', '2.5 MB')
    """
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:,.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


def format_count(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural unless the number is one.

    >>> format_count(1, "group"), format_count(2000, "file")
    ('1 group', '2,000 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_age(time: datetime) -> str:
    """Return how long ago a time was, in its largest unit; less than a day is `today`."""
    count, unit = _age(time)
    return f"{format_count(count, unit)} ago" if count else "today"


def format_short_age(time: datetime) -> str:
    """Return how long ago a time was as `4 yr`, `9 mo`, `3 wk`, `2 d` or `new`, for where there is little room."""
    count, unit = _age(time)
    return f"{count} {_SHORT_UNITS[unit]}" if count else "new"


def _age(time: datetime) -> tuple[int, str]:
    """Return the whole number of the largest unit since a time; 0 for less than a day."""
    days = (datetime.now(UTC) - time).days
    for unit, length in (("year", 365), ("month", 30), ("week", 7), ("day", 1)):
        if days >= length:
            return days // length, unit
    return 0, "day"

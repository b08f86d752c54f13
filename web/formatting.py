"""Numbers, sizes, times and commands as pages show them."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime

from markupsafe import Markup, escape

_SHORT_UNITS = {"year": "yr", "month": "mo", "week": "wk", "day": "d"}
_COMMAND = re.compile(r"`([^`]+)`")
_PERCENT = re.compile(r"(?<=\d) %")


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


def unbroken(text: str) -> str:
    """Return a text of ours with a no-break space before each percent sign, so that no line ends between the two.

    >>> unbroken("97 % is there.")
    '97\\xa0% is there.'
    """
    return _PERCENT.sub("\N{NO-BREAK SPACE}%", text)


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


def format_duration(seconds: float) -> str:
    """Return a time to wait in words, with one unit: "45 seconds", "3 minutes", "2 hours".

    >>> [format_duration(seconds) for seconds in (0.4, 45, 170, 3700, 200_000)]
    ['1 second', '45 seconds', '3 minutes', '1 hour', '2 days']
    """
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 0.95 * length:
            return format_count(round(seconds / length), unit)
    return format_count(max(1, round(seconds)), "second")


def format_rate(rate: float) -> str:
    """Return a rate per second in words, per minute or hour where that is easier to read.

    >>> [format_rate(rate) for rate in (12.3, 0.5, 0.002)]
    ['12 a second', '30 a minute', '7 an hour']
    """
    if rate >= 1:
        return f"{rate:,.0f} a second"
    return f"{rate * 60:.0f} a minute" if rate * 60 >= 1 else f"{rate * 3600:.0f} an hour"


def without_folders(message: str) -> str:
    """Return a message with the paths in the data folder and in the library relative to these.

    A page or an answer tells no visitor where on the machine they lie. Outside of an application, nothing is replaced.
    """
    if "flask" not in sys.modules:  # a command, which prints hits and needs no web framework: it takes .1 s
        return message
    import flask

    if not flask.has_app_context():
        return message
    settings = flask.current_app.extensions["site"].settings
    for folder, name in ((settings.data, "the data folder"), (settings.library, "the library")):
        message = message.replace(f"{folder}/", "").replace(str(folder), name)
    return message

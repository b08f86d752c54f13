"""The limits that the server holds connections to, and how many connections this process can have."""

from __future__ import annotations

import select
import sys
from dataclasses import dataclass

MAX_HEADER_BYTES = 32_768  # of a request's first line and headers; a query of 1,000 emoji takes 12,000
RESERVED_FILES = 150  # file descriptors for everything but connections
MAX_SELECT = 400  # connections where there is no poll(): Windows' select() takes 512 sockets


@dataclass(frozen=True)
class ConnectionLimits:
    """Connections, seconds and bytes per second. A connection that a limit is exceeded on is closed.

    Whatever a client does, it occupies a connection and no thread: requests are read completely before a thread gets
    them, and responses are written by the server's loop.
    """

    connections: int = 1000  # at once; beyond it the connection that has been waiting longest gives way
    per_address: int = 100  # of one client address (an IPv6 /64), proxies that are trusted excepted
    first_byte: float = 20.0  # seconds from connecting to the first byte
    idle: float = 75.0  # seconds between two requests on one connection
    head: float = 20.0  # seconds from the first byte of a request to the end of its headers
    grace: float = 20.0  # seconds after which a body must have arrived at `bytes_per_second` on average
    stalled: float = 60.0  # seconds without any progress of a response; later it must keep to `bytes_per_second`
    bytes_per_second: float = 2000.0
    linger: float = 5.0  # seconds for which the rest of a refused body is read and dropped


def available_connections(wanted: int) -> int:
    """Return how many connections this process can have at once, `wanted` at most.

    Raises the process's limit of open files as far as that is allowed and needed.
    """
    if not hasattr(select, "poll"):
        return min(wanted, MAX_SELECT)
    if sys.platform == "win32":
        return wanted
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        except (OSError, ValueError):  # macOS refuses more than the kernel's own limit
            pass
        return max(20, min(wanted, soft - RESERVED_FILES))
    return wanted

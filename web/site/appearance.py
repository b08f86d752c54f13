"""How a visitor wants to see the site: light or dark, and the size of the pictures. Two cookies keep it."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlencode

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from web.addresses import base, is_local, local
from web.params import enum_param, text_param

blueprint = Blueprint("appearance", __name__)
_YEAR = 31_536_000
_MAX_NEXT = 4000  # characters


class Theme(StrEnum):
    """The colors: `auto` follows the visitor's system."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Size(StrEnum):
    """The size of the pictures in a grid."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


def theme() -> Theme:
    """Return the colors that the current request asks for; a cookie with another value counts as none."""
    found = request.cookies.get("theme", "")
    return Theme(found) if found in list(Theme) else Theme.AUTO


def size() -> Size:
    """Return the size of pictures that the current request asks for; a cookie with another value counts as none."""
    found = request.cookies.get("size", "")
    return Size(found) if found in list(Size) else Size.MEDIUM


def appearance_url(name: str, value: str) -> str:
    """Return the address that keeps a choice and returns to the current page."""
    return local("/appearance?" + urlencode({name: value, "next": request.full_path.rstrip("?")}))


@blueprint.get("/appearance")
def choose() -> AnyResponse:
    """Keep a choice of `theme`, `size` or both in cookies, and return to the page `next`."""
    following = text_param(request.args, "next", max_length=_MAX_NEXT)
    answer = redirect(following if is_local(following) else "/", code=303)
    for name, chosen in (
        ("theme", enum_param(request.args, "theme", theme())),
        ("size", enum_param(request.args, "size", size())),
    ):
        answer.set_cookie(
            name, chosen.value, max_age=_YEAR, path=base() or "/", samesite="Lax", secure=request.is_secure
        )
    return answer

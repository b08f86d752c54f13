"""What a phone shares with the installed site: a picture, a video or words."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from web.access.request_rates import Work, count
from web.context import site
from web.curator import actions
from web.curator.auth import signed_in
from web.params import query_param, text_param
from web.query_images import store_query_image

blueprint = Blueprint("shared", __name__)
MAX_SHARED = 1000  # characters of words; longer ones are cut


@blueprint.post("/share")
def share() -> AnyResponse:
    """Put a shared file into the inbox for the curator; for others, search with the file or the words.

    Only a file that the browser itself sends, or a page of this site, goes into the inbox: other sites' forms do not.
    """
    files = [one for one in request.files.getlist("picture") if one.filename]
    if files and signed_in() and request.headers.get("Sec-Fetch-Site") in ("none", "same-origin"):
        received, refused = actions.receive_files(files, source="page")
        if refused:
            raise refused[0][1]
        return redirect(f"/curator/inbox/{received[0].id}", code=303)
    if files:
        count(Work.UPLOAD)
        return redirect("/?" + urlencode({"picture": store_query_image(site().settings, files[0])}), code=303)
    words = query_param(request.form) or text_param(request.form, "title", max_length=100_000)
    return redirect("/?" + urlencode({"q": " ".join(words.split())[:MAX_SHARED]}), code=303)

"""The curator's pages about duplicates: groups by tier, one group to decide on, batches, and the way back."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from indexer.curation.duplicates import Decision, Proposal, Proposals, apply, decide
from indexer.curation.undo import undo as undo_verdict
from indexer.library.transaction import recover
from indexer.media.decode import decode
from search.catalogue import PENDING, OperationKind, OperationState, Verdict, VerdictKind
from search.duplicates.heatmap import draw_heatmap
from search.errors import MemeticaError, NotFound, WrongUse
from search.evidence import Tier
from search.meme import Meme, TextKind
from web.context import site
from web.curator.auth import Refused, curator_only
from web.curator.home import Card
from web.params import enum_param, int_param

blueprint = Blueprint("duplicates", __name__, url_prefix="/curator/duplicates")
PAGE = 30
BATCH_SECONDS = 15  # of one request; what is left is asked for again
BATCH_NOTE = "batch {token}: all of “{tier}”"
LAST = 12  # verdicts shown
TITLES = {
    Tier.IDENTICAL: "The same bytes",
    Tier.SAME: "The same picture",
    Tier.EDITED: "Edited pictures",
    Tier.VARIANT: "Variants",
    Tier.SAME_WORDS: "The same words",
}
EXPLAINED = {
    Tier.IDENTICAL: "One file, more than once.",
    Tier.SAME: "The same picture, encoded again or resized.",
    Tier.EDITED: "The same picture and text, cropped, framed, marked, mirrored or recoloured.",
    Tier.VARIANT: "The same template with another text. These are different memes: none is offered for removal.",
    Tier.SAME_WORDS: "The same text on another picture. These are different memes: none is offered for removal.",
}
DONE = {
    VerdictKind.MERGED: "Merged",
    VerdictKind.DISTINCT: "Not duplicates",
    VerdictKind.KEEP_ALL: "All kept",
    VerdictKind.DUPLICATES: "Duplicates, to be decided again",
    VerdictKind.UNDONE: "Undone",
}


def register(app: Flask) -> None:
    """Give the site the pages and the curator's home their card; a merge that was interrupted is taken back."""
    found = app.extensions["site"]
    with suppress(MemeticaError):  # a library that is away now is looked at again with the next merge
        recover(found.workspace)
    app.extensions["proposals"] = Proposals(found.workspace)
    app.extensions["curator_cards"].append(card)
    app.jinja_env.globals.update(seen=seen)
    app.register_blueprint(blueprint)


def proposals() -> Proposals:
    """Return the groups that wait for a decision."""
    found: Proposals = current_app.extensions["proposals"]
    return found


def card() -> Card:
    """Return the curator's card of what is left to decide."""
    return Card(
        "Duplicates",
        "/curator/duplicates",
        len(proposals().of()),
        "Memes that are there more than once: keep the best.",
    )


@blueprint.get("")
@curator_only
def index() -> str:
    """Show the groups of a tier, how many each tier has, and what was decided last."""
    counts = {tier: 0 for tier in Tier}
    for one in (*proposals().of(), *proposals().of(Tier.VARIANT), *proposals().of(Tier.SAME_WORDS)):
        counts[one.group.tier] += 1
    first = next((tier for tier in Tier if tier.is_duplicate and counts[tier]), Tier.SAME)
    tier = enum_param(request.args, "tier", first)
    found = groups_of(tier)
    page = int_param(request.args, "page", 1, minimum=1, maximum=100_000)
    last = max(1, -(-len(found) // PAGE))
    return render_template(
        "duplicates.html",
        tier=tier,
        counts=counts,
        titles=TITLES,
        explained=EXPLAINED,
        rows=[(one, len(one.memes) - 1) for one in found[(page - 1) * PAGE : page * PAGE]],
        total=len(found),
        pages={
            "page": page,
            "last": last,
            "previous": f"?{urlencode({'tier': tier.value, 'page': page - 1})}" if page > 1 else None,
            "next": f"?{urlencode({'tier': tier.value, 'page': page + 1})}" if page < last else None,
        },
        compared=site().catalogue.pairs.count(),
        interrupted=site().catalogue.journal.in_state(*PENDING),
        lately=_lately(),
        done=_done(),
    )


def groups_of(tier: Tier) -> list[Proposal]:
    """Return the groups of one tier; those of the three that are duplicates are found together."""
    if tier.is_duplicate:
        return [one for one in proposals().of() if one.group.tier is tier]
    return proposals().of(tier)


def _found(key: str) -> tuple[Proposal, list[Proposal]]:
    """Return a group by its key and all that are of its tier; raise NotFound."""
    for tiers in ((), (Tier.VARIANT,), (Tier.SAME_WORDS,)):
        for one in proposals().of(*tiers):
            if one.key == key:
                return one, groups_of(one.group.tier)
    raise NotFound(
        "This group is not there to decide on any more.", hint="It was decided, or one of its files has changed."
    )


@blueprint.get("/<key>")
@curator_only
def group(key: str) -> str | AnyResponse:
    """Show a group side by side, with what speaks for it and what can be decided."""
    try:
        found, queue = _found(key)
    except NotFound:
        return redirect("/curator/duplicates?" + urlencode({"gone": key, **_passed_on()}), code=303)
    place = queue.index(found)
    kept = _chosen(found, request.args.get("keep"))
    shown = request.args.get("show") == "difference"
    return render_template(
        "duplicate.html",
        proposal=found,
        kept=kept,
        reason=found.reason if kept == found.kept else "chosen by you",
        tier=found.group.tier,
        title=TITLES[found.group.tier],
        members=[_facts(found, meme, kept) for meme in (kept, *(one for one in found.memes if one != kept))],
        place=place,
        total=len(queue),
        previous=queue[place - 1].key if place else None,
        next=queue[place + 1].key if place + 1 < len(queue) else None,
        show_difference=shown,
        done=_done(),
    )


def _chosen(found: Proposal, id: str | None) -> Meme:
    return next((meme for meme in found.memes if str(meme.id) == id), found.kept)


def _facts(found: Proposal, meme: Meme, kept: Meme) -> dict[str, Any]:
    """Return what the page says of one meme of a group."""
    texts = site().catalogue.texts.of(meme)
    member = next(one for one in found.group.members if one.meme == meme)
    rival = found.group.representative if meme != found.group.representative else None
    return {
        "meme": meme,
        "described_by": [
            f"{text.source} ({'in detail' if text.kind is TextKind.DETAILED else 'simple'})"
            for text in texts
            if text.kind in (TextKind.SIMPLE, TextKind.DETAILED)
        ],
        "also_in": site().catalogue.journal.categories_merged_into(meme),
        "says": next((" ".join(text.body.split()) for text in texts if text.kind is TextKind.OCR), ""),
        "evidence": member.evidence.in_words() if member.evidence else "",
        "than": rival.path if rival is not None and rival != kept else "",
        "megabytes": size_in_words(meme.size),
    }


def size_in_words(size: int) -> str:
    """Return a number of bytes as people say it."""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:,.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


@blueprint.post("/<key>")
@curator_only
def decision(key: str) -> AnyResponse:
    """Carry out a decision about a group and go on to the next."""
    found, queue = _found(key)
    if request.form.get("seen") != seen(found):
        raise Refused("The group has changed since the page was made; nothing was done.", hint="Look at it again.")
    wanted = enum_param(request.form, "decision", Decision.MERGE)
    if not found.group.tier.is_duplicate and wanted is Decision.MERGE:
        raise WrongUse("Variants are not duplicates: they are never removed.")
    kept = _chosen(found, request.form.get("keep"))
    picked = set(request.form.getlist("other"))
    others = [meme for meme in found.memes if meme != kept and str(meme.id) in picked]
    place = queue.index(found)
    line = decide(site().workspace, wanted, kept=kept, others=others)
    following = queue[place + 1] if place + 1 < len(queue) else queue[place - 1] if place else None
    address = f"/curator/duplicates/{following.key}" if following else "/curator/duplicates"
    return redirect(f"{address}?{urlencode({'did': line.uid, 'of': key})}", code=303)


def seen(proposal: Proposal) -> str:
    """Return a name for what a page showed: another when a meme came, went or changed since."""
    facts = "\n".join(sorted(f"{meme.id} {meme.content_hash}" for meme in proposal.memes))
    return hashlib.sha256(facts.encode()).hexdigest()[:24]


@blueprint.post("/undo/<uid>")
@curator_only
def undo(uid: str) -> AnyResponse:
    """Take a verdict back and show the group that it was about."""
    undo_verdict(site().workspace, uid)
    key = request.form.get("of", "")
    address = f"/curator/duplicates/{key}" if key.isalnum() else "/curator/duplicates"
    return redirect(f"{address}?{urlencode({'undid': uid})}", code=303)


@blueprint.get("/all/<tier>")
@curator_only
def confirm(tier: str) -> str:
    """Say what a batch would do, and ask."""
    return _confirmation(_duplicates(tier))


def _duplicates(tier: str) -> Tier:
    try:
        found = Tier(tier)
    except ValueError:
        raise NotFound(f"There is no tier {tier}.") from None
    if not found.is_duplicate:
        raise WrongUse("Variants are not duplicates: they are never removed.")
    return found


def _confirmation(tier: Tier, *, changed: bool = False) -> str:
    found = groups_of(tier)
    going = [meme for one in found for meme in one.memes[1:]]
    return render_template(
        "duplicates_all.html",
        tier=tier,
        title=TITLES[tier],
        groups=found,
        files=len(going),
        size=size_in_words(sum(meme.size for meme in going)),
        digest=_digest(found),
        changed=changed,
    )


def _digest(found: Iterable[Proposal]) -> str:
    return hashlib.sha256("\n".join(sorted(seen(one) for one in found)).encode()).hexdigest()[:24]


@blueprint.post("/all/<tier>")
@curator_only
def apply_all(tier: str) -> AnyResponse | str:
    """Merge every group of a tier as it was shown; ask again when there are others now."""
    chosen = _duplicates(tier)
    found = groups_of(chosen)
    if request.form.get("digest") != _digest(found):
        return _confirmation(chosen, changed=True)
    token = secrets.token_hex(4)
    applied = apply(
        site().workspace,
        found,
        note=BATCH_NOTE.format(token=token, tier=chosen.value),
        seconds=BATCH_SECONDS,
    )
    told = {
        "tier": chosen.value,
        "batch": token if applied.verdicts else "",
        "failed": len(applied.failed) or "",
        "why": applied.failed[0][1].message if applied.failed else "",
    }
    return redirect("/curator/duplicates?" + urlencode({name: value for name, value in told.items() if value}), 303)


@blueprint.post("/undo-batch/<token>")
@curator_only
def undo_batch(token: str) -> AnyResponse:
    """Take every verdict of a batch back, the last first; what there is no time for is asked for again."""
    found = _batch(token)
    if not found:
        raise NotFound("There is no such batch, or it is undone.")
    begun = monotonic()
    for one in reversed(found):
        undo_verdict(site().workspace, one.uid)
        if monotonic() - begun > BATCH_SECONDS and one is not found[0]:
            return redirect("/curator/duplicates?" + urlencode({"batch": token}), code=303)
    return redirect("/curator/duplicates?" + urlencode({"undid": found[0].uid, "times": len(found)}), code=303)


def _batch(token: str) -> list[Verdict]:
    start = BATCH_NOTE.format(token=token, tier="").partition(":")[0] + ":"
    return [one for one in site().catalogue.verdicts.standing() if one.note.startswith(start)]


@blueprint.get("/difference/<int:one>/<int:other>.png")
@curator_only
def difference_picture(one: int, other: int) -> Response:
    """Return the second meme in grey, red where the first differs; raise NotFound where they do not fit."""
    settings = site().settings
    pictures = [
        decode(
            settings.library / site().catalogue.memes.get(id).path,
            max_pixels=settings.max_pixels,
            max_bytes=settings.max_bytes,
        ).pictures[0]
        for id in (one, other)
    ]
    found = draw_heatmap(*pictures)
    if found is None:
        raise NotFound("These two pictures cannot be aligned.")
    raw = io.BytesIO()
    found.save(raw, "PNG")
    return Response(raw.getvalue(), mimetype="image/png")


@blueprint.get("/trash")
@curator_only
def trash() -> str:
    """Show what merges put in the trash, each with its way back, and where it lies."""
    merges = site().catalogue.journal.in_state(OperationState.DONE, kind=OperationKind.MERGE)
    page = int_param(request.args, "page", 1, minimum=1, maximum=100_000)
    last = max(1, -(-len(merges) // PAGE))
    return render_template(
        "trash.html",
        merges=merges[(page - 1) * PAGE : page * PAGE],
        total=len(merges),
        folder=site().settings.data / "trash",
        pages={
            "page": page,
            "last": last,
            "previous": f"?page={page - 1}" if page > 1 else None,
            "next": f"?page={page + 1}" if page < last else None,
        },
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _lately() -> list[tuple[Verdict, str]]:
    """Return the last standing verdicts, each in words."""
    standing = site().catalogue.verdicts.standing()
    return [(one, DONE[one.kind]) for one in reversed(standing[-LAST:])]


def _passed_on() -> dict[str, str]:
    return {name: request.args[name] for name in ("did", "of", "undid") if name in request.args}


def _done() -> dict[str, Any] | None:
    """Return what this page was reached by doing: a sentence, and what its undo is."""
    catalogue = site().catalogue
    if "batch" in request.args or "failed" in request.args:
        done = _batch(request.args.get("batch", "")) if request.args.get("batch") else []
        moved = sum(len(one.contents) - 1 for one in done)
        said = f"{_count(moved, 'file')} of {_count(len(done), 'group')} went to the trash."
        failed = int_param(request.args, "failed", 0, minimum=0, maximum=1_000_000)
        if failed:
            said += f" {failed:,} could not be merged: {request.args.get('why', '')}"
        return {"message": said, "undo": f"/curator/duplicates/undo-batch/{request.args['batch']}" if done else None}
    if "undid" in request.args:
        times = int_param(request.args, "times", 1, minimum=1, maximum=1_000_000)
        return {"message": "Undone: all is as it was." if times == 1 else f"{times:,} merges undone.", "undo": None}
    uid = request.args.get("did", "")
    line = next((one for one in catalogue.verdicts.standing() if one.uid == uid), None) if uid else None
    if line is None:
        return None
    names = ", ".join(path.rpartition("/")[2] for path in line.paths)
    return {
        "message": f"{DONE[line.kind]}: {names}",
        "undo": f"/curator/duplicates/undo/{uid}",
        "of": request.args.get("of", ""),
    }

"""The curator's pages about duplicates: groups by tier, one group with its decisions, batches, undo and the trash."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from PIL import Image
from werkzeug.wrappers import Response as AnyResponse

from indexer.curation.duplicates import Decision, Proposal, ProposalCache, decide
from indexer.library.transaction import recover
from indexer.stages.decode import decode_content
from search.catalogue import PENDING, BatchItem, OperationState, Verdict, VerdictKind
from search.catalogue.journal import Merge, Trash
from search.duplicates.heatmap import draw_heatmap
from search.errors import MemeticaError, NotFound, WrongUse
from search.evidence import Evidence, Tier
from search.meme import Meme, TextKind
from web.background.counts import counted_comparisons
from web.context import site
from web.curator import batches
from web.curator.actions import undo_verdict
from web.curator.auth import Refused, curator_only
from web.curator.differences import differences, evidence_sentence, summary
from web.curator.home import Card
from web.formatting import format_size
from web.params import enum_param, int_param, page_links

blueprint = Blueprint("duplicates", __name__, url_prefix="/curator/duplicates")
PAGE_SIZE = 30
RECENT = 12  # verdicts shown
TITLES = {
    Tier.IDENTICAL: "Identical files",
    Tier.SAME: "Same picture",
    Tier.EDITED: "Edited pictures",
    Tier.VARIANT: "Variants",
    Tier.SAME_WORDS: "Same words",
}
EXPLANATIONS = {
    Tier.IDENTICAL: "The same file, stored more than once.",
    Tier.SAME: "The same picture, re-encoded or resized.",
    Tier.EDITED: "The same picture and text, cropped, framed, watermarked, mirrored or recoloured.",
    Tier.VARIANT: "The same template with another text. These are different memes and are never removed.",
    Tier.SAME_WORDS: "The same text on another picture. These are different memes and are never removed.",
}
DONE = {
    VerdictKind.MERGED: "Merged",
    VerdictKind.DISTINCT: "Not duplicates",
    VerdictKind.KEEP_ALL: "All kept",
    VerdictKind.DUPLICATES: "Marked as duplicates",
}


def register(app: Flask) -> None:
    """Add the pages, and a card to the curator's home; undo a merge that an earlier process did not finish."""
    found = app.extensions["site"]
    with suppress(MemeticaError):  # when the library is not mounted now, the next merge tries again
        recover(found.workspace)
    app.extensions["proposals"] = ProposalCache(found.workspace)
    app.extensions["curator_cards"].append(card)
    app.jinja_env.globals.update(seen=digest_of)
    app.register_blueprint(blueprint)


def proposals() -> ProposalCache:
    """Return the undecided groups of the current application."""
    found: ProposalCache = current_app.extensions["proposals"]
    return found


def card() -> Card:
    """Return the card of undecided groups."""
    return Card(
        "Duplicates",
        "/curator/duplicates",
        len(proposals().of()),
        "Memes that are stored more than once: keep the best copy.",
    )


@blueprint.get("")
@curator_only
def index() -> str:
    """Show the undecided groups of a tier, the number of groups in each tier, and the last decisions."""
    counts = {tier: 0 for tier in Tier}
    for one in (*proposals().of(), *proposals().of(Tier.VARIANT), *proposals().of(Tier.SAME_WORDS)):
        counts[one.group.tier] += 1
    first = next((tier for tier in Tier if tier.is_duplicate and counts[tier]), Tier.SAME)
    tier = enum_param(request.args, "tier", first)
    found = groups_of(tier)
    page = int_param(request.args, "page", 1, minimum=1, maximum=100_000)
    return render_template(
        "duplicates.html",
        tier=tier,
        counts=counts,
        titles=TITLES,
        explanations=EXPLANATIONS,
        rows=[(one, _listed(one)) for one in found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]],
        total=len(found),
        sure=sum(one.is_sure for one in found),
        pages=page_links(
            len(found), page, size=PAGE_SIZE, address=lambda page: f"?{urlencode({'tier': tier.value, 'page': page})}"
        ),
        compared=site().catalogue.pairs.count(),
        uncompared=counted_comparisons()[1],
        interrupted=site().catalogue.journal.in_state(*PENDING),
        recent=_recent(),
        done=_done(),
    )


def _listed(proposal: Proposal) -> dict[str, Any]:
    """Return what the list shows of a group: how the memes differ, and why they are a group."""
    evidence = next((one.evidence for one in proposal.group.members if one.evidence is not None), None)
    return {
        "differences": summary(
            differences(proposal.memes, descriptions=_descriptions(proposal.memes), evidence=_evidence(proposal))
        ),
        "why": evidence_sentence(evidence),
    }


def _evidence(proposal: Proposal) -> list[Evidence | None]:
    return [one.evidence for one in proposal.group.members]


def _descriptions(memes: Sequence[Meme]) -> dict[int, int]:
    """Return how many descriptions each meme has, by its id."""
    texts = site().catalogue.texts
    return {
        meme.id: sum(text.kind in (TextKind.SIMPLE, TextKind.DETAILED) for text in texts.of(meme)) for meme in memes
    }


def groups_of(tier: Tier) -> list[Proposal]:
    """Return the undecided groups of one tier, the surest first."""
    # The groups of the three tiers of duplicates are computed together.
    if tier.is_duplicate:
        return [one for one in proposals().of() if one.group.tier is tier]
    return proposals().of(tier)


def _found(key: str) -> tuple[Proposal, list[Proposal]]:
    """Return the group of a key and all groups of its tier; raise NotFound."""
    for tiers in ((), (Tier.VARIANT,), (Tier.SAME_WORDS,)):
        for one in proposals().of(*tiers):
            if one.key == key:
                return one, groups_of(one.group.tier)
    raise NotFound("This group is closed.", hint="It was decided already, or one of its files has changed.")


@blueprint.get("/<key>")
@curator_only
def group(key: str) -> str | AnyResponse:
    """Show the memes of a group side by side, with the evidence and the possible decisions."""
    try:
        found, queue = _found(key)
    except NotFound:
        return redirect("/curator/duplicates?" + urlencode({"gone": key, **_note_parameters()}), code=303)
    place = queue.index(found)
    kept = _chosen(found, request.args.get("keep"))
    members = [kept, *(one for one in found.memes if one != kept)]
    show_difference = request.args.get("show") == "difference"
    return render_template(
        "duplicate.html",
        differences=differences(members, descriptions=_descriptions(members), evidence=_evidence(found)),
        proposal=found,
        kept=kept,
        reason=found.reason if kept == found.kept else "your choice",
        tier=found.group.tier,
        title=TITLES[found.group.tier],
        members=[_facts(found, meme, kept) for meme in members],
        place=place,
        total=len(queue),
        previous=queue[place - 1].key if place else None,
        next=queue[place + 1].key if place + 1 < len(queue) else None,
        show_difference=show_difference,
        unaligned=[one for one in members[1:] if _cannot_be_aligned(kept, one)] if show_difference else [],
        done=_done(),
    )


def _cannot_be_aligned(one: Meme, other: Meme) -> bool:
    try:
        return _difference(one, other) is None
    except MemeticaError:  # a file that is gone or cannot be decoded
        return True


def _chosen(found: Proposal, id: str | None) -> Meme:
    return next((meme for meme in found.memes if str(meme.id) == id), found.kept)


def _facts(found: Proposal, meme: Meme, kept: Meme) -> dict[str, Any]:
    """Return what the page shows of one meme of a group."""
    texts = site().catalogue.texts.of(meme)
    member = next(one for one in found.group.members if one.meme == meme)
    other = found.group.representative if meme != found.group.representative else None
    return {
        "meme": meme,
        "described_by": [
            f"{text.source} ({'in detail' if text.kind is TextKind.DETAILED else 'simple'})"
            for text in texts
            if text.kind in (TextKind.SIMPLE, TextKind.DETAILED)
        ],
        "also_in": site().catalogue.journal.categories_merged_into(meme),
        "text": next((" ".join(text.body.split()) for text in texts if text.kind is TextKind.OCR), ""),
        "why": evidence_sentence(member.evidence),
        "evidence": member.evidence.in_words() if member.evidence else "",
        "compared_with": other.path if other is not None and other != kept and len(found.memes) > 2 else "",
        "size": format_size(meme.size),
    }


@blueprint.post("/<key>")
@curator_only
def decision(key: str) -> AnyResponse:
    """Carry out a decision about a group and go on to the next one."""
    try:
        found, queue = _found(key)
    except NotFound:  # decided in another tab, or by the first click of two
        return redirect("/curator/duplicates?" + urlencode({"gone": key}), code=303)
    if request.form.get("seen") != digest_of(found):
        raise Refused("The group has changed since the page was loaded; nothing was done.", hint="Load the page again.")
    wanted = enum_param(request.form, "decision", Decision.MERGE)
    if not found.group.tier.is_duplicate and wanted is Decision.MERGE:
        raise WrongUse("Variants are different memes and are never removed.")
    kept = _chosen(found, request.form.get("keep"))
    picked = set(request.form.getlist("other"))
    others = [meme for meme in found.memes if meme != kept and str(meme.id) in picked]
    place = queue.index(found)
    line = decide(site().workspace, wanted, kept=kept, others=others)
    following = queue[place + 1] if place + 1 < len(queue) else queue[place - 1] if place else None
    address = f"/curator/duplicates/{following.key}" if following else "/curator/duplicates"
    return redirect(f"{address}?{urlencode({'did': line.uid, 'of': key})}", code=303)


def digest_of(proposal: Proposal) -> str:
    """Return a hash of a group's memes and their contents, which tells whether a page shows the current group."""
    facts = "\n".join(sorted(f"{meme.id} {meme.content_hash}" for meme in proposal.memes))
    return hashlib.sha256(facts.encode()).hexdigest()[:24]


@blueprint.post("/undo/<uid>")
@curator_only
def undo(uid: str) -> AnyResponse:
    """Undo a verdict and show its group again."""
    undo_verdict(uid)
    key = request.form.get("of", "")
    address = f"/curator/duplicates/{key}" if key.isalnum() else "/curator/duplicates"
    return redirect(f"{address}?{urlencode({'undid': uid})}", code=303)


@blueprint.get("/all/<tier>")
@curator_only
def confirm(tier: str) -> str:
    """Show what a batch would do, and ask for confirmation."""
    return _confirmation(_duplicates(tier))


def _duplicates(tier: str) -> Tier:
    try:
        found = Tier(tier)
    except ValueError:
        raise NotFound(f"There is no tier {tier}.") from None
    if not found.is_duplicate:
        raise WrongUse("Variants are different memes and are never removed.")
    return found


def _confirmation(tier: Tier, *, changed: bool = False) -> str:
    every = groups_of(tier)
    found = [one for one in every if one.is_sure]
    removed = [meme for one in found for meme in one.memes[1:]]
    return render_template(
        "duplicates_all.html",
        tier=tier,
        title=TITLES[tier],
        groups=found,
        unsure=len(every) - len(found),
        files=len(removed),
        size=format_size(sum(meme.size for meme in removed)),
        digest=_digest(found),
        changed=changed,
    )


def _digest(found: Iterable[Proposal]) -> str:
    return hashlib.sha256("\n".join(sorted(digest_of(one) for one in found)).encode()).hexdigest()[:24]


@blueprint.post("/all/<tier>")
@curator_only
def apply_all(tier: str) -> AnyResponse | str:
    """Merge every group of a tier as the page showed it; ask again when the groups have changed."""
    chosen = _duplicates(tier)
    found = [one for one in groups_of(chosen) if one.is_sure]
    if request.form.get("digest") != _digest(found):
        return _confirmation(chosen, changed=True)
    return _merge(found, tier=chosen)


@blueprint.post("/some/<tier>")
@curator_only
def apply_some(tier: str) -> AnyResponse:
    """Merge the chosen groups of a tier as the list showed them; groups that have changed since are refused."""
    chosen = _duplicates(tier)
    picked = set(request.form.getlist("group"))
    found = [one for one in groups_of(chosen) if f"{one.key}-{digest_of(one)}" in picked]
    if len(found) < len(picked):
        raise Refused("Some groups have changed since the page was loaded; nothing was done.", hint="Load it again.")
    return _merge(found, tier=chosen)


def _merge(proposals: Sequence[Proposal], *, tier: Tier) -> AnyResponse:
    """Start a batch that merges groups as proposed."""
    items = [
        BatchItem(
            "merge",
            str(one.kept.id),
            json.dumps([(meme.id, meme.content_hash) for meme in one.memes]),
            name=one.kept.path,
        )
        for one in proposals
    ]
    title = f"{'group' if len(items) == 1 else 'groups'} merged"
    return batches.start(items, title=title, page=f"/curator/duplicates?{urlencode({'tier': tier.value})}")


@blueprint.get("/difference/<int:one>/<int:other>.png")
@curator_only
def difference_picture(one: int, other: int) -> Response:
    """Return the second meme in grey with differences in red; raise NotFound when the two cannot be aligned."""
    found = _difference(*(site().catalogue.memes.get(id) for id in (one, other)))
    if found is None:
        raise NotFound("These two pictures cannot be aligned.")
    raw = io.BytesIO()
    found.save(raw, "PNG")
    return Response(raw.getvalue(), mimetype="image/png")


def _difference(one: Meme, other: Meme) -> Image.Image | None:
    """Return the second meme in grey with differences in red; None when the two cannot be aligned."""
    return draw_heatmap(*(decode_content(site().settings, meme).comparable[0] for meme in (one, other)))


@blueprint.get("/trash")
@curator_only
def trash() -> str:
    """Show the merged and the removed memes whose files are in the trash, each with a button that restores them."""
    journal = site().catalogue.journal
    merges = [one for one in journal.in_state(OperationState.DONE) if isinstance(one.intent, Merge | Trash)]
    page = int_param(request.args, "page", 1, minimum=1, maximum=100_000)
    return render_template(
        "trash.html",
        merges=merges[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
        total=len(merges),
        folder=site().settings.data / "trash",
        pages=page_links(len(merges), page, size=PAGE_SIZE, address=lambda page: f"?page={page}"),
    )


def _recent() -> list[tuple[Verdict, str]]:
    """Return the last standing verdicts about duplicates, newest first, each with its label."""
    standing = [one for one in site().catalogue.verdicts.standing() if one.kind in DONE]
    return [(one, DONE[one.kind]) for one in reversed(standing[-RECENT:])]


def _note_parameters() -> dict[str, str]:
    """Return the parameters of this address that the note about the last decision needs."""
    return {name: request.args[name] for name in ("did", "of", "undid") if name in request.args}


def _done() -> dict[str, Any] | None:
    """Return what the note about the last decision says, and the address that undoes it."""
    catalogue = site().catalogue
    if (note := batches.batch_note()) is not None:
        return note
    if "undid" in request.args:
        return {"message": "Undone.", "undo": None}
    uid = request.args.get("did", "")
    line = next((one for one in catalogue.verdicts.standing() if one.uid == uid and one.kind in DONE), None)
    if line is None:
        return None
    names = ", ".join(path.rpartition("/")[2] for path in line.paths)
    return {
        "message": f"{DONE[line.kind]}: {names}",
        "undo": f"/curator/duplicates/undo/{uid}",
        "of": request.args.get("of", ""),
    }

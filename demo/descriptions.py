"""Texts of the demo's sidecars: a meme's words, a description of two or three sentences, and OCR with errors."""

from __future__ import annotations

from random import Random

from demo.jokes import Form, Joke
from demo.scenes import Scene
from demo.vocabulary import Action, Expression, Subject

_MOODS = {
    Expression.HAPPY: "a wide open smile",
    Expression.SAD: "drooping brows and a small frown",
    Expression.ANGRY: "lowered brows and clenched teeth",
    Expression.SHOCKED: "huge round eyes and an open mouth",
    Expression.SMUG: "half-closed eyes and a crooked smirk",
    Expression.TIRED: "heavy lids and bags under the eyes",
    Expression.CONFUSED: "one raised brow and a wavy mouth",
    Expression.CRYING: "streams of tears",
}


def words_of(joke: Joke) -> tuple[str, ...]:
    """Return each text written in a meme, in order, without the notation of the joke files."""
    if joke.form in (Form.BARS, Form.PIE):
        return (joke.lines[0], *(line.rpartition(":")[0] for line in joke.lines[1:]))
    if joke.form is Form.LINE:
        title, across, up, _, remark = joke.lines
        return title, across, up, remark
    if joke.form is Form.CHAT:
        return (joke.lines[0], *(line.partition(":")[2].strip() for line in joke.lines[1:]))
    if joke.form is Form.LIST:
        return (joke.lines[0], *(line.removeprefix("x ") for line in joke.lines[1:]))
    return tuple(line for line in joke.lines if line)


def simple_description(joke: Joke, random: Random) -> str:
    """Return a description of the meme in one to three sentences, with its visible words."""
    scene = joke.scenes[0]
    seen = _SEEN[joke.form](joke, scene)
    closing = random.choice(
        (
            f"The joke is about {joke.means}.",
            f"It makes fun of {joke.means}.",
            f"The humour comes from {joke.means}.",
            "",
        )
    )
    return " ".join(part for part in (seen, closing) if part)


def face_of(scene: Scene) -> str:
    """Return a phrase that describes a character's face and can follow "with"."""
    return _MOODS[scene.expression]


def misread(joke: Joke, random: Random) -> str:
    """Return a meme's words with OCR errors: some characters are wrong or lost."""
    swaps = {"l": "|", "I": "l", "O": "0", "S": "5", "E": "F", "m": "rn", "g": "q", "B": "8", "t": "f", "'": "’"}
    rows: list[str] = []
    for line in words_of(joke):
        shown = line.upper() if joke.form in (Form.MACRO, Form.LABELS) else line
        read = ""
        for letter in shown:
            luck = random.random()
            if luck < 0.035 and letter in swaps:
                read += swaps[letter]
            elif luck >= 0.05:
                read += letter
        rows.append(read)
        if random.random() < 0.25:
            rows.append(random.choice(("~ _", "ee", "|", "“ .", "\\ /", "- =", "oe a")))
    return "\n".join(rows) + "\n"


def _quoted(*lines: str) -> str:
    shown = [f"“{line}”" for line in lines if line]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}"


def _somebody(scene: Scene) -> str:
    return f"{'an' if str(scene.color)[0] in 'aeiou' else 'a'} {scene.color} {scene.subject}"


def _macro(joke: Joke, scene: Scene) -> str:
    top, bottom = joke.lines
    return f"{_cartoon(scene)} {_face(scene)} White capitals say “{top}” at the top and “{bottom}” at the bottom."


def _cartoon(scene: Scene) -> str:
    return f"A cartoon: {scene.caption()[0].lower()}{scene.caption()[1:]}"


def _face(scene: Scene) -> str:
    return "" if scene.action is Action.SLEEPING else f"The {scene.subject} has {face_of(scene)}."


def _bar(joke: Joke, scene: Scene) -> str:
    return (
        f"Under the line “{joke.lines[0]}” a drawing shows {scene.caption()[0].lower()}{scene.caption()[1:]}"
        f" {_face(scene)}"
    )


def _versus(joke: Joke, scene: Scene) -> str:
    other = joke.scenes[1]
    return (
        f"Two panels side by side. On the left, headed “{joke.lines[0]}”,"
        f" {scene.caption()[0].lower()}{scene.caption()[1:]} On the right, headed “{joke.lines[1]}”,"
        f" {other.caption()[0].lower()}{other.caption()[1:]}"
    )


def _refuse(joke: Joke, scene: Scene) -> str:
    return (
        f"Two rows. In the upper one {_somebody(scene)} turns down “{joke.lines[0]}” with an angry shrug and a red"
        f" cross; in the lower one it waves happily, with a green tick, at “{joke.lines[1]}”."
    )


def _labels(joke: Joke, scene: Scene) -> str:
    chased = joke.scenes[1]
    above = f" Above them it says “{joke.lines[2]}”." if len(joke.lines) > 2 and joke.lines[2] else ""
    return (
        f"{_somebody(scene).capitalize()} labelled “{joke.lines[0]}” goes after {_somebody(chased)} labelled "
        f"“{joke.lines[1]}” {chased.place}.{above}"
    )


def _comic(joke: Joke, scene: Scene) -> str:
    other = joke.scenes[1]
    spoken = [line for line in joke.lines if line]
    silence = " The last panel is silent and closer." if not joke.lines[-1] else ""
    return (
        f"A four-panel comic {scene.place}: {_somebody(scene)} and {_somebody(other)} talk. "
        f"They say {_quoted(*spoken)}.{silence}"
    )


def _ladder(joke: Joke, scene: Scene) -> str:
    return (
        f"Four rows, each with a line of text and {_somebody(scene)} that glows more from row to row until it floats in"
        f" light. The lines are {_quoted(*joke.lines)}."
    )


def _numbers(joke: Joke, scene: Scene) -> str:
    kind = "bar chart" if joke.form is Form.BARS else "pie chart"
    parts = [(label.strip(), float(value)) for label, _, value in (line.rpartition(":") for line in joke.lines[1:])]
    most, least = max(parts, key=lambda one: one[1])[0], min(parts, key=lambda one: one[1])[0]
    return (
        f"A {kind} titled “{joke.lines[0]}” with the parts {_quoted(*(label for label, _ in parts))}; by far the"
        f" largest is “{most}”, the smallest “{least}”. A small {scene.color} {scene.subject} stands beside it."
    )


_CURVES = {
    "rise": "climbs steadily",
    "fall": "sinks to nothing",
    "cliff": "rises and then falls off a cliff",
    "spike": "is flat but for one tall spike",
    "wave": "goes up and down wildly",
    "hockey": "stays flat and shoots up at the very end",
    "flat": "never leaves the bottom",
}


def _line(joke: Joke, scene: Scene) -> str:
    title, across, up, shape, remark = joke.lines
    return (
        f"A line chart titled “{title}”: “{up}” against “{across}” {_CURVES[shape]}. A note below says “{remark}”, and"
        f" a small {scene.color} {scene.subject} stands in the corner."
    )


def _venn(joke: Joke, scene: Scene) -> str:
    title, left, right, both = joke.lines
    return (
        f"A Venn diagram titled “{title}” with two circles, “{left}” and “{right}”; where they overlap it says"
        f" “{both}”. A small {scene.color} {scene.subject} stands beside it."
    )


def _post(joke: Joke, scene: Scene) -> str:
    return (
        f"A screenshot of a post by “{joke.lines[0]}”, whose portrait is {_somebody(scene)}. It reads:"
        f" “{joke.lines[1]}”"
    )


def _chat(joke: Joke, scene: Scene) -> str:
    said = [
        ("the other: " if line.startswith("them:") else "me: ") + line.partition(":")[2].strip()
        for line in joke.lines[1:]
    ]
    return f"A screenshot of a chat with “{joke.lines[0]}”, {_somebody(scene)} in the portrait. {_quoted(*said)}."


def _dialog(joke: Joke, scene: Scene) -> str:
    title, message, *buttons = joke.lines
    return (
        f"A dialog box titled “{title}” with a yellow warning sign. It says “{message}” and offers {_quoted(*buttons)}."
        f" {_somebody(scene).capitalize()} stands in front of it."
    )


def _search(joke: Joke, scene: Scene) -> str:
    return (
        f"A search box in which somebody typed “{joke.lines[0]}”, with {_somebody(scene)} peeking over it. "
        f"The suggestions are {_quoted(*joke.lines[1:])}."
    )


def _sign(joke: Joke, scene: Scene) -> str:
    kinds = {
        Form.ROAD: "A large road sign",
        Form.WARNING: "A yellow warning sign in the shape of a diamond",
        Form.BILLBOARD: "A big billboard",
        Form.STICKY: "A sticky note fixed with tape",
    }
    return (
        f"{kinds[joke.form]} {scene.place} {scene.when()} reads {_quoted(*joke.lines)}. Beside it {scene.who()} is"
        f" {scene.action}."
    )


def _list(joke: Joke, scene: Scene) -> str:
    title, *entries = joke.lines
    done = [entry.removeprefix("x ") for entry in entries if entry.startswith("x ")]
    undone = [entry for entry in entries if not entry.startswith("x ")]
    return (
        f"A page of a notebook titled “{title}”. Ticked off: {_quoted(*done)}; still open: {_quoted(*undone)}. "
        f"{_somebody(scene).capitalize()} stands at the corner."
    )


_SEEN = {
    Form.MACRO: _macro,
    Form.BAR: _bar,
    Form.VERSUS: _versus,
    Form.REFUSE: _refuse,
    Form.LABELS: _labels,
    Form.COMIC: _comic,
    Form.LADDER: _ladder,
    Form.BARS: _numbers,
    Form.PIE: _numbers,
    Form.LINE: _line,
    Form.VENN: _venn,
    Form.POST: _post,
    Form.CHAT: _chat,
    Form.DIALOG: _dialog,
    Form.SEARCH: _search,
    Form.ROAD: _sign,
    Form.WARNING: _sign,
    Form.BILLBOARD: _sign,
    Form.STICKY: _sign,
    Form.LIST: _list,
}


def kind_of(subject: Subject) -> str:
    """Return the noun that a description uses for a character."""
    if subject in (Subject.ROBOT, Subject.TOASTER):
        return "machine"
    if subject in (Subject.GHOST, Subject.ALIEN, Subject.WIZARD):
        return "figure of fantasy"
    if subject in (Subject.MUG, Subject.CACTUS, Subject.POTATO):
        return "household thing"
    return "person" if subject is Subject.WORKER else "animal"

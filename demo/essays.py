"""Detailed analyses of a meme, generated from a grammar and the facts about that meme."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from random import Random

from demo.descriptions import face_of, kind_of, simple_description, words_of
from demo.jokes import Joke


def detailed_analysis(joke: Joke, random: Random) -> str:
    """Return a Markdown analysis of about 300 to 600 words: an opening, then sections, first "Visual Description"."""
    grammar = tomllib.loads(files("demo").joinpath("grammar", "essays.toml").read_text("utf-8"))
    scene = joke.scenes[0]
    facts = {
        "form": str(joke.form),
        "category": joke.category,
        "means": joke.means,
        "subject": str(scene.subject),
        "subject_a": f"{'an' if str(scene.subject)[0] in 'aeiou' else 'a'} {scene.subject}",
        "coat_a": f"{'an' if str(scene.color)[0] in 'aeiou' else 'a'} {scene.color} {scene.subject}",
        "colour": str(scene.color),
        "face": face_of(scene),
        "place": str(scene.place),
        "who": scene.who(),
        "kind": kind_of(scene.subject),
        "thing": str(scene.prop).split(" ", 1)[-1] or "floor under its feet",
        "quote": max(words_of(joke), key=len),
        "description": simple_description(joke, Random(random.random())),
    }
    first, *lenses = grammar["sections"]
    *lenses, conclusion = lenses
    # At most one section is left out, so that analyses differ and none is empty.
    dropped = random.choice([None, None, *range(len(lenses))])
    chosen = [first, *(lens for k, lens in enumerate(lenses) if k != dropped)] + (
        [conclusion] if random.random() < 0.8 else []
    )
    parts = [random.choice(grammar["openers"]).format(**facts)]
    for section in chosen:
        parts.append(f"## {section['heading']}\n\n{random.choice(section['paragraphs']).format(**facts)}")
    return "\n\n".join(parts) + "\n"

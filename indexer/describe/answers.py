"""Check a model's answer: whether it is a description, empty, a refusal, a loop or cut short."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass

from search.catalogue import Outcome

# A refusal is short; a longer answer describes something even if it begins like a refusal.
REFUSAL_WORDS = 80
LEAST_WORDS = 3
LEAST_LETTERS = 18  # in scripts without spaces between words
# A meme may repeat "NO NO NO NO NO NO"; a looping model repeats until it is stopped.
LOOP_WORDS = 40
LOOP_TURNS = 5
LONGEST_TURN = 120

_THOUGHT = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.IGNORECASE | re.DOTALL)
_UNFINISHED_THOUGHT = re.compile(r"\A\s*<(?:think|thinking|reasoning)>.*\Z", re.IGNORECASE | re.DOTALL)
_FENCE = re.compile(r"\A```(?:markdown|md|text|json)?[ \t]*\n(.*?)\n```\Z", re.DOTALL)
# Under these names models that answer in JSON put the text.
_TEXT_NAMES = ("description", "detailed_analysis", "analysis", "text", "answer", "response", "caption")
# The beginning of such an object, which the token limit may cut off anywhere: in the text, or in an escape of it.
_CUT_OBJECT = re.compile(
    rf'\A\{{\s*"(?:{"|".join(_TEXT_NAMES)})"\s*:\s*("(?:[^"\\]|\\u[0-9a-f]{{4}}|\\[^u])*)', re.IGNORECASE | re.DOTALL
)
_NOT_BEGUN = "The model reached the token limit before it answered."
_THOUGHT_ONLY = (
    "The model thought and did not answer, though it was told not to think: choose one that does not think, such as one"
    " whose name ends in `-instruct`."
)
_SENTENCE = re.compile(r"[^.!?\n]+")
_WHOLE = re.compile(r"\A.*(?:[.!?…。！？][\"'”’)\]*_]*(?=\s|\Z)|\n)", re.DOTALL)
_REFUSAL = re.compile(
    r"""
    \A\W*(?:
        (?:i\s*(?:a|')?m\s+(?:very\s+|so\s+)?sorry|sorry|i\s+apologi[sz]e|unfortunately|apologies)\b
            .{0,80}?\b(?:can\s*not|can't|unable|won't|not\s+able|not\s+comfortable|don't|couldn't)\b
      | (?:as\s+an?\s+(?:ai|large\s+language|language)\b.{0,80}?\b(?:can\s*not|can't|unable|not\s+able|don't))
      | i\s+(?:can\s*not|can't|won't|will\s+not|must\s+decline|(?:a|')m\s+(?:unable|not\s+able|not\s+going))
            \s*(?:to\s+)?(?:help|assist|comply|fulfil|describe|provide|analy[sz]e|continue|engage|do\s+that|discuss|create
            |generate|process|view|see|access|support|identify|with)\b
      | i\s*(?:a|')m\s+(?:unable|not\s+able)\s+to\b
      | i\s+(?:do\s+not|don't)\s+(?:see|have\s+access\s+to)\s+(?:any|an|the|your)\b
      | (?:this|the)\s+(?:request|content|image)\s+(?:violates|goes\s+against|is\s+against)\b
      | (?:please\s+(?:provide|upload|share|attach)|it\s+(?:seems|looks\s+like|appears)\s+(?:that\s+)?(?:there\s+is\s+no
            |you\s+(?:haven't|didn't|have\s+not)))\b.{0,80}?\b(?:image|picture|photo|file|attach\w*)
      | (?:no|there\s+is\s+no)\s+(?:image|picture)\s+(?:was|is|has\s+been|attached|provided|visible)\b
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class CheckedAnswer:
    """The outcome of an answer, the text to keep (may be empty), and the reason if it is not a complete description."""

    outcome: Outcome
    text: str
    reason: str = ""


def check_answer(
    answer: str, *, finish: str | None, refusal: str | None = None, thoughts: bool = False
) -> CheckedAnswer:
    """Return the outcome of a model's answer; `finish`, `refusal` and `thoughts` are what the endpoint reports.

    >>> check_answer("A cat sits in a box.", finish="stop").outcome
    <Outcome.DESCRIBED: 'described'>
    >>> check_answer("I'm sorry, I can't help with that.", finish="stop").outcome
    <Outcome.REFUSED: 'refused'>
    """
    if refusal:
        return CheckedAnswer(Outcome.REFUSED, "", f"The model refused: {_begins(refusal)}")
    if finish == "content_filter":
        return CheckedAnswer(Outcome.REFUSED, "", "The endpoint's content filter blocked the answer.")
    text = strip_reasoning(answer)
    words = text.split()
    if is_looping(text):
        return CheckedAnswer(Outcome.LOOPING, "", f"The model repeated itself: …{' '.join(words[-12:])}")
    if len(words) <= REFUSAL_WORDS and _REFUSAL.match(text.replace("’", "'")):
        return CheckedAnswer(Outcome.REFUSED, "", f"The model refused: {_begins(text)}")
    if finish == "length":
        whole = _WHOLE.match(text)
        kept = whole[0].strip() if whole else ""
        if len(kept.split()) < LEAST_WORDS:
            return CheckedAnswer(Outcome.EMPTY, "", _THOUGHT_ONLY if thoughts else _NOT_BEGUN)
        return CheckedAnswer(Outcome.CUT_SHORT, kept, "The answer was cut off at the token limit.")
    if not text:
        return CheckedAnswer(Outcome.EMPTY, "", _THOUGHT_ONLY if thoughts else "The answer is empty.")
    if len(words) < LEAST_WORDS and sum(map(str.isalnum, text)) < LEAST_LETTERS:
        return CheckedAnswer(Outcome.EMPTY, "", f"The answer is too short: {_begins(text)}")
    return CheckedAnswer(Outcome.DESCRIBED, text)


def strip_reasoning(answer: str) -> str:
    """Return an answer without leading reasoning, and without a code fence or a JSON object around the whole.

    >>> strip_reasoning("<think>A cat?</think> A cat in a box.")
    'A cat in a box.'
    """
    text = _UNFINISHED_THOUGHT.sub("", _THOUGHT.sub("", answer.replace("\0", "").replace("\r\n", "\n"))).strip()
    fenced = _FENCE.match(text)
    return _unwrapped(fenced[1].strip() if fenced else text)


def _unwrapped(text: str) -> str:
    """Return the text in a JSON object with one text, or with one under a usual name; another text as it is."""
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text, strict=False)
    except ValueError:
        cut = _CUT_OBJECT.match(text)
        return str(json.loads(f'{cut[1]}"', strict=False)).strip() if cut else text
    texts = {name.lower(): value.strip() for name, value in found.items() if isinstance(value, str) and value.strip()}
    named = [texts[name] for name in _TEXT_NAMES if name in texts]
    return named[0] if named else next(iter(texts.values())) if len(texts) == 1 else text


def is_looping(text: str) -> bool:
    """Return whether a text ends in one phrase repeated again and again, or consists mostly of repeated sentences.

    >>> is_looping("a cat in a box " * 20), is_looping("A cat sits in a box.")
    (True, False)
    """
    words = text.lower().split()
    if _turns(words) or _turns(words[:-1]):  # the token limit may cut a loop within a word
        return True
    # A loop without spaces: a script that has none, or "hahaha…" up to the limit.
    tail = text[-600:]
    if len(tail) == 600 and any(tail == (tail[:turn] * (600 // turn + 1))[:600] for turn in range(1, 60)):
        return True
    sentences = [
        one for one in (" ".join(part.lower().split()) for part in _SENTENCE.findall(text)) if one.count(" ") > 2
    ]
    repeated = sum(count - 1 for count in Counter(sentences).values())
    return repeated >= 2 * LOOP_TURNS and repeated > len(sentences) / 2


def _turns(words: list[str]) -> bool:
    for turn in range(1, min(LONGEST_TURN, len(words) // LOOP_TURNS) + 1):
        length = 0
        while length + turn < len(words) and words[-1 - length] == words[-1 - length - turn]:
            length += 1
        if length + turn >= max(LOOP_WORDS, LOOP_TURNS * turn):
            return True
    return False


def _begins(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 160 else words[:159] + "…"

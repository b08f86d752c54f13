"""The memes that hold the words of a query: all of them, exactly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from search.encoders.emoji import emoji_words, is_emoji
from search.index.columns import Ids, are_among, union
from search.index.conditions import All, Begins, Holds, Where, Written
from search.index.lexical.analyzer import (
    LETTERWISE_WORD,
    MAX_TERMS,
    is_stop_word,
    korean_words,
    query_terms,
    tokenize,
    unaccented,
    word_as_written,
)
from search.index.lexical.file_names import is_code_part
from search.index.lexical.vocabulary import WordIndex
from search.query.language import accents_tell_apart, reads_as_english

COMMON = 3  # memes from which a word of the library is a word, whatever its language
MAX_SHORT = 3  # syllables of Korean that stand within longer words by chance
_OTHER_LETTER = re.compile(r"[^\W\d_a-zA-Z]")  # than those of English
# English words that say little by themselves: where a query has no others, its stop words count too. "You are" asks
# for both words, "the office" for one. The closed classes of grammar: pronouns, question words, auxiliaries and so on.
_COMPOUND = re.compile(r"\w+(?:-\w+)+")
_CLOSED_CLASSES = """
    i me my mine myself we us our ours ourselves you your yours yourself he him his himself she her hers herself its
    itself them theirs themselves those this that who whom whose what which when where why how while whenever
    am been being were do does did done have has had having can could would should shall may might must cannot
    from about over under up down out off than so too very just also only even ever never again then once here
    all any both each few more most other others some same own every everyone everybody everything someone somebody
    something anyone anybody anything nobody none nothing because until since without within through after before
    im youre youve youll youd were weve well hes shes theyre theyve theyll ive ill id its thats whats whos theres
    dont doesnt didnt cant couldnt wont wouldnt shouldnt isnt arent wasnt werent havent hasnt hadnt aint
"""
FUNCTION_WORDS = frozenset(_CLOSED_CLASSES.split())

Group = list[tuple[str, ...]]  # sequences of terms, any of which stands for a word


def memes_holding(text: str, corrections: Mapping[str, Sequence[str]], index: WordIndex) -> Ids:
    """Return the rising ids of all memes that hold every word of a text, anywhere in their texts and in any form.

    English stop words count only where no other word says anything, unless the query or the library is not English;
    nor do emoji, each of which stands for its name too. A misspelled word stands for any of its
    corrections. A word with accents stands for those with the same ones or none. Letters of a script without spaces
    must follow one another as they do in the text; few syllables of Korean must be the beginning of a word, or follow
    the word before them where a space was lost.

    >>> from search.query.words import memes_holding
    >>> len(memes_holding("the robot and a toaster", {}, searcher.index.lexical))
    1
    """
    groups = _groups(text, corrections, index)
    return _as_typed(text, _holding_all(groups, index), index)


def _holding_all(groups: Sequence[Group], index: WordIndex) -> Ids:
    """Return the rising ids of all memes with every group. A code beside words may stand in the file's name."""
    codes = [group for group in groups if len(groups) > 1 and _is_code(group)]
    words = [group for group in groups if group not in codes]
    found = [index.having_all(words)] if words else []
    for code in codes:
        found.append(union(index.having_all([code]), index.named(code[0][0]).ids))
    return reduce(lambda one, other: one[are_among(one, other)], found) if found else np.empty(0, np.int64)


def _is_code(group: Group) -> bool:
    return is_code_part(group[0][0])


def row_condition(text: str, index: WordIndex) -> Where | None:
    """Return the condition of having the words of a text in a row, in any form, as typed; None without a word.

    >>> from search.query.words import row_condition
    >>> searcher.index.select(row_condition("medals", searcher.index.lexical)).tolist()
    [5]
    """
    sequence = _row_of(text)
    if not sequence:
        return None
    found: Where = Holds(((sequence,),))
    for forms in accented_forms(text, index).values():
        found = All((found, Written(forms)))
    for letters in korean_words(text):
        if len(letters) <= MAX_SHORT:
            found = All((found, Begins(letters)))
    return found


def _as_typed(text: str, found: Ids, index: WordIndex) -> Ids:
    """Return those of some memes with the terms of a text with its accents, and its Korean words from the start."""
    for forms in accented_forms(text, index).values():
        found = np.intersect1d(found, index.written(forms), assume_unique=True)
    words = korean_words(text)
    for at, letters in enumerate(words):
        # Where a space was lost it follows the word before, or the next one follows it.
        rows = ["".join(words[first : first + 2]) for first in (at - 1, at) if 0 <= first < len(words) - 1]
        found = _beginning(letters, found, index, or_in=[row for row in rows if len(row) > MAX_SHORT])
    return found


def memes_beginning(text: str, ids: Ids, index: WordIndex) -> Ids:
    """Return those of some memes that have each word of a short Korean text as the beginning of a word.

    Particles are attached to Korean words, so that a word begins as it was typed and ends otherwise. Four syllables or
    more in a row stand within other words where spaces were lost: they may begin anywhere.

    >>> from search.query.words import memes_beginning
    >>> memes_beginning("a cat", np.array([4, 5]), searcher.index.lexical).tolist()
    [4, 5]
    """
    words = korean_words(text)
    if sum(map(len, words)) <= MAX_SHORT:
        for letters in words:
            ids = _beginning(letters, ids, index)
    return ids


def short_korean_words(text: str, index: WordIndex) -> list[str]:
    """Return the Korean words of a text that must begin a word of a meme; [] where the index has no beginnings.

    >>> from search.query.words import short_korean_words
    >>> short_korean_words("a cat", searcher.index.lexical)
    []
    """
    return [one for one in korean_words(text) if len(one) <= MAX_SHORT and index.beginning(one) is not None]


def _beginning(letters: str, ids: Ids, index: WordIndex, *, or_in: Sequence[str] = ()) -> Ids:
    """Return those of some memes in which a short word begins a word, or stands in one of some rows of letters."""
    begins = index.beginning(letters) if len(letters) <= MAX_SHORT else None
    if begins is None:
        return ids
    for row in or_in:
        begins = np.union1d(begins, index.having_all([[[token.term for token in tokenize(row)]]]))
    return np.intersect1d(ids, begins, assume_unique=True)


def accented_forms(text: str, index: WordIndex) -> dict[str, tuple[str, ...]]:
    """Return, by term, the words of the library that words with accents stand for, where others have the term too.

    Who types accents means the words that have them, or that lost all: most Vietnamese words differ by accents alone.

    >>> from search.query.words import accented_forms
    >>> accented_forms("a cat at the café", searcher.index.lexical)
    {}
    """
    if text.isascii() and not accents_tell_apart(index):
        return {}
    tokens = [token for token in tokenize(text)[: 4 * MAX_TERMS] if token.term]
    written = [(word_as_written(text[token.start : token.end]), token.term) for token in tokens]
    with_accents = types_accents([word for word, _ in written], index)
    found: dict[str, tuple[str, ...]] = {}
    for word, term in written:
        if LETTERWISE_WORD.fullmatch(term):
            continue
        if unaccented(word) != word:
            forms = index.forms(word, bare=not is_word_of_its_own(unaccented(word), index))
            if forms is not None:
                found[term] = (*found.get(term, ()), *forms)
        elif with_accents and index.accented(word):
            found[term] = (*found.get(term, ()), word)
    return found


def types_accents(words: Sequence[str], index: WordIndex) -> bool:
    """Whether words, as written, are typed with all their accents: some have one, or each is a word without any.

    Where accents tell words apart, as in Vietnamese, a phrase of words that the library has without accents means
    these; one with a word that it only has with accents was typed without them.

    >>> from search.query.words import types_accents
    >>> types_accents(["café"], searcher.index.lexical), types_accents(["cafe"], searcher.index.lexical)
    (True, False)
    """
    return any(unaccented(word) != word for word in words) or (
        bool(words) and all(is_word_of_its_own(word, index) for word in words)
    )


def is_word_of_its_own(word: str, index: WordIndex) -> bool:
    """Whether a word without accents is one of a language whose accents tell words apart, not one that lost its own.

    >>> from search.query.words import is_word_of_its_own
    >>> is_word_of_its_own("robot", searcher.index.lexical)
    False
    """
    return accents_tell_apart(index) and index.vocabulary.get(word, 0) >= COMMON


def _groups(text: str, corrections: Mapping[str, Sequence[str]], index: WordIndex) -> list[Group]:
    """Return, for each word of a text that says something, the sequences of terms that stand for it."""
    ignores = not _OTHER_LETTER.search(text) and reads_as_english(index)
    groups: list[Group] = []
    stop_words: list[Group] = []
    emoji: list[Group] = []
    says_little = True
    end = -1  # of the letters without spaces that the last group has
    compounds = _compounds(text, index)
    for token in tokenize(text)[: 4 * MAX_TERMS]:
        word = text[token.start : token.end]
        if not token.term:
            continue
        if is_emoji(word):
            emoji.append([(token.term,), *filter(None, [_row_of(emoji_words(word))])])
            continue
        compound = next((one for start, stop, one in compounds if start <= token.start < stop), None)
        if compound is not None:
            says_little = False
            groups.append(compound)
            continue
        if LETTERWISE_WORD.fullmatch(token.term):
            says_little = False
            if token.start == end:
                groups[-1] = [(*groups[-1][0], token.term)]
            else:
                groups.append([(token.term,)])
            end = token.end
            continue
        own = [(term,) for other in (word, *corrections.get(word, ())) for term in query_terms(other)]
        says_little &= word_as_written(word) in FUNCTION_WORDS or is_stop_word(word)
        (stop_words if ignores and is_stop_word(word) else groups).append(list(dict.fromkeys(own)))
    wanted = [*groups, *stop_words, *emoji] if says_little else groups
    return [list(group) for group in dict.fromkeys(map(tuple, wanted))][:MAX_TERMS]


def _row_of(text: str) -> tuple[str, ...]:
    return tuple(token.term for token in tokenize(text) if token.term)


def joined_forms(text: str, index: WordIndex) -> list[str]:
    """Return the terms of words of the library that those with hyphens in a text are when written as one.

    >>> from search.query.words import joined_forms
    >>> joined_forms("a to-aster", searcher.index.lexical)
    ['toaster']
    """
    return [term for _, _, (_, joined) in _compounds(text, index) for term in joined]


def _compounds(text: str, index: WordIndex) -> list[tuple[int, int, Group]]:
    """Return the start and end of each word with hyphens that the library also has without, and its two forms."""
    found = []
    for match in _COMPOUND.finditer(text) if "-" in text else ():
        parts = query_terms(match[0])
        joined = word_as_written(match[0].replace("-", ""))
        if len(parts) > 1 and joined in index.vocabulary:
            found.append((match.start(), match.end(), [tuple(parts), tuple(query_terms(joined))]))
    return found

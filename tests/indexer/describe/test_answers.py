"""Answers of models: what is a text, and what is none."""

from __future__ import annotations

import json
import random

import pytest

from indexer.describe.answers import check_answer, is_looping
from search.catalogue import Outcome

GOOD = (
    'The image shows a dog drinking coffee in a burning room. The text reads: "This is fine." The dog smiles calmly.',
    "Two men argue over a parking space; the caption says “I'm sorry, but I can't do that, Dave”.",
    "I can't believe it's not butter, says the caption, while a man in a wig holds a tub of margarine to the camera.",
    'A cat screams "NO NO NO NO NO NO NO NO NO NO NO NO" at a bath.',
    "Sorry to interrupt: a polite llama peeks through a window at a couple having dinner.",
    "No image of the moon landing is complete without a cat: this one wears a helmet and stands beside the flag.",
    'Unfortunately for the chicken, the road is long: a cartoon hen looks over a desert with the text "why".',
    "一只猫坐在键盘上，表情非常严肃，文字写着我辞职了。",
    "Кот сидит на клавиатуре.",
)
REFUSED = (
    "I'm sorry, but I can't assist with that.",
    "I’m sorry, I can’t help with identifying people in images.",
    "I cannot provide a description of this image as it contains hateful content.",
    "I can't assist with that request.",
    "Sorry, I can't help with that.",
    "I am unable to describe this image.",
    "I'm unable to view images. Could you describe it for me?",
    "As an AI language model, I cannot see pictures.",
    "I don't see any image attached. Please upload the meme you would like me to describe.",
    "It seems you haven't attached an image. Please share it.",
    "Please provide the image you would like me to describe.",
    "No image was provided.",
    "Unfortunately, I am not able to analyze this picture.",
    "**I'm sorry, but I won't describe this image.**",
)


@pytest.mark.parametrize("text", GOOD)
def test_a_description_is_kept_as_it_is(text: str) -> None:
    judged = check_answer(f"\n{text}\n", finish="stop")
    assert (judged.outcome, judged.text) == (Outcome.DESCRIBED, text)


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_is_recognised_by_its_words(text: str) -> None:
    judged = check_answer(text, finish="stop")
    assert (judged.outcome, judged.text) == (Outcome.REFUSED, "")
    assert judged.reason


def test_a_long_answer_that_begins_like_a_refusal_is_a_description() -> None:
    text = (
        "I'm unable to identify the person, but here is what the meme shows. " + "A man points at a chart of fish. " * 3
    )
    text += " ".join(f"detail{number}" for number in range(80)) + "."
    assert check_answer(text, finish="stop").outcome is Outcome.DESCRIBED


def test_what_the_endpoint_calls_a_refusal_is_one_whatever_was_said() -> None:
    assert check_answer("A cat.", finish="stop", refusal="not this").outcome is Outcome.REFUSED
    assert check_answer("A cat on a", finish="content_filter").outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "text", ["", "  \n", "<think>What is this?</think>", "<think>never done", "…", "Meme.", "```\n\n```"]
)
def test_an_empty_answer_is_no_text(text: str) -> None:
    assert check_answer(text, finish="stop").outcome is Outcome.EMPTY


def test_thoughts_and_a_fence_around_the_whole_are_left_out() -> None:
    assert check_answer("<think>A cat?\n\nYes.</think>\n\nA cat in a box.", finish="stop").text == "A cat in a box."
    fenced = "```markdown\n## Visual Description\nA cat in a box.\n```"
    assert check_answer(fenced, finish="stop").text == "## Visual Description\nA cat in a box."
    inside = "A cat in a box that says `meow`.\n```\nmeow\n```\nIt is angry."
    assert check_answer(inside, finish="stop").text == inside


def test_an_answer_at_the_limit_is_kept_up_to_its_last_whole_sentence() -> None:
    judged = check_answer('A cat sits in a box. It says "meow." And then it beg', finish="length")
    assert (judged.outcome, judged.text) == (Outcome.CUT_SHORT, 'A cat sits in a box. It says "meow."')
    assert check_answer("A cat sits in a", finish="length").outcome is Outcome.EMPTY
    assert check_answer("<think>still thinking about", finish="length").outcome is Outcome.EMPTY


@pytest.mark.parametrize(
    "turn", ["ha", "the cat sat", "A dog drinks coffee in a burning room. ", " ".join(map(str, range(100)))]
)
def test_an_answer_that_ends_in_one_turn_again_and_again_is_a_loop(turn: str) -> None:
    text = "The picture shows a cat and a dog in a kitchen. " + f"{turn} " * 60
    assert check_answer(text, finish="length").outcome is Outcome.LOOPING
    assert check_answer(text + "th", finish="length").outcome is Outcome.LOOPING


def test_a_loop_without_spaces_is_a_loop() -> None:
    assert is_looping("The text says " + "哈" * 900)
    assert is_looping("The text says " + "lol" * 400)


def test_an_essay_that_repeats_its_paragraphs_is_a_loop_though_it_ends() -> None:
    paragraph = "The toaster stands for labour. The robot is its manager. Nobody sees the work behind it. "
    assert is_looping("## Critical Theory\n\n" + (paragraph + "\n\n") * 8 + "## Conclusion\n\nThat is all.")


def test_a_long_varied_essay_is_no_loop() -> None:
    draw = random.Random(7)
    words = [f"word{number}" for number in range(400)]
    essay = " ".join(" ".join(draw.choices(words, k=12)).capitalize() + "." for _ in range(150))
    assert not is_looping(essay)


def test_a_structured_answer_that_is_cut_off_anywhere_keeps_its_whole_sentences() -> None:
    text = 'A cat sits in a box. It says: "Nö".\nIt is 😀 and grey \\ white.'
    whole = json.dumps({"description": text})
    sentences = ("A cat sits in a box.", 'A cat sits in a box. It says: "Nö".', text)
    for end in range(len(whole)):
        checked = check_answer(whole[:end], finish="length")
        if checked.outcome is Outcome.EMPTY:
            assert end < whole.index("It says") - 1, whole[:end]
        else:
            assert checked.outcome is Outcome.CUT_SHORT and checked.text in sentences, (whole[:end], checked)


@pytest.mark.parametrize("text", ['{"description": ""}', "{" + "\n" * 200, "{}", '{"description": "'])
def test_a_structured_answer_without_a_text_is_none(text: str) -> None:
    assert check_answer(text, finish="length").outcome is Outcome.EMPTY
    assert check_answer(text, finish="stop").outcome is Outcome.EMPTY


def test_a_structured_answer_with_line_breaks_in_its_text_is_read() -> None:
    checked = check_answer('{"description": "## Visual Description\nA cat in a box."}', finish="stop")
    assert (checked.outcome, checked.text) == (Outcome.DESCRIBED, "## Visual Description\nA cat in a box.")

"""Reading order: panels one after the other, lines of a caption together."""

from __future__ import annotations

import random

import pytest

from indexer.ocr.reading_order import Box, reading_order


def box(left: float, top: float, width: float = 0.3, height: float = 0.06) -> Box:
    return ((left, top), (left + width, top), (left + width, top + height), (left, top + height))


# Each picture's boxes in the order in which a person reads them.
PICTURES = {
    "top and bottom caption": [box(0.1, 0.02, 0.8), box(0.2, 0.09, 0.6), box(0.1, 0.85, 0.8), box(0.3, 0.92, 0.4)],
    "two columns of text": [box(0.05, y / 10) for y in range(1, 8)] + [box(0.6, y / 10) for y in range(1, 8)],
    "four panels": [
        *(box(0.05, 0.30), box(0.05, 0.37), box(0.55, 0.30), box(0.55, 0.37)),
        *(box(0.05, 0.85), box(0.05, 0.92), box(0.55, 0.85), box(0.55, 0.92)),
    ],
    "a line read in three boxes": [
        box(0.05, 0.1, 0.2),
        box(0.27, 0.101, 0.2),
        box(0.49, 0.099, 0.2),
        box(0.1, 0.18, 0.5),
    ],
    "a heading over two columns": [
        box(0.05, 0.02, 0.9),
        box(0.05, 0.3),
        box(0.05, 0.38),
        box(0.6, 0.3),
        box(0.6, 0.38),
    ],
    "lines whose boxes overlap": [box(0.1, 0.1, 0.8, 0.1), box(0.1, 0.185, 0.8, 0.1), box(0.1, 0.27, 0.8, 0.1)],
}


@pytest.mark.parametrize("name", PICTURES)
def test_order_is_a_persons_whatever_order_the_boxes_come_in(name):
    boxes = PICTURES[name]
    draw = random.Random(3)
    for _ in range(10):
        shuffled = draw.sample(range(len(boxes)), len(boxes))
        order = reading_order([boxes[at] for at in shuffled])
        assert [shuffled[at] for at in order] == list(range(len(boxes)))


def test_nothing_and_one_box_are_in_order():
    assert reading_order([]) == []
    assert reading_order([box(0, 0)]) == [0]


def test_every_box_is_read_once():
    draw = random.Random(4)
    boxes = [box(draw.random(), draw.random(), draw.random(), draw.random() / 5) for _ in range(60)]
    assert sorted(reading_order(boxes, shape=0.5)) == list(range(60))

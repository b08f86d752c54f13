"""PDQ agrees with the published algorithm, and a look with what the eye calls alike."""

from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from search.images.fingerprints import (
    LOOK_DIMENSIONS,
    PDQ_BITS,
    PDQ_SAME,
    VIEWS,
    hamming,
    look,
    look_parts,
    mirrored_bits,
    pdq,
    pdq_mirrored,
    view_bits,
)

SIZES = [(64, 64), (200, 130), (129, 300), (512, 512), (701, 333), (31, 17), (1, 1), (900, 3)]


def scene(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Return a picture of coloured ovals, another one for each seed."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", size, tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y, w, h = random.random(4)
        box = (x * size[0] * 0.8, y * size[1] * 0.8, (x + w * 0.4) * size[0], (y + h * 0.4) * size[1])
        draw.ellipse(box, fill=tuple(random.integers(0, 256, 3).tolist()))
    return picture


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


def published_pdq(picture: Image.Image) -> tuple[str, int]:
    """Return fingerprint and quality as the paper's reference code finds them: loops in its order, no shortcut."""
    plane = np.asarray(picture.convert("L"), np.float64)
    for _ in range(2):
        for axis in (0, 1):
            plane = np.apply_along_axis(box_filter, axis, plane, (plane.shape[axis] + 127) // 128)
    rows, columns = ([int((i + 0.5) * length / 64) for i in range(64)] for length in plane.shape)
    small = plane[np.ix_(rows, columns)]
    total = 0
    for i in range(64):
        for j in range(64):
            for u, v in ((i + 1, j), (i, j + 1)):
                if max(u, v) < 64:
                    total += abs(int((small[i, j] - small[u, v]) * 100 / 255))
    basis = np.array(
        [[math.sqrt(2 / 64) * math.cos(math.pi / 128 * (i + 1) * (2 * j + 1)) for j in range(64)] for i in range(16)]
    )
    cosines = (basis @ small @ basis.T).ravel()
    median = sorted(cosines)[127]
    number = sum(1 << k for k in range(256) if cosines[k] > median)
    return f"{number:064x}", min(100, total // 90)


def box_filter(line: np.ndarray, window: int) -> np.ndarray:
    """Return the reference's one-dimensional filter: a sum that slides, short windows at both ends."""
    half = (window + 2) // 2
    out, total, inside, left, right = [], 0.0, 0, 0, 0
    while len(out) < len(line):
        if right < len(line):
            total, inside, right = total + line[right], inside + 1, right + 1
        else:
            total, inside, left = total - line[left], inside - 1, left + 1
        if inside > window:
            total, inside, left = total - line[left], inside - 1, left + 1
        if right >= half or right == len(line):
            out.append(total / inside)
    return np.array(out)


@pytest.mark.parametrize("size", [(64, 64), (200, 130), (129, 300), (512, 512), (701, 333)])
def test_a_fingerprint_is_the_published_algorithms(size: tuple[int, int]) -> None:
    for picture in (scene(1, size), noise(size)):
        bits, quality = pdq(picture)
        expected, expected_quality = published_pdq(picture)
        assert hamming(bits, np.frombuffer(bytes.fromhex(expected), np.uint8)) <= 2  # sums in another order
        assert quality == expected_quality / 100


def test_fingerprints_are_those_of_metas_own_code() -> None:
    # Found by Meta's C++ through its Python package pdqhash 0.2.8.
    y, x = np.mgrid[0:360, 0:480]
    rings = [(x * y // 97) % 256, (x + 2 * y) % 256, (np.hypot(x - 200, y - 150) * 2).astype(int) % 256]
    y, x = np.mgrid[0:300, 0:500]
    spot = np.where((x - 300) ** 2 + (y - 80) ** 2 < 9000, 250, y * 255 // 299)
    waves = [(x * x // 300 + y) % 256, spot, (x * 3 // 2 + y * y // 150) % 256]
    published = (
        (rings, "52d8a8ee5aca3557ead597a4092d32cdec1913af27785cf2e3071e12e0360ff0", 100),
        (waves, "6c10526e3772f80343ff5640e27fcfe06a4f42624f43cc7d886056cf95b8b9ac", 100),
    )
    for channels, hexadecimal, quality in published:
        bits, found = pdq(Image.fromarray(np.stack(channels, -1).astype(np.uint8)))
        assert hamming(bits, np.frombuffer(bytes.fromhex(hexadecimal), np.uint8)) <= 2
        assert found == quality / 100


def test_two_encodings_are_the_same_and_two_pictures_are_not() -> None:
    pictures = [scene(seed) for seed in range(12)]
    for picture in pictures:
        out = io.BytesIO()
        picture.resize((300, 225)).save(out, "JPEG", quality=30)
        again = ImageEnhance.Contrast(Image.open(out)).enhance(0.8)
        assert hamming(pdq(picture)[0], pdq(again)[0]) <= PDQ_SAME
    bits = np.stack([pdq(picture)[0] for picture in pictures])
    apart = hamming(bits[:, None], bits)[~np.eye(12, dtype=bool)]
    assert apart.min() > 2 * PDQ_SAME
    assert apart.mean() == pytest.approx(PDQ_BITS / 2, abs=8)


def test_half_of_the_bits_are_set() -> None:
    assert sum(byte.bit_count() for byte in pdq(scene(3))[0].tolist()) == PDQ_BITS / 2


def test_quality_is_low_where_there_is_nothing_to_see() -> None:
    assert pdq(Image.new("RGB", (300, 300), (90, 10, 200)))[1] == 0
    assert pdq(scene(4))[1] > 0.5


def test_a_mirrored_fingerprint_is_that_of_the_mirrored_picture() -> None:
    near = []
    for seed in range(8):
        picture = scene(seed, (431, 300))
        mirrored = pdq(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))[0]
        assert hamming(pdq_mirrored(picture), mirrored) == 0
        near.append(hamming(mirrored_bits(pdq(picture)[0]), mirrored))
    assert np.mean(near) < PDQ_SAME / 2


def test_a_fingerprint_tells_those_of_the_turned_and_mirrored_picture() -> None:
    near = []
    for seed in range(6):
        picture = scene(seed, (431, 300))
        for view, bits in zip(VIEWS, view_bits(pdq(picture)[0]), strict=True):
            seen = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view.mirrored else picture
            near.append(int(hamming(bits, pdq(seen.rotate(90 * view.turns, expand=True))[0])))
    assert near[0] == 0 and np.mean(near) < PDQ_SAME / 2 and max(near) < 48
    many = np.stack([pdq(scene(seed))[0] for seed in range(3)])
    assert np.array_equal(view_bits(many)[2], view_bits(many[2]))
    assert np.array_equal(view_bits(many)[:, 4], mirrored_bits(many))


def test_hamming_counts_the_bits_that_differ() -> None:
    random = np.random.default_rng(1)
    one, many = random.integers(0, 256, 32, np.uint8), random.integers(0, 256, (50, 32), np.uint8)

    def by_hand(a: np.ndarray, b: np.ndarray) -> int:
        return (int.from_bytes(a.tobytes(), "big") ^ int.from_bytes(b.tobytes(), "big")).bit_count()

    assert hamming(one, many).tolist() == [by_hand(one, row) for row in many]
    assert hamming(many[:, None], many[:5]).tolist() == [[by_hand(a, b) for b in many[:5]] for a in many]
    assert hamming(one, ~one) == 256


@pytest.mark.parametrize("size", SIZES)
def test_a_picture_of_any_shape_has_a_fingerprint_and_a_look(size: tuple[int, int]) -> None:
    for picture in (
        noise(size),
        Image.new("RGB", size, (255, 255, 255)),
        Image.new("RGB", size),
        Image.new("L", size, 9),
    ):
        bits, quality = pdq(picture)
        assert (bits.shape, bits.dtype) == ((32,), np.uint8)
        assert 0 <= quality <= 1
        vector = look(picture)
        assert (vector.shape, vector.dtype) == ((LOOK_DIMENSIONS,), np.float32)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_caption_changes_a_look_less_than_another_picture_does() -> None:
    for seed in range(6):
        picture, captioned = scene(seed), scene(seed)
        ImageDraw.Draw(captioned).text(
            (20, 10), "WHEN THE CAPTION\nIS ANOTHER ONE", "white", font_size=45, stroke_width=2
        )
        alike = look(picture) @ look(captioned)
        others = [look(picture) @ look(scene(other)) for other in range(6) if other != seed]
        assert alike > max(others) + 0.2


def test_a_look_sees_colours_where_a_fingerprint_does_not() -> None:
    picture = scene(7)
    gray = picture.convert("L").convert("RGB")
    assert hamming(pdq(picture)[0], pdq(gray)[0]) <= 4
    colors, edges = look_parts(picture)
    gray_colors, gray_edges = look_parts(gray)
    assert (edges * gray_edges).sum() > 0.99
    assert (colors * gray_colors).sum() < 0.5


def test_colours_are_those_of_the_cie() -> None:
    # Lab of sRGB's red and green under D65, as published: (53.24, 80.09, 67.20), (87.73, −86.18, 83.18).
    picture = Image.new("RGB", (64, 64), (255, 0, 0))
    picture.paste((0, 255, 0), (32, 0, 64, 64))
    colors, _ = look_parts(picture)
    red, green = colors[0, 0], colors[0, 7]
    assert green[1] / red[1] == pytest.approx(-86.18 / 80.09, rel=1e-3)
    assert green[2] / red[1] == pytest.approx(83.18 / 80.09, rel=1e-3)
    assert (green[0] - red[0]) / red[1] == pytest.approx(0.25 * (87.73 - 53.24) / 80.09, rel=2e-3)


def test_a_look_kept_in_half_precision_ranks_alike() -> None:
    looks = np.stack([look(scene(seed)) for seed in range(10)])
    halves = looks.astype("<f2").astype(np.float32)
    assert np.abs(looks @ looks.T - halves @ halves.T).max() < 1e-3


def test_threads_find_what_one_thread_finds() -> None:
    pictures = [scene(seed, (300 + 7 * seed, 200 + 3 * seed)) for seed in range(20)]
    alone = [(pdq(picture)[0].tobytes(), look(picture).tobytes()) for picture in pictures]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda picture: (pdq(picture)[0].tobytes(), look(picture).tobytes()), pictures))
    assert together == alone

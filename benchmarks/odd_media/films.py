"""Short MP4s and WebMs, cut, with wrong bits in a key frame or behind it, or with a wrong name of the codec."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import av
from PIL import Image

from benchmarks.odd_media.scenes import OddFile, scene

_FORMS = {
    "MP4, index at the end": ("mp4", "libx264", {}),
    "MP4, index at the front": ("mp4", "libx264", {"movflags": "faststart"}),
    "MP4 in fragments": ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    "MP4 of AV1": ("mp4", "libsvtav1", {"movflags": "faststart"}),
    "WebM of VP8": ("webm", "libvpx", {}),
    "WebM of VP9": ("webm", "libvpx-vp9", {}),
}
FRAMES, _GOP = 24, 12


os.environ.setdefault("SVT_LOG", "1")  # the encoder of AV1 prints errors alone


def film(random: Random, form: str) -> bytes:
    """Return a film of FRAMES frames in which two pictures slide over each other."""
    container, codec, options = _FORMS[form]
    low, high = scene(random, least=96, most=97).resize((160, 96)), scene(random).resize((60, 60))
    with TemporaryDirectory() as folder:
        out = Path(folder) / "film"  # FFmpeg reads it again to move the index to the front
        _write(out, container, codec, options, low, high)
        return out.read_bytes()


def _write(out: Path, container: str, codec: str, options: dict[str, str], low: Image.Image, high: Image.Image) -> None:
    with av.open(str(out), "w", format=container, options=options) as opened:
        speed = {"cpu-used": "8"} if "vp" in codec else {"preset": "10"} if "svt" in codec else {"preset": "veryfast"}
        stream: Any = opened.add_stream(codec, rate=12, options=speed)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 96, "yuv420p", _GOP
        for number in range(FRAMES):
            shown = low.convert("RGB")
            shown.paste(high.convert("RGB"), (number * 4, 10 + number))
            opened.mux(stream.encode(av.VideoFrame.from_image(shown)))
        opened.mux(stream.encode())


def _frames(data: bytes) -> list[tuple[int, int, bool]]:
    """Return the place, the length and whether it is a key frame, of each frame of a film."""
    with av.open(io.BytesIO(data), "r") as opened:
        packets = [packet for packet in opened.demux(video=0) if packet.size and packet.pos is not None]
        return [(int(packet.pos or 0), packet.size, packet.is_keyframe) for packet in packets]


def odd_film(random: Random) -> OddFile:
    """Return a film."""
    form = random.choice(tuple(_FORMS))
    data = film(random, form)
    kind = f"video/{_FORMS[form][0]}"
    way = random.choice(("whole", "cut", "cut", "first key frame", "later frames", "wrong codec", "zeroes", "index"))
    if way == "cut":
        share = random.choice((0.3, 0.6, 0.9))
        return OddFile(f"{form}, cut at {100 * share:.0f} %", kind, data[: int(share * len(data))])
    wrong = bytearray(data)
    frames = [one for one in _frames(data) if one[0] is not None and one[0] >= 0]
    if way in ("first key frame", "later frames") and frames:
        chosen = frames[:1] if way == "first key frame" else random.sample(frames[1:], 3)
        for place, size, _ in chosen:
            for _ in range(random.choice((1, 3, 20))):
                # Their first bytes tell what they are.
                at = place + min(size - 1, random.randrange(min(24, size // 2), size))
                wrong[at] ^= 1 << random.randrange(8)
        return OddFile(
            f"{form}, wrong bits in {'the first key frame' if way == 'first key frame' else 'later frames'}",
            kind,
            bytes(wrong),
        )
    if way == "zeroes":
        start = random.randrange(len(data) // 3, len(data) - 200)
        wrong[start : start + 150] = bytes(150)
        return OddFile(f"{form}, 150 bytes zeroed at {100 * start / len(data):.0f} %", kind, bytes(wrong))
    if way == "wrong codec":
        for old, new in ((b"avc1", b"hvc1"), (b"av01", b"avc1"), (b"V_VP8", b"V_VP9"), (b"V_VP9", b"V_VP8")):
            if old in data:
                at = data.rindex(old) if old in (b"avc1", b"av01") else data.index(old)
                wrong[at : at + len(old)] = new
                break
        return OddFile(f"{form}, the name of another codec", kind, bytes(wrong))
    if way == "index" and b"stsz" in data:
        at = data.index(b"stsz") + 16
        struct.pack_into(">I", wrong, at + 4 * random.randrange(4, FRAMES), 3)
        return OddFile(f"{form}, one frame's length wrong in the index", kind, bytes(wrong))
    return OddFile(f"{form}, whole", kind, data)

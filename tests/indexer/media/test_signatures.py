"""What a file is, by its first bytes: the same answer for the library, for uploads and for decoding."""

from __future__ import annotations

import pytest

from indexer.media.signatures import FileType, file_type


def header(*brands: bytes) -> bytes:
    """Return the first bytes of an MP4-like file with these brands, the major one first."""
    body = brands[0] + bytes(4) + b"".join(brands[1:])
    return (8 + len(body)).to_bytes(4, "big") + b"ftyp" + body


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", FileType.JPEG),
        (b"\x89PNG\r\n\x1a\n", FileType.PNG),
        (b"RIFF\0\0\0\0WEBPVP8L", FileType.WEBP),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"\x1aE\xdf\xa3\x42\x82\x84webm", FileType.WEBM),
        (b"\x1aE\xdf\xa3\x42\x82\x88matroska", FileType.MATROSKA),
        (header(b"isom", b"avc1"), FileType.MP4),
        (header(b"qt  "), FileType.MP4),
        (header(b"mif1", b"avif", b"miaf"), FileType.AVIF),
        (header(b"avis", b"msf1"), FileType.AVIF),
        (header(b"heic", b"mif1"), FileType.HEIF),
        (header(b"mif1", b"heic"), FileType.HEIF),
        (header(b"hevc", b"msf1"), FileType.HEIF),
        (b"\xff\x0a\xfa\x7f", FileType.JXL),
        (b"\0\0\0\x0cJXL \r\n\x87\n", FileType.JXL),
        (b"II*\0\x08\0\0\0", FileType.TIFF),
        (b"II*\0\x10\0\0\0CR\x02", None),
        (b"RIFF\0\0\0\0AVI LIST", FileType.AVI),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"OggS" + b"\0" * 24 + b"\x80theora", FileType.OGG),
        (b"OggS" + b"\0" * 24 + b"\x01vorbis", None),
        ((b"G" + b"\0" * 187) * 3, FileType.MPEG_TS),
        ((b"\0" * 4 + b"G" + b"\0" * 187) * 3, FileType.MPEG_TS),
        (b"G" * 20 + b"ood morning" * 60, None),
        (header(b"crx "), None),
        (b"\0\0\0\x08wide\0\0\x10\0mdat", FileType.MP4),
        (b"\0\0\x10\0moov", FileType.MP4),
        (b"The free encyclopedia that anyone can edit", None),
        (b"not wide enough", None),
        (b"BMW and other cars", None),
        (b"GIF87 is no GIF", None),
        (b"", None),
        (b"\xff\xd8", None),
    ],
)
def test_a_type_is_told_by_the_first_bytes(head: bytes, expected: FileType | None) -> None:
    assert file_type(head) is expected

"""What a file is, by its first bytes: one table for the library, for uploads and for decoding. Nothing is decoded."""

from __future__ import annotations

import struct
from enum import StrEnum

SIGNATURE_BYTES = 64  # that tell a file's type

# Headers of an MP4-like file that are no video: HEIF pictures, and raw ones of Canon.
_OTHER_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"crx "}
_OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # begins a file without a header
_BMP_HEADERS = {struct.pack("<I", size) for size in (12, 16, 40, 52, 56, 64, 108, 124)}


class FileType(StrEnum):
    """A type of file that is decoded, by its content type. SVG is text, and told by `indexer.media.svg`."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    GIF = "image/gif"
    WEBP = "image/webp"
    AVIF = "image/avif"
    BMP = "image/bmp"
    MP4 = "video/mp4"
    WEBM = "video/webm"
    MATROSKA = "video/x-matroska"


def file_type(head: bytes) -> FileType | None:
    """Return the type of a file with these first bytes, at least SIGNATURE_BYTES of them; None for any other file.

    >>> file_type(b"GIF89a ..."), file_type(b"The free encyclopedia"), file_type(b"")
    (<FileType.GIF: 'image/gif'>, None, None)
    """
    if head.startswith(b"\xff\xd8\xff"):
        return FileType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return FileType.PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return FileType.GIF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return FileType.WEBP
    # Two letters may begin a text, so the second header must have a valid size too.
    if head.startswith(b"BM") and head[14:18] in _BMP_HEADERS:
        return FileType.BMP
    if head.startswith(b"\x1aE\xdf\xa3"):
        return FileType.WEBM if b"webm" in head[:SIGNATURE_BYTES] else FileType.MATROSKA
    if found := brands(head):
        if {b"avif", b"avis"} & found:
            return FileType.AVIF
        return None if _OTHER_BRANDS & found else FileType.MP4
    # Four letters may stand in a text, so what is before them, the length of a part, must be no letters.
    return FileType.MP4 if head[4:8] in _OLD_QUICKTIME and head[0] < 0x20 else None


def brands(head: bytes) -> set[bytes]:
    """Return the brands in the header of an MP4-like file (ISO/IEC 14496-12), an empty set for other files.

    >>> sorted(brands(b"\\0\\0\\0\\x14ftypavif\\0\\0\\0\\0mif1"))
    [b'avif', b'mif1']
    """
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}

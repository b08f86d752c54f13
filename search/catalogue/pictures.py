"""The stored results of decoding: sizes, placeholders and fingerprints by content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from search.catalogue.database import Database
from search.catalogue.memes import meme_rows
from search.meme import MediaType, Meme


@dataclass(frozen=True)
class PictureRecord:
    """The result of decoding a content; width and height are in pixels, as shown.

    `content_type` and `codec` come from the content: `image/webp` and `webp-lossless`, `video/mp4` and `h264`.
    `share_decoded` is the share of the picture or video that is there, 1.0 unless its end is missing; `damage` is a
    sentence about what is damaged though it is shown, empty for a sound file.
    """

    content_hash: str
    width: int
    height: int
    frames: int
    seconds: float | None
    type: MediaType
    placeholder: str
    decoded_by: str  # name and version of the decoder: a new version decodes every content again
    content_type: str = ""
    codec: str = ""
    transparent: bool = False
    share_decoded: float = 1.0
    damage: str = ""


@dataclass(frozen=True)
class FingerprintRecord:
    """A fingerprint of one frame, with the name and version of its algorithm."""

    content_hash: str
    algorithm: str
    frame: int
    bits: bytes
    quality: float


class Pictures:
    """Decoded contents and their fingerprints."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, picture: PictureRecord, fingerprints: list[FingerprintRecord]) -> None:
        """Store the result of decoding with all fingerprints, in place of an earlier one."""
        with self._database.transaction():
            self._database.write(
                """
                INSERT OR REPLACE INTO pictures
                    (content_hash, width, height, frames, seconds, type, content_type, codec, transparent,
                     share_decoded, damage, placeholder, decoded_by)
                VALUES (:content_hash, :width, :height, :frames, :seconds, :type, :content_type, :codec, :transparent,
                        :share_decoded, :damage, :placeholder, :decoded_by)
                """,
                asdict(picture),
            )
            self._database.write("DELETE FROM fingerprints WHERE content_hash = :content_hash", asdict(picture))
            self._database.write_many(
                "INSERT INTO fingerprints VALUES (:content_hash, :algorithm, :frame, :bits, :quality)",
                [asdict(fingerprint) for fingerprint in fingerprints],
            )
            self._database.touch()

    def missing(self, decoder: str, *, content_hash: str | None = None) -> list[Meme]:
        """Return one present meme per content that this decoder has neither decoded nor failed on, newest first.

        `content_hash` limits the query to one content.
        """
        return meme_rows(
            self._database,
            """
            WHERE vanished_at IS NULL AND (pictures.decoded_by IS NULL OR pictures.decoded_by != :decoder)
              AND NOT EXISTS (SELECT 1 FROM failures
                              WHERE stage = 'media' AND failures.content_hash = memes.content_hash)
              AND (:content_hash IS NULL OR memes.content_hash = :content_hash)
            GROUP BY memes.content_hash ORDER BY first_seen DESC, memes.id DESC
            """,
            {"decoder": decoder, "content_hash": content_hash},
        )

    def count(self) -> int:
        """Return the number of present memes that are decoded."""
        return self._database.number(
            "SELECT COUNT(*) FROM memes JOIN pictures USING (content_hash) WHERE vanished_at IS NULL"
        )

    def damaged(self) -> list[Meme]:
        """Return the present memes that are shown although their files are damaged, by path."""
        return meme_rows(self._database, "WHERE vanished_at IS NULL AND pictures.damage != '' ORDER BY memes.path")

    def fingerprints(self, algorithm: str) -> Iterator[tuple[int, int, bytes]]:
        """Yield (meme id, frame, bits) of every present meme, by id and frame."""
        for row in self._database.stream(
            """
            SELECT memes.id, frame, bits FROM memes JOIN fingerprints USING (content_hash)
            WHERE vanished_at IS NULL AND algorithm = :algorithm ORDER BY memes.id, frame
            """,
            {"algorithm": algorithm},
        ):
            yield row["id"], row["frame"], row["bits"]

    def fingerprints_of(self, content_hash: str, algorithm: str) -> list[bytes]:
        """Return the fingerprints of one content, one per frame."""
        return [
            row["bits"]
            for row in self._database.rows(
                "SELECT bits FROM fingerprints WHERE content_hash = :hash AND algorithm = :algorithm ORDER BY frame",
                {"hash": content_hash, "algorithm": algorithm},
            )
        ]

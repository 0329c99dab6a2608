"""What the tests of the archive do: list and decode sources in this process."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from utils.archive import manifest
from utils.archive.decoding import Decoder
from utils.archive.storage import resolved


def listed(*sources: object, shard_size: int = 100) -> pa.Table:
    """The manifest of sources."""
    files = manifest.list_files(resolved([str(source) for source in sources]))
    return manifest.divided(pa.concat_tables(map(manifest.with_parts, files)), shard_size)


def read(*sources: object) -> list[dict]:
    """The decoded rows of sources."""
    return pa.concat_tables(Decoder()(listed(*sources))).to_pylist()


def with_sources(rows: pa.Table, root: str, other: str) -> pa.Table:
    """The same rows with sources below another root."""
    place = rows.schema.get_field_index("source")
    moved = pc.replace_substring(rows["source"], root, other, max_replacements=1)
    return rows.set_column(place, rows.schema.field(place), moved)

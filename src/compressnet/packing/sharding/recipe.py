"""The recipe of a set: what was chosen, as all tasks get it, and the files that they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from compressnet import api
from compressnet.archive.embedding import SHARED_NAME, CodecEntries
from compressnet.archive.writing.settings import Settings
from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.file import to_bytes
from compressnet.codec.shipped import shipped_bundle, shipped_name
from compressnet.coding.coder import ADAPTIVE
from compressnet.container.writer import ContainerWriter
from compressnet.files import atomic_write, open_target
from compressnet.images import Collection
from compressnet.packing.sharding.plan import CODEC_NAME, Recipe


def make_recipe(
    folder: Path,
    sample: Collection,
    codec: Codec | None,
    settings: Settings,
    *,
    backend: BackendName | None,
    threads: int,
) -> Recipe:
    """Settle codec and settings on a sample, and write what all shards share into the folder.

    What the codec lacks is learned from the sample, once. codec: None for what is learned alone.
    threads: of each task. Raises InputError, CodecError.
    """
    codec, settings, _ = api.fitted(sample.batches(), codec, settings, backend)
    trained = tuple(part for part in codec.bundle.parts if part.method != ADAPTIVE)
    primer = codec.bundle.identity_of(ADAPTIVE)
    entries = CodecEntries(codec, settings.embed_codec)
    made = [entries.entry(part.method) for part in codec.bundle.parts]
    shared = [entry for entry in made if entry.embedded is not None]
    if shared:
        with open_target(folder / SHARED_NAME) as stream:
            ContainerWriter(stream, shared).finish(None)
    return Recipe(
        # a shard, unlike the sample, may have only images that the codec has no network for
        settings=replace(
            settings, shared=frozenset(entry.identity for entry in shared), store_unknown=True, threads=threads
        ),
        codec=_codec_file(folder, replace(codec.bundle, parts=trained)) if trained else None,
        identities=tuple(part.identity.hex() for part in codec.bundle.parts),
        primer=None if primer is None else primer.hex(),
        backend=backend,
    )


def _codec_file(folder: Path, bundle: Bundle) -> str:
    """The name of a shipped codec that has all of these parts, or of the file that is written."""
    name = shipped_name(bundle.identity, bundle.name)
    if name is not None and all(shipped_bundle(part.identity, name) is not None for part in bundle.parts):
        return name
    atomic_write(folder / CODEC_NAME, to_bytes(bundle))
    return CODEC_NAME

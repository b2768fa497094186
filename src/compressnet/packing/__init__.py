"""A collection comes in; an archive with a codec of its own, and advice on it, come out.

To be read in this order: `options` says how to pack and what comes of it; `pack` trains, and
goes through the `steps`: `targets` finds the quality, `samples` are kept while the archive is
written, `checking` compares it with the originals, and `advice` compares it with what other
codecs take. `untrained` measures whether the training pays at all. `error_targets` finds the error
where nothing is trained. `choosing` is how `compress` does without a training, `sources` opens
inputs, and `sharding` packs many of them into a set of archives.
"""

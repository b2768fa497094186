"""The archive as a file, without any codec: chunks, blocks, the index, labels and names.

Bytes of a file come in and blocks with their payloads go out, and back; docs/FORMAT.md, "Archive",
is the specification. To be read in this order: `chunks`, `entries` (codecs, kinds, the table of
blocks), `block`, `lines` (of text), `columns` (labels and names), `index`, `sources` (where bytes
come from),
`container` (reading), and `writer`. Of damaged files: `scanning` (the chunks that are whole),
`numbering` (which codec or kind each is), `matching` (which block), and `remains` (all of it).
"""

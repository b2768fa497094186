"""Codecs: a trained model as a file, as data and ready to run.

Bytes of a codec file come in and a `Codec` goes out, which codes images in single blocks and gives
the `Coder` for a kind of image and a quality. To be read in this order: `bundle` (a codec as data,
of parts), `file` (the codec file), `levels` and `arrays` (integer arrays as few bytes), `packed`
(what an archive embeds), `shipped` (codecs by name or path), `single` (a block without a
container), `codec` (ready to run), `loading` (by name, on a backend), and `export` (ONNX files).
"""

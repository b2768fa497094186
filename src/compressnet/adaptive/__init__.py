"""The adaptive lossless method: a model that learns from the very images that it codes.

To be read in this order: `tables` (of logarithms and probabilities), `model` (what all
implementations have in common: settings, pictures and verbs), and `definition` (the model in plain
integers), which stands on `definition_pixels` (pixels as integers, for all kinds of pictures),
`definition_binary` (the arithmetic coder), `definition_states` (what a context knows of a
decision), `definition_learned` (all that was learned), `definition_mix` (decisions mixed from
contexts), `definition_around` (a pixel's neighbours, and what is foretold of it) and
`definition_byte` (a byte's neighbours, contexts and histograms). On these stand `primer` (what is
learned first, as an archive carries it), `payload` (of a block), `coder` (images <-> payloads) and
`part` (a primer as a part of a codec).
"""

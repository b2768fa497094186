"""The lossless method: a trained pixel model gives the frequencies of every value.

Images come in and payloads go out, and back, every value as it was. To be read in this order:
`planes` (channels as decorrelated planes), `model` (a pixel model as data), `proof` (that it runs
exactly), `plane_pass` (one plane of many images, pixel by pixel), `pixels` (images to payloads,
one by one), `payload` (a block's payload from those of its images), `costs` (what coding images
takes), `coder` (the `Coder`), `arrays` (a model as named arrays), `packing` (models in a packed
codec), and `part` (all models of a codec).
"""

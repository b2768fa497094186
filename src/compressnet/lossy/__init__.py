"""The lossy method: integer networks turn images into symbols, and an entropy model codes these.

Images come in and payloads go out; what comes back is what the decoder makes of the symbols. To be
read in this order: `prior` (what every entropy model has), `masked` and `context` (the two of
them), `entropy` (symbols to payloads by them), `probe` (what a machine has to reproduce),
`network` (all of it as data), `promotion` (images of fewer channels), `sizeless` (a network for
any size), `prior_arrays` and `arrays` (the same as named arrays), `search` (cheaper symbols, above
effort 1), `costs` (what reading images takes), `coder` (the `Coder`), `instances` (a network
without a size, laid out for the sizes that come), `packing` (networks in a packed codec), and
`part` (all networks of a codec).
"""

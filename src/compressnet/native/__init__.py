"""The compiled core, where this install has one, as a backend; libcompressnet/ is its source.

Programs, entropy models and pixel models come in, and what runs them in C goes out: the same
bytes, symbols and pixels as from NumPy. To be read in this order: `library` (the shared library,
and its variants for several CPUs), `structures` (those of compressnet.h), `models` (what the core
makes of them), `networks` (programs), `priors` (entropy models), `pixels` (pixel models),
`adaptive` (adaptive models, with the bytes of their definition in Python), and `backend`.
"""

"""The conformance set: small files in tests/conformance, and what reading each of them gives.

`layout` lays archives out by hand, `whole` has those that are read, `broken` those that are
refused, `codecs` codecs and single blocks, and `outcome` says what reading a file gives, which the
manifest records. `tests/make_conformance.py` writes all of it; no test does.
"""

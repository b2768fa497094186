"""Coding without a codec: a model that learns from the collection while it codes it.

`model` (the interface of models) and `tables`, `definition` (the model in Python), `primer` (what
is learned first, as an archive carries it), `payload` (of a block), `coder` (images <-> payloads)
and `part` (a primer as a part of a codec).
"""

"""The compiled core, where this install has one; libcompressnet/ is its source.

`library` finds it and loads it.
"""

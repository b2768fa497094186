"""Fuzz targets in Python: `readers` has them, `.ci/fuzz` runs them, `corpora` is what grew."""

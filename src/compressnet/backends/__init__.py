"""Backends besides NumPy, which is the definition and lives in `compressnet.exact`."""

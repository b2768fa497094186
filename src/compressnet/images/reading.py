"""How a collection is to be read: what becomes of pictures that are odd."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader may do; by default, what it cannot take as it is stops it with an error."""

    convert: bool = False
    """Whether what can be turned into 8 bits sensibly is: 16 bits and floating point."""
    skip_bad: bool = False
    """Whether broken and unsupported pictures are left out, and named in the account."""
    deep: bool = True
    """Whether 16 bits are taken as they are, as uint16; else they are refused like floats."""
    labels: bool = True
    """Whether labels are looked for."""
    names_encoding: str | None = None
    """Of names in ZIP and tar files that do not say theirs."""


AS_IT_IS = Reading()

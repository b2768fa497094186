"""Lossless codecs on collections of any sizes, modes and depths, all of them together.

To be read in this order: `stacks` is a collection as they get it; `rival` says what a lossless
rival is, and what comes of it; `formats` are the picture formats, and `streams` the byte codecs;
`layouts` puts a collection into files, mosaics, streams and tars; `family` lists every rival.
"""

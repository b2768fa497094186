"""compressnet within other libraries: an archive as what each of them calls its own.

Every adapter is a module that is called as its host is: `torch` (a dataset for DataLoader, and a
sampler that keeps to blocks), `pillow` (`.cnet` as a multi-frame image), `zarr` and `numcodecs`
(`chunks` is what both do: arrays of images as chunks of a store), `datasets` (Hugging Face) and
`sklearn` (symbols as features), and `dask` (tasks on many processes). Nothing imports them but who
uses them; `hosts` says what to install where a host is missing.
"""

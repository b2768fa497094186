"""Every format of a collection, a module each, with its reader beside its writer.

A path or bytes come in and a `Collection` goes out, or the other way round. To be read in this
order: `arrays` (what all arrays of images have in common), `npy`, `idx`, `beside` (labels and
names of these), `array_files` (one or several of both), `npz` and `idx_zips` (arrays in a ZIP);
`pictures` (one picture file, by Pillow), `folders`, `zips` and `tars` (many of them, WebDataset's
tars too), `parquet` (Hugging Face's data sets), and `shards` (folders of files of one of these).
"""

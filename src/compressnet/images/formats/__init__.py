"""Every format of a collection, a module each, with its reader beside its writer.

A path or bytes come in and a `Collection` goes out, or the other way round. To be read in this
order:

Arrays: `arrays` (what all have in common), `npy`, `idx`, `beside` (labels and names of these),
`array_files` (one or several of both), `npz` and `idx_zips` (arrays in a ZIP).

Pictures: `sniffing` (which files are pictures), `deep` (16 bits), `pictures` (one picture file, by
Pillow), `members` (many of them), `scanning` (among other files), `written` (as files again),
`folders`, `zips` and `tars`, WebDataset's too; `parquet` (Hugging Face's data sets), which goes by
`parquet_columns`, `parquet_labels` and `parquet_names`.

`shards` are folders of files of one of these.
"""

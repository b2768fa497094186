"""Every format of a collection, a module each, with its reader beside its writer.

A path or bytes come in and a `Collection` goes out, or the other way round. To be read in this
order: `npy`, `idx` and `npz` (arrays); `sniffing` (which files are pictures), `deep` (16 bits),
`pictures` (one picture file, by Pillow), `members` (many of them), `scanning` (among other files),
`written` (as files again); `folders`, `zips` and `tars`, WebDataset's too; and `parquet` (Hugging
Face's data sets), which goes by `parquet_columns`, `parquet_labels` and `parquet_names`.
"""

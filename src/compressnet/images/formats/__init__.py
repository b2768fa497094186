"""Every format of a collection, a module each, with its reader beside its writer.

A path or bytes come in and a `Collection` goes out, or the other way round. To be read in this
order: `npy`, `idx` and `npz` (arrays), `pictures` (one picture file, by Pillow), `folders`, `zips`
and `tars` (many of them, WebDataset's tars too), and `parquet` (Hugging Face's data sets), which
goes by `parquet_columns`, `parquet_labels` and `parquet_names`.
"""

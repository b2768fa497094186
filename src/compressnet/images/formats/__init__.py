"""Every format of a collection, its reader beside its writer.

A path or bytes come in and a `Collection` goes out, or the other way round. To be read in this
order: `arrays` (.npy, .npz, IDX), `pictures` (folders, ZIPs and tars of them), `parquet` (Hugging
Face's data sets), and `shards` (folders of files of one of these).
"""

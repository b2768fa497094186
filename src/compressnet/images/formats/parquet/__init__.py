"""Parquet files with a column of pictures, as Hugging Face's data sets have them; needs pyarrow.

To be read in this order: `columns` (which column is what), `labels`, `names`, and `parquet`.
"""

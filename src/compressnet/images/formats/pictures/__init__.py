"""Files of pictures.

To be read in this order: `sniffing` (which files are pictures), `deep` (16 bits), `pictures` (one
picture's file, by Pillow), `members` (many of them), `scanning` (among other files), `written` (as
files again), and what holds them: `folders`, `zips` and `tars`, WebDataset's too.
"""

"""Archives: images by index out of a file, and files out of images or of other archives.

A container and codecs come in and images go out. To be read in this order: `embedding` (which
codec an archive names and carries), `codings` (which coder reads a block), `cache` (what was read,
kept for a while), `blocks` (decoded together), `indexing` (what an index means), `symbols`,
`image_array` and `archive` (all by the images' numbers), `sharing` (what archives have in a file
beside them), `manifest` and `shards` (a set of archives as one), `opening` (from a path or bytes),
`writing` (images into blocks), `checked` (nothing is lost, or nothing is written), `selection`
(some images as blocks of another archive), `joining` (labels and codecs of several archives),
`maintain` (concat, subset, append), `describe` (what `info` tells), `gallery` (images to look at).
Damaged archives: `losses` (which images a block held), `verifying` (all that is damaged),
`surviving` (what is known of the images that are left), and `repair` (a new archive of these).
"""

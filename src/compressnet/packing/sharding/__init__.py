"""Many collections to a set of archives, each shard a task that may run anywhere.

    inputs -> surveyed -> cut into ranges -> a sample of all -> codec, settings, what is shared
           -> a task for each range: one shard -> manifest

To be read in this order: `engine` (who runs the tasks; `compressnet.integrations.dask` has one),
`plan` (what is to be written, and how), `tasks` (what runs on workers), `sampling` (images that
speak for all), `recipe` (codec and settings, as all tasks get them), and `write_set`.
"""

"""The command line: arguments come in, one library call is made, and words or JSON go out.

To be read in this order: `cli` (the program), `console` (errors, exit codes, progress), `options`
(what several commands take), `inputs` (what they read), `sharding` and `sets` (sets of
archives), then the commands by what they work on:
`compressing`, `archives`, `maintenance`, `damage`, `packing`, `codecs`, `exporting`, `figures`;
`tables` and `watching` are what they show.
"""

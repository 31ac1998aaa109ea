"""A Transformer as data and as code: sizes, presets, positions, patterns, the block. Below everything that times or
trains it."""

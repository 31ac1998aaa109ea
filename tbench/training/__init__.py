"""Quality experiments: a small byte-level language model whose every choice is a switch. Importing this loads no torch.

corpus       real text that ships with Python;  sources: generated data with known answers
trainer      the loop;  trial: one training run, from settings to figures
experiments  which arms, seeds and learning rates, for which claim;  arms: carries one arm out
properties   what must hold exactly: packed documents, positions beyond a table
"""

"""Pictures of a run: the figures in each, and one description of each for the page, files and the terminal.

model        what a chart consists of
groups       which cases stand together in a panel
length       latency and peak memory against length
speedup      the map of speed-ups
roofline     what every case reached, below what the machine can do
evolution    the ladder from 2017 to 2024
learning     loss curves, loss against position
samples      raw samples by process
ratios       verdicts of a comparison or a gate
look         encodings, colours and fonts that they share
run          the charts of a run, and which of them are made as files
draw         a description and its figures to SVG
terminal     the same figures in a terminal
"""

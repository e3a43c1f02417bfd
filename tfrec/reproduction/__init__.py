"""The tables and figures of the two papers, from a grid of runs.

What is to be trained and what the papers print is declared (`acvae.py`,
`vaser.py`), in the terms of `plan.py`; `grid.py` trains it, `measured.py` reads
it, and `report.py` writes what is found. The plan and the grid import no
TensorFlow: each training is a process of its own.
"""

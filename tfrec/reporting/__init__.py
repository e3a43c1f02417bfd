"""The report of a run: one page with its card, its curves and its people."""

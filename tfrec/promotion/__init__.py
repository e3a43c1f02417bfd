"""A gate between a run and the server: measured, exported, with a card."""

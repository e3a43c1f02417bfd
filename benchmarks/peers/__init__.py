"""tfrec beside RecBole: `python -m benchmarks.peers`."""

"""Watching what is served: requests now against training."""

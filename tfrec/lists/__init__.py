"""Lists for everybody: the best items for each user of a dataset, in a file."""

"""Attacks on the commands, at random and in large numbers, by command."""

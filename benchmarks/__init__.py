"""Benchmarks: ours and peers in one run, on the same rows. ``python -m benchmarks --help``."""

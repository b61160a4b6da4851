"""Two models on the same rows: which one is better, and what says so."""

"""A network as data: a graph of few known operators and its arrays, audited before anything computes it."""

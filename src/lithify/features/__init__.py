"""Fields to blocks: what a learner sees of a row."""

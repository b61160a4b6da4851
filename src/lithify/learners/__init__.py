"""Ways to learn, one in each file; see :mod:`lithify.learners.base` for their contract."""

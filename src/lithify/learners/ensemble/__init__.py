"""Members of several kinds, weighted."""

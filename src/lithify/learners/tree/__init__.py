"""A single decision tree that a person can read."""

"""Bagged gradient boosting."""

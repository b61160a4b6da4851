"""Linear models, on hashed features and on columns."""

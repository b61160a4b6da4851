"""The verbs of a model's life after training, as plain functions: compare, promote, roll back, retrain, sign, serve."""

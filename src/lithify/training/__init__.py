"""Running the pure function train(snapshot, recipe) to its end, in as many sessions as it takes."""

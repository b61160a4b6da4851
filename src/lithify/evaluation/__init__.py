"""What a model is worth: figures with intervals on stated rows, as data, as a table and as a page."""

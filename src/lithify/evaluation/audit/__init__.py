"""What is wrong with a dataset: leaks, wrong labels, useless fields, told before a model of it is trusted."""

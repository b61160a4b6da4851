"""What happens to a sealed model after training: it takes a name, serves, and gives way to another."""

"""Architectures: plain PyTorch modules, built from what goes in and how many scores come out."""

"""Distances between a restored picture and the truth."""

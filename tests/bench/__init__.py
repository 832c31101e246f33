"""Figures: run by hand and by `make bench`, never a reason for a test to fail."""

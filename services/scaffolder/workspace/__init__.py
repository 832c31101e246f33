"""A run's folder: what is written into it, and when it is deleted."""

"""A run's folder: what actions write into it, and when it is deleted."""

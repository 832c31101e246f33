"""The embedded engines, and the supervisor of a portal on one machine."""

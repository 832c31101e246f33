"""Techdocs, room by room, and whole on the real engines."""

"""Texts as people compare them, whatever they are written with."""

"""The three stages of a site: prepare its sources, generate it, publish it."""

"""The catalog's HTTP face: reads from the read model, changes through the handlers."""

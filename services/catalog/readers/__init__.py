"""Adapters of the `Sources` port: files, Git repositories, plain HTTP."""

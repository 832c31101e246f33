"""The portal's pages: HTML from the server, a client of the public API like any other.

A page shows nothing that its reader could not fetch: every fact comes from the API,
asked with the identity of the reader.
"""

#: What the command line may use.
__all__ = ["configuration"]

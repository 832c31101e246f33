"""The portal's pages: HTML from the server, a client of the public API like any other.

A page can show nothing that its reader could not fetch: every fact comes through
`services.gateway.ports.Api` under the reader's own identity.
"""

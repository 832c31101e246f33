"""Planning: what a reading of a location changes in the catalog, before it is written.

Reading → planning → writing: a plan follows from what was read and from the state of
the catalog alone, so that it can be printed, tested and shown without a store.
"""

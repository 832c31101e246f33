"""The embedded form of the index: tantivy in a directory, within this process."""

"""The embedded index: tantivy in a folder, inside of this process."""

"""What the catalog does: one module per command or event it answers to."""

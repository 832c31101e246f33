"""The example organisation is data with rules of its own; they are held here."""

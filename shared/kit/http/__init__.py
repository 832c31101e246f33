"""What the HTTP side of every service has in common: apps, clients, errors, tokens."""

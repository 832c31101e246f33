"""Two of each service at once, on real servers."""

"""What is done about servers that are away: retries and circuit breakers."""

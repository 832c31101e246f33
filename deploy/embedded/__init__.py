"""The embedded engines and the supervisor that keeps one machine's portal running."""

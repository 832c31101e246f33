"""Who sends a request: sign-in, user tokens, sessions, service tokens, memberships."""

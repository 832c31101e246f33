"""Who is asking: sign-in, user tokens, sessions, service tokens, memberships."""

"""The HTTP face: Backstage's routes, the portal's reading routes, search's snapshot."""

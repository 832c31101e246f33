"""How the catalog's state is kept (Motor): entities with their outbox, and roots."""

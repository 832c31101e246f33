"""The stores of the catalog (Motor): entities with their outbox, and roots."""

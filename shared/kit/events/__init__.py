"""The event log: producers, consumer groups, outboxes, dead letters and topics."""

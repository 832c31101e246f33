"""The live stream: the event log as server-sent events, by the reader's rights."""

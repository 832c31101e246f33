"""How Callboard is started: engines, processes, policies, examples, images."""

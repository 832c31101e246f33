"""What the scaffolder does: one function for each thing that somebody may ask for."""

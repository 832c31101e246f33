"""What a person keeps for themselves: Backstage's user settings, by bucket and key."""

"""The settings of a person: Backstage's user settings, by bucket and key."""

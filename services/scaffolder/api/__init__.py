"""The HTTP face, in Backstage's shapes: forms, tasks, dry runs, what there is."""

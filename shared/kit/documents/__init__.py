"""Documents in MongoDB: the driver, migrations, and names of lease owners."""

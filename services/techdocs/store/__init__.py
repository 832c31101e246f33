"""How state is kept and the outside is reached: Mongo, Git, folders, the catalog."""

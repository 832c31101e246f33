"""Five services behind one gateway; none imports another."""

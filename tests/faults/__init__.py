"""What happens to a whole portal when its processes are killed and frozen."""

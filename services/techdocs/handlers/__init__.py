"""What techdocs does: keeps who is documented, builds what is due, answers readers."""

"""The networks, their pictures and losses, and the loop that trains them. Here alone is torch imported."""

"""The three networks, their losses and the loop that trains them. torch lives here and nowhere below."""

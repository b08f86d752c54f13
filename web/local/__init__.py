"""A running server answers the commands of its own user, through a socket in the data folder."""

"""The site behind a real server: waitress, held to limits of size, time and connections."""

"""Lets people find memes: the site, the JSON API and the command. `web.app.create_app` is the map of the site."""

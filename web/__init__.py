"""The site, the JSON API and the command. `create_app` returns the site as a Flask application."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

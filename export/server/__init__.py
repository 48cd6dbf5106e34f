"""The server: a bundle behind HTTP, in two protocols, with a page."""

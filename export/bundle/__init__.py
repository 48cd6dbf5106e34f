"""The bundle: layout, manifest, and its formats read and written."""

"""The exported bundle: one SavedModel a segment."""

__all__: list[str] = []

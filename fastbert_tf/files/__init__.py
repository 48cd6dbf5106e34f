"""Files read with checks, and written whole or not at all."""

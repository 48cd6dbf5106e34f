"""Commands that run segments; nothing imports them."""

"""Commands that write and run bundles; nothing imports them."""

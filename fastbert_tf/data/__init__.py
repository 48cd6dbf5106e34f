"""Tables of texts and labels, and datasets made of them."""

"""``bench selftest``: delays, losses and doubles that are known, and what runs measure of them."""

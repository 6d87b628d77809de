"""From what a client shows to a token: methods of authentication, and what guards them."""

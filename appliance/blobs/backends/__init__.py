"""Where segments are kept: the only place that knows what a backend is made of."""

"""What the rest may ask of a database."""

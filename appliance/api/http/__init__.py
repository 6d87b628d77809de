"""What every API shares: services and their routes, messages, error responses, and what is before the routes."""

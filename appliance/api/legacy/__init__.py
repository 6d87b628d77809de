"""The APIs of 2013, beside today's."""

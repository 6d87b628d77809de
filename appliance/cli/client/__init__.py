"""The client's half of the command line: it speaks HTTP to any Keystone and Glance, and loads none of the server."""

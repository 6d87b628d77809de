"""One appliance as several nodes on one database: who is there, who does what, and the keys that all share."""

"""Real Glance and Keystone next to the appliance, on the same machine in the same run."""
